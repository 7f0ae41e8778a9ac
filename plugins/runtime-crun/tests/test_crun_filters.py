"""crun's own: hybrid control groups, and compiled seccomp filters that are kept but never trusted blindly."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from sonata_core.context import PluginContext
from sonata_core.errors import HostLacks
from sonata_core.hookspecs.runtime import RuntimeTune
from sonata_core.markers import IMPL, SPEC
from sonata_core.models.host import HostFacts
from sonata_core.models.ids import ContainerId
from sonata_core.models.process import Command, CommandResult
from sonata_core.models.runtime import ContainerRef, LaunchRequest, LaunchVerb
from sonata_runtime_crun import filters
from sonata_runtime_crun.plugin import CrunRuntime

REF = ContainerRef(id=ContainerId("c" * 64), bundle="/b", run_dir="/r")
SPEC_WITH = {"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW"}}}
PROGRAM = b"\x06\0\0\0\0\0\xff\x7f" * 3


class Quiet:
    def debug(self, event: str, **fields: object) -> None: ...
    def info(self, event: str, **fields: object) -> None: ...
    def warning(self, event: str, **fields: object) -> None: ...
    def error(self, event: str, **fields: object) -> None: ...


def run(command: Command) -> CommandResult:
    assert command.argv[1] == "--version"
    return CommandResult(code=0, stdout=b"crun version 1.8.1\nspec: 1.0.0\n+SECCOMP", stderr=b"")


def make(tmp_path: Path, **facts: Any) -> CrunRuntime:
    program = tmp_path / "crun"
    program.write_text("x")
    given: dict[str, Any] = {
        "uid": 0,
        "gid": 0,
        "rootless": True,
        "kernel": "6",
        "machine": "x",
        "boot_id": "b",
        "cgroup_version": 1,
    }
    context = PluginContext(
        name="crun",
        root=str(tmp_path / "root"),
        run=str(tmp_path / "run"),
        cache=str(tmp_path / "cache"),
        config={},
        facts=HostFacts(**{**given, **facts}),
        run_command=run,
        find_program=lambda name: str(program),
        log=Quiet(),
    )
    return CrunRuntime(context)


@pytest.fixture
def crun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CrunRuntime:
    """A crun that has created a container and left its filter."""
    left = tmp_path / "xdg" / "crun" / REF.id
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "xdg"))
    left.mkdir(parents=True)
    (left / "seccomp.bpf").write_bytes(PROGRAM)
    (left / "seccomp.bpf").chmod(0o600)
    return make(tmp_path)


def test_tuning_is_whole() -> None:
    for name in dir(RuntimeTune):
        if hasattr(getattr(RuntimeTune, name), SPEC):
            assert hasattr(getattr(CrunRuntime, name), IMPL), name


def test_hybrid_groups_are_refused(tmp_path: Path) -> None:
    with pytest.raises(HostLacks, match=r"^cgroups in hybrid mode not supported, drop all controllers from cgroupv2$"):
        make(tmp_path, cgroup_hybrid=True).runtime_facts()
    assert make(tmp_path).runtime_facts().version == "1.8.1"


def test_disabled_cgroups(tmp_path: Path) -> None:
    request = LaunchRequest(verb=LaunchVerb.CREATE, ref=REF, log_path="/l", cgroups_disabled=True)
    assert make(tmp_path).runtime_launch(request).global_args[-2:] == ("--cgroup-manager", "disabled")


def test_learn_and_adjust(crun: CrunRuntime) -> None:
    assert crun.runtime_adjust(SPEC_WITH) is None
    crun.runtime_created(REF, SPEC_WITH)
    found = crun.runtime_adjust(SPEC_WITH)
    assert found is not None
    assert found.annotations == {"run.oci.seccomp_bpf_data": "BgAAAAAA/38GAAAAAAD/fwYAAAAAAP9/"}
    other = {"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ERRNO"}}}
    assert crun.runtime_adjust(other) is None
    assert crun.runtime_adjust({"linux": {}}) is None
    assert crun.runtime_adjust({**SPEC_WITH, "annotations": {filters.ANNOTATION: "x"}}) is None
    assert filters.key({}, "1.8.1") != filters.key({}, "1.8.2")


def entry(crun: CrunRuntime) -> Path:
    crun.runtime_created(REF, SPEC_WITH)
    (path,) = (Path(crun.context.cache) / "seccomp").iterdir()
    assert crun.runtime_adjust(SPEC_WITH) is not None
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    return path


def test_a_changed_filter_is_not_believed(crun: CrunRuntime) -> None:
    path = entry(crun)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"\0")
    assert crun.runtime_adjust(SPEC_WITH) is None
    path.write_bytes(content[:40])
    assert crun.runtime_adjust(SPEC_WITH) is None
    path.write_bytes(b"")
    assert crun.runtime_adjust(SPEC_WITH) is None
    path.write_bytes(content)
    assert crun.runtime_adjust(SPEC_WITH) is not None


def test_a_filter_of_another_profile_is_not_believed(crun: CrunRuntime) -> None:
    path = entry(crun)
    other = {"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ERRNO"}}}
    name = filters.key(filters.profile_of(other), "1.8.1")
    path.rename(path.parent / name)
    assert crun.runtime_adjust(other) is None


def test_an_open_folder_or_file_is_not_believed(crun: CrunRuntime) -> None:
    path = entry(crun)
    path.parent.chmod(0o755)
    assert crun.runtime_adjust(SPEC_WITH) is None
    path.parent.chmod(0o700)
    path.chmod(0o660)
    assert crun.runtime_adjust(SPEC_WITH) is None
    path.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(path, 1, 1)
        assert crun.runtime_adjust(SPEC_WITH) is None
        os.chown(path, 0, 0)
        os.chown(path.parent, 1, 1)
        assert crun.runtime_adjust(SPEC_WITH) is None


def test_links_and_pipes_are_not_followed(crun: CrunRuntime) -> None:
    path = entry(crun)
    path.rename(path.parent / "real")
    path.symlink_to("real")
    assert crun.runtime_adjust(SPEC_WITH) is None
    path.unlink()
    os.mkfifo(path, 0o600)
    assert crun.runtime_adjust(SPEC_WITH) is None


def test_learning_never_raises(crun: CrunRuntime, tmp_path: Path) -> None:
    crun.runtime_created(REF.replace(id="d" * 64), SPEC_WITH)
    (tmp_path / "cache").mkdir(exist_ok=True)
    (tmp_path / "cache" / "seccomp").write_text("in the way")
    crun.runtime_created(REF, SPEC_WITH)
    assert crun.runtime_adjust(SPEC_WITH) is None
