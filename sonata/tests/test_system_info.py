"""`info` has the shape of Podman's report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sonata.engine.system.info import cpu_use, os_release, uptime_text
from sonata.engine.system.packages import package_of

HOST = (
    *("arch", "buildahVersion", "cgroupManager", "cgroupVersion", "cgroupControllers", "conmon", "cpus"),
    *("cpuUtilization", "databaseBackend", "distribution", "eventLogger", "hostname", "idMappings", "kernel"),
    *("logDriver", "memFree", "memTotal", "networkBackend", "networkBackendInfo", "ociRuntime", "os"),
    *(
        "remoteSocket",
        "rootlessNetworkCmd",
        "serviceIsRemote",
        "security",
        "slirp4netns",
        "pasta",
        "swapFree",
        "swapTotal",
    ),
    *("uptime", "variant", "linkmode"),
)
"""Keys of `host`, in order: Podman 6 reference data, without freeLocks and remoteSocket, which have no match here."""
STORE = (
    *("containerStore", "graphDriverName", "graphOptions", "graphRoot", "graphRootAllocated", "graphRootUsed"),
    *("graphStatus", "imageCopyTmpDir", "imageStore", "runRoot", "volumePath", "transientStore"),
)
SECURITY = ("apparmorEnabled", "capabilities", "rootless", "seccompEnabled", "seccompProfilePath", "selinuxEnabled")
HEAVY = {"subprocess", "tomllib", "inspect", "dataclasses", "logging", "importlib.metadata", "pluggy", "stevedore"}


def run(tmp_path: Path, *words: str) -> str:
    argv = [sys.executable, "-m", "sonata", f"--root={tmp_path}/graph", f"--runroot={tmp_path}/run", *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_the_report(tmp_path: Path) -> None:
    shown: dict[str, Any] = json.loads(run(tmp_path, "info", "--format", "json"))
    assert list(shown) == ["host", "store", "registries", "plugins", "version"]
    assert tuple(shown["host"]) == HOST
    assert tuple(shown["store"]) == STORE
    assert tuple(shown["host"]["security"]) == SECURITY
    assert list(shown["plugins"]) == ["volume", "network", "log", "authorization"]
    assert shown["store"]["graphRoot"] == f"{tmp_path}/graph"
    assert shown["store"]["containerStore"] == {"number": 0, "paused": 0, "running": 0, "stopped": 0}
    assert shown["host"]["ociRuntime"]["name"] in shown["host"]["ociRuntime"]["version"]
    assert shown["host"]["memTotal"] > 1 << 20
    form = "{{.Host.OCIRuntime.Name}}|{{.Host.CgroupsVersion}}|{{.Store.GraphDriverName}}|{{.Host.IDMappings.GIDMap}}"
    text = run(tmp_path, "system", "info", "--format", form)
    expected = (shown["host"]["ociRuntime"]["name"], shown["host"]["cgroupVersion"], shown["store"]["graphDriverName"])
    assert text == "|".join((*expected, "[]")) + "\n"
    assert "\n  graphRoot: " in run(tmp_path, "info")


def test_texts_of_the_report(tmp_path: Path) -> None:
    assert uptime_text(4099.4) == "1h 8m 19.00s (Approximately 0.05 days)"
    assert uptime_text(61) == "1m 1.00s"
    assert cpu_use("cpu  10 10 20 60 5 0\n") == {"userPercent": 20.0, "systemPercent": 20.0, "idlePercent": 60.0}
    assert cpu_use("")["idlePercent"] == 0.0
    release = tmp_path / "os-release"
    release.write_text('ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n')
    assert os_release(str(release)) == {"distribution": "debian", "version": "12", "codename": "bookworm"}


def test_packages_by_dpkgs_files(tmp_path: Path) -> None:
    (tmp_path / "info").mkdir()
    (tmp_path / "info" / "conmon.list").write_text("/.\n/usr\n/usr/bin/conmon\n")
    status = (
        "Package: other\nVersion: 9\n\nPackage: conmon\nStatus: ok\nArchitecture: amd64\nVersion: 2.1-3\nD: a\n b: c\n"
    )
    (tmp_path / "status").write_text(status)
    assert package_of("/usr/bin/conmon", ("x", "conmon"), str(tmp_path)) == "conmon_2.1-3_amd64"
    assert package_of("/usr/local/bin/conmon", ("conmon",), str(tmp_path)) == "Unknown"
    assert package_of("/usr/bin/conmon", ("conmon",), f"{tmp_path}/absent") == "Unknown"


@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    paths = [path for path in sys.path if path.endswith("/src") and os.path.isdir(path)]
    words = [f"--root={tmp_path}/graph", f"--runroot={tmp_path}/run", "info"]
    code = (
        f"import sys; sys.path[:0] = {paths!r}; from sonata.__main__ import main; main({words!r}); "
        "print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    argv = [sys.executable, "-I", "-c", code]
    for _ in range(2):  # the second start has its memos
        done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    bare = subprocess.run(
        [sys.executable, "-I", "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    assert not HEAVY & (set(done.stderr.split()) - set(bare.stdout.split()))


PLACEHOLDERS = {
    "info": (
        *(".Host.Arch", ".Host.BuildahVersion", ".Host.CgroupManager", ".Host.CgroupsVersion", ".Host.CPUs"),
        *(".Host.CgroupControllers", ".Host.Conmon.Path", ".Host.Conmon.Version", ".Host.CPUUtilization.UserPercent"),
        *(".Host.DatabaseBackend", ".Host.Distribution.Distribution", ".Host.Distribution.Variant"),
        *(".Host.Distribution.Version", ".Host.Distribution.Codename", ".Host.EventLogger", ".Host.FreeLocks"),
        *(".Host.Hostname", ".Host.IDMappings.UIDMap", ".Host.Kernel", ".Host.LogDriver", ".Host.MemFree"),
        *(".Host.MemTotal", ".Host.NetworkBackend", ".Host.NetworkBackendInfo.Backend", ".Host.NetworkBackendInfo.DNS"),
        *(".Host.OCIRuntime.Name", ".Host.OS", ".Host.RemoteSocket.Path", ".Host.RemoteSocket.Exists"),
        *(".Host.RuntimeInfo", ".Host.RootlessNetworkCmd", ".Host.ServiceIsRemote", ".Host.Security.Rootless"),
        *(".Host.Security.AppArmorEnabled", ".Host.Security.DefaultCapabilities", ".Host.Security.SECCOMPEnabled"),
        *(".Host.Security.SECCOMPProfilePath", ".Host.Security.SELinuxEnabled", ".Host.Slirp4NetNS.Version"),
        *(
            ".Host.Pasta.Package",
            ".Host.SwapFree",
            ".Host.SwapTotal",
            ".Host.Uptime",
            ".Host.Variant",
            ".Host.Linkmode",
        ),
        *(
            ".Host.EmulatedArchitectures",
            ".Store.VolumePath",
            ".Store.ContainerStore.Number",
            ".Store.ImageStore.Number",
        ),
        *(".Store.GraphDriverName", ".Store.GraphOptions", ".Store.GraphRoot", ".Store.GraphRootAllocated"),
        *(".Store.GraphRootUsed", ".Store.GraphStatus", ".Store.ImageCopyTmpDir", ".Store.RunRoot"),
        *(".Store.TransientStore", ".Registries", ".Plugins.Volume", ".Plugins.Network", ".Plugins.Log"),
        *(".Plugins.Authorization", ".Version.APIVersion", ".Version.OsArch"),
    ),
    "version": (
        *(".Client.APIVersion", ".Client.Version", ".Client.GoVersion", ".Client.GitCommit", ".Client.BuiltTime"),
        *(".Client.Built", ".Client.BuildOrigin", ".Client.OsArch", ".Client.Os", ".Server", ".Server.Version"),
        *(".Server.Os", ".Version", ".OsArch"),
    ),
    "system df": (".Type", ".Total", ".Active", ".Size", ".Reclaimable", ".RawSize", ".RawReclaimable"),
}


@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("command", sorted(PLACEHOLDERS))
def test_every_placeholder_has_a_value(tmp_path: Path, command: str) -> None:
    names = PLACEHOLDERS[command]
    # `.Version` and `.Server.Version` belong to different structs: each is asked for alone where it must be.
    together = names if command != "version" else ()
    if together:
        form = "|".join(f"{{{{{name}}}}}" for name in together)
        assert run(tmp_path, *command.split(), "--format", form).count("|") >= len(together) - 1
        return
    shown = {name: run(tmp_path, command, "--format", f"{{{{{name}}}}}").strip() for name in names}
    assert shown[".Client.Version"] == shown[".Server.Version"] == shown[".Version"] != ""
    assert shown[".Server"] == "<nil>"
