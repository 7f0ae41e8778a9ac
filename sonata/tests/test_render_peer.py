"""Templates on real objects, compared byte for byte with what the real Podman prints for them.

Podman's own JSON is the data: both sides see the same containers, images, networks and volumes.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sonata.cli.render.gotemplate.times import Time
from sonata.cli.render.gotemplate.values import GoMap, Struct
from sonata.cli.render.human import human_duration, image_size
from sonata.cli.render.report import Report, render_object, render_objects, render_rows
from sonata_core.errors import UsageError

pytestmark = [
    pytest.mark.needs_peer,
    pytest.mark.needs_root,
    pytest.mark.skipif(shutil.which("podman") is None, reason="needs podman"),
]

BUSYBOX = "/bin/busybox"


class Podman:
    """Podman on a store of its own."""

    def __init__(self, folder: Path) -> None:
        self.base = ["podman", "--root", f"{folder}/root", "--runroot", f"{folder}/run", "--storage-driver", "vfs"]

    def __call__(self, *arguments: str, content: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([*self.base, *arguments], input=content, capture_output=True, check=False)

    def made(self, *arguments: str, content: bytes | None = None) -> str:
        done = self(*arguments, content=content)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def data(self, *arguments: str) -> Any:
        return json.loads(self.made(*arguments))


def image_archive() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        if Path(BUSYBOX).exists():
            archive.add(BUSYBOX, "busybox")
        archive.addfile(tarfile.TarInfo("empty"))
    return made.getvalue()


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    peer = Podman(tmp_path_factory.mktemp("peer"))
    changes = [
        "--change",
        "LABEL a=b",
        "--change",
        'LABEL odd="<&>"',
        "--change",
        "ENV X=1",
        "--change",
        "CMD /busybox",
    ]
    peer.made("import", *changes, "-", "localhost/box:1", content=image_archive())
    peer.made("tag", "localhost/box:1", "localhost/other/name:v2")
    peer.made(
        "create", "--name", "one", "--label", "k=v", "--network", "none", "localhost/box:1", "/busybox", "sleep", "9"
    )
    peer.made("create", "--name", "number-two", "-e", "A=1", "--network", "host", "-v", "vol:/data", "localhost/box:1")
    peer.made("volume", "create", "--label", "l=m", "labelled")
    yield peer
    peer("rm", "-af")
    peer("volume", "rm", "-af")
    peer("rmi", "-af")
    peer("unshare", "true")
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        target = line.split()[4]
        if target.startswith(str(tmp_path_factory.getbasetemp())):
            subprocess.run(["umount", "-l", target], check=False)


def moment(text: str) -> Time:
    return Time.parse(text)


def ps_rows(podman: Podman) -> list[dict[str, Any]]:
    rows = []
    for item in podman.data("ps", "-a", "--no-trunc", "--format", "json"):
        rows.append(
            {
                "ID": item["Id"][:12],
                "Image": item["Image"],
                "ImageID": item["ImageID"][:12],
                "Command": " ".join(item["Command"] or [])[:17]
                + ("..." if len(" ".join(item["Command"] or [])) > 17 else ""),
                "Names": lambda names=item["Names"]: ",".join(names),
                "Labels": GoMap.of(item["Labels"] or {}, "string"),
                "State": item["State"].title(),
                "Status": item["Status"],
                "ExitCode": item["ExitCode"],
                "Exited": item["Exited"],
                "IsInfra": item["IsInfra"],
                "AutoRemove": item["AutoRemove"],
                "Mounts": item["Mounts"],
                "Networks": ",".join(item["Networks"] or []),
                "Pid": item["Pid"],
                "Pod": "",
                "PodName": item["PodName"],
                "StartedAt": item["StartedAt"],
                "Ports": "",
            }
        )
    return rows


PS = Report(
    "ps",
    "containers.psReporter",
    [("ID", "CONTAINER ID"), ("Image", "IMAGE"), ("Names", "NAMES")],
    {"Pod": "pod id", "ImageID": "image id", "Mounts": "mounts"},
)

PS_FORMATS = [
    "{{.ID}}",
    r"{{.ID}}\t{{.Names}}",
    "{{.Names}}: {{.State}} ({{.Status}})",
    "{{.Labels}}",
    '{{index .Labels "k"}}',
    '{{index .Labels "a"}}/{{.Labels.k}}',
    "{{json .Labels}}",
    "{{json .Names}}",
    "{{.Mounts}}",
    "{{json .Mounts}}",
    "{{len .Mounts}}",
    "{{.ExitCode}} {{.Exited}} {{.IsInfra}} {{.AutoRemove}}",
    "{{.StartedAt}}",
    '{{.Names | upper | printf "%q"}}',
    '{{.Names | printf "%-14s|%5.2s|" "x"}}',
    '{{printf "%T %T %T" .Names .Exited .Labels}}',
    '{{printf "%d %s" .Names .Exited}}',
    "{{slice .ID 2 5}}{{len .ID}}",
    '{{if eq .Names "one" "three"}}yes{{else}}no{{end}}',
    "{{if and .Pod .PodName}}pod{{else if .Names}}named{{end}}",
    "{{with .Pod}}{{.}}{{else}}no pod{{end}}",
    "{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}",
    "{{range .Mounts}}[{{.}}]{{else}}none{{end}}",
    "{{$n := .Names}}{{range .Mounts}}{{$n}} has {{.}}{{end}}",
    "{{- .Names -}}",
    "a {{- /* nothing */ -}} b {{.Pid}}",
    "{{range .}}{{.Names}},{{end}}",
    r"{{ range . }}{{ .Names }}\n{{ end }}",
    r"table {{.ID}}\t{{.Names}}\t{{.Image}}",
    r"table {{.Names}}\t{{.State}}\t{{.IsInfra}}\t{{.ExitCode}}",
    r"table {{.Names}}\t{{.ImageID}}\t{{.Networks}}",
    "table {{.Names}} {{.ID}}",
    "table {{.ID}} - {{.Names}}",
    'table {{printf "a b"}}|{{.Names}}',
    "table  {{.ID}},{{.Names}}  x",
    "table table {{.ID}}",
    "table",
    r"table {{.Names | upper}}\t{{.State}}",
    '{{join (split .Image "/") "+"}} {{title .State}} {{pad .State 2 3}}|{{truncate .Image 5}}',
    '{{eq 1 1}} {{ne .Names "one"}} {{lt 1 2}} {{not .Pod}} {{or .Pod "none"}} {{and .Names .State}}',
    '{{html "<a>"}}{{js "it\'s"}}{{urlquery "a b&c"}}',
    '{{print 1 2 "x" 3}}{{println .Names 5}}',
    '{{define "x"}}<{{.}}>{{end}}{{template "x" .Names}}',
    "{{.Foo}}",
    "{{.Names.x}}",
    "{{.Names | foo}}",
    "{{.ID",
    "{{if}}",
    "{{.Names | printf}}",
    "{{upper .Exited}}",
    "{{index .Labels 1}}",
    "{{index .Mounts 7}}",
    "{{eq .Names 1}}",
    "{{range .Names}}x{{end}}",
    "{{len .Exited}}",
    "{{end}}",
    '{{template "nope"}}',
    '{{.Names "x"}}',
    '{{"unfinished}}',
    "{{$x}}",
]


def compared(podman: Podman, arguments: list[str], form: str, ours: Any, prefix: str = "") -> None:
    theirs = podman(*arguments, "--format", form)
    try:
        text = ours(form)
    except UsageError as error:
        assert theirs.returncode != 0
        assert f"Error: {prefix}{error.message}" == theirs.stderr.decode().strip()
        return
    assert theirs.returncode == 0, theirs.stderr.decode()
    assert text == theirs.stdout.decode()


@pytest.mark.parametrize("form", PS_FORMATS)
def test_ps(podman: Podman, form: str) -> None:
    rows = ps_rows(podman)
    compared(podman, ["ps", "-a"], form, lambda given: render_rows(PS, rows, given))


IMAGES = Report("images", "images.imageReporter", [("ID", "IMAGE ID")], {"Created": "created", "ReadOnly": "R/O"})


@pytest.mark.parametrize(
    "form",
    [
        "{{.Repository}}:{{.Tag}}",
        "{{.ID}} {{.Size}}",
        r"table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.Size}}",
        "{{.Digest}}",
        "{{.CreatedAt}}",
        "{{.Labels}} {{.Names}}",
        "{{json .RepoDigests}}",
        "{{.Foo}}",
    ],
)
def test_images(podman: Podman, form: str) -> None:
    rows: list[dict[str, Any]] = []
    listed = podman.data("images", "--format", "json")
    for item, name in zip(listed, listed[0]["Names"], strict=True):
        repository, _, tag = name.rpartition(":")
        rows.append(
            {
                "Repository": repository,
                "Tag": tag,
                "ID": item["Id"][:12],
                "Size": image_size(item["Size"]),
                "Digest": item["Digest"],
                "CreatedAt": str(moment(item["CreatedAt"])),
                "Labels": item["Labels"],
                "Names": item["Names"],
                "RepoDigests": item["RepoDigests"],
            }
        )
    compared(podman, ["images"], form, lambda given: render_rows(IMAGES, rows, given))


NETWORKS = Report("list", "networks.ListPrintReports", [("ID", "NETWORK ID")])


@pytest.mark.parametrize(
    "form",
    [
        "{{.Name}} {{.Driver}}",
        r"table {{.ID}}\t{{.Name}}\t{{.Driver}}",
        "{{.Internal}} {{.IPv6Enabled}} {{.DNSEnabled}}",
        "{{.NetworkInterface}}",
        r"table {{.Name}}\t{{.IPv6Enabled}}\t{{.NetworkInterface}}",
    ],
)
def test_network_ls(podman: Podman, form: str) -> None:
    rows = [
        {
            "Name": item["name"],
            "ID": item["id"][:12],
            "Driver": item["driver"],
            "Internal": item["internal"],
            "IPv6Enabled": item["ipv6_enabled"],
            "DNSEnabled": item["dns_enabled"],
            "NetworkInterface": item["network_interface"],
        }
        for item in podman.data("network", "ls", "--format", "json")
    ]
    compared(podman, ["network", "ls"], form, lambda given: render_rows(NETWORKS, rows, given))


VOLUMES = Report("list", "volumes.ListReport", [("Driver", "DRIVER"), ("Name", "VOLUME NAME")])


@pytest.mark.parametrize(
    "form",
    [
        "{{.Name}} {{.Driver}} {{.Scope}}",
        r"table {{.Driver}}\t{{.Name}}",
        "{{.Mountpoint}}",
        "{{.CreatedAt}}",
        "{{.Options}}",
        "{{.MountCount}} {{.NeedsChown}} {{.NeedsCopyUp}}",
        r"table {{.Name}}\t{{.MountCount}}\t{{.NeedsCopyUp}}\t{{.Mountpoint}}",
    ],
)
def test_volume_ls(podman: Podman, form: str) -> None:
    rows = [
        {**item, "CreatedAt": moment(item["CreatedAt"])} for item in podman.data("volume", "ls", "--format", "json")
    ]
    compared(podman, ["volume", "ls"], form, lambda given: render_rows(VOLUMES, rows, given))


def inspected(podman: Podman, *names: str) -> list[Struct]:
    return [Struct("interface {}", dated(item)) for item in podman.data("inspect", *names)]


def dated(value: Any) -> Any:
    """JSON with the moments that Go holds as time.Time."""
    if isinstance(value, dict):
        times = ("Created", "StartedAt", "FinishedAt", "CheckpointedAt", "RestoredAt")
        return {key: moment(item) if key in times and item else dated(item) for key, item in value.items()}
    return [dated(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    "form",
    [
        "{{.Name}} {{.Created}}",
        "{{.Created.Unix}} {{.Created.Year}}",
        '{{.Created.Format "Mon Jan 2 15:04:05 2006"}}',
        "{{.State.Status}} {{.State.Pid}} {{.State.Running}} {{.State.FinishedAt}}",
        "{{.Config.Env}}",
        "{{range .Config.Env}}{{println .}}{{end}}",
        "{{json .Config.Labels}}",
        "{{json .Config.Cmd}}",
        "{{index .Config.Cmd 0}} {{len .Config.Cmd}}",
        "{{range $k, $v := .Config.Labels}}{{$k}} is {{$v}}, {{end}}",
        "{{.Config.Labels.k}}",
        "{{.HostConfig.NetworkMode}} {{.HostConfig.Memory}} {{.HostConfig.Privileged}} {{.HostConfig.ShmSize}}",
        "{{.HostConfig.CapAdd}} {{.HostConfig.Dns}}",
        "{{range .Mounts}}{{.Type}} {{.Destination}} {{.RW}}{{end}}",
        "{{with .State}}{{.ExitCode}}{{end}} {{$.RestartCount}}",
        '{{printf "%.12s" .Image}} {{.ImageName}} {{.Driver}}',
        "{{.Foo}}",
    ],
)
def test_inspect(podman: Podman, form: str) -> None:
    objects = inspected(podman, "one", "number-two")
    prefix = "inspecting object: printing inspect output: "
    compared(
        podman, ["inspect", "one", "number-two"], form, lambda given: render_objects("inspect", objects, given), prefix
    )


@pytest.mark.parametrize(
    "form",
    [
        "{{.Architecture}}/{{.Os}} {{.Size}}",
        "{{.Config.Env}} {{json .Config.Labels}}",
        "{{.RepoTags}}",
        "{{json .RootFS}}",
        "{{.Foo}}",
    ],
)
def test_image_inspect(podman: Podman, form: str) -> None:
    objects = [Struct("interface {}", dated(item)) for item in podman.data("image", "inspect", "localhost/box:1")]
    prefix = "inspecting object: printing inspect output: "
    arguments = ["image", "inspect", "localhost/box:1"]
    compared(podman, arguments, form, lambda given: render_objects("inspect", objects, given), prefix)


@pytest.mark.parametrize(
    "form", ["{{.Client.Version}}", "{{.Client.OsArch}} {{.Client.GoVersion}}", "{{json .Client.Version}}"]
)
def test_version(podman: Podman, form: str) -> None:
    data = podman.data("version", "--format", "json")
    compared(podman, ["version"], form, lambda given: render_object("version", data, given))


@pytest.mark.parametrize(
    "form",
    [
        "{{.Host.Arch}} {{.Host.OS}} {{.Host.Kernel}}",
        "{{.Store.GraphDriverName}} {{.Store.GraphRoot}}",
        "{{.Version.Version}}",
        "{{.Host.Security.Rootless}} {{.Host.CPUs}} {{.Host.MemTotal}}",
        "{{.Foo}}",
    ],
)
def test_info(podman: Podman, form: str) -> None:
    raw = podman.data("info", "--format", "json")
    host, store, version = raw["host"], raw["store"], raw["version"]
    data = Struct(
        "*define.Info",
        {
            "Host": {
                "Arch": host["arch"],
                "OS": host["os"],
                "Kernel": host["kernel"],
                "CPUs": host["cpus"],
                "MemTotal": host["memTotal"],
                "Security": {"Rootless": host["security"]["rootless"]},
            },
            "Store": {"GraphDriverName": store["graphDriverName"], "GraphRoot": store["graphRoot"]},
            "Version": {"Version": version["Version"]},
        },
    )
    compared(podman, ["info"], form, lambda given: render_object("info", data, given))


def test_running_for(podman: Podman) -> None:
    """Podman's words for a time that has passed, for a container made some seconds ago."""
    (age, *_) = podman.made("ps", "-a", "--format", "{{.RunningFor}}").splitlines()
    words = {f"{human_duration(seconds)} ago" for seconds in range(600)}
    assert age in words
