"""Configs, and what is shown of an image. Shapes: Podman 6 reference data."""

import json

import pytest

from sonata.cli.images import history as history_rows
from sonata.image import config as image_config
from sonata.image import view
from sonata.image.instructions import apply_changes
from sonata.model.times import ZERO
from sonata_core.errors import Damaged, UsageError
from sonata_core.models.image import ManifestBytes
from sonata_core.models.media import DOCKER_CONFIG, DOCKER_MANIFEST
from sonata_core.sdk.manifests import digest_of

D = "sha256:" + "a" * 64
DOCUMENT = {
    "created": "2026-11-21T23:05:30.6Z",
    "architecture": "amd64",
    "os": "linux",
    "parent": D,
    "config": {
        "User": "5:6",
        "ExposedPorts": {"80/tcp": {}},
        "Env": ["A=b"],
        "Entrypoint": None,
        "Cmd": ["sh"],
        "Volumes": {"/v": {}},
        "Labels": {"x": "y"},
        "StopSignal": "SIGINT",
        "StopTimeout": 3,
        "Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 5000000000},
        "OnBuild": ["RUN x"],
        "Shell": ["/bin/bash"],
    },
    "rootfs": {"type": "layers", "diff_ids": [D]},
    "history": [
        {"created": "2026-11-21T22:47:56Z", "created_by": "ADD", "comment": "imported"},
        {"created": "2026-11-21T23:05:30Z", "created_by": "CMD", "empty_layer": True},
    ],
}


def stored(document: object = None) -> view.StoredImage:
    config = json.dumps(document or DOCUMENT).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": {"mediaType": DOCKER_CONFIG, "digest": digest_of(config), "size": len(config)},
            "layers": [],
        }
    ).encode()
    return view.StoredImage(
        id="f" * 64,
        manifest=ManifestBytes(media_type=DOCKER_MANIFEST, digest=digest_of(manifest), content=manifest),
        config=config,
        names=("localhost/a:1", "quay.io/b/c:2"),
        digests=(D,),
        size=10,
    )


def test_a_docker_config_is_read() -> None:
    config = image_config.parse(json.dumps(DOCUMENT).encode())
    assert config.user == "5:6"
    assert config.exposed_ports == ("80/tcp",)
    assert config.entrypoint is None
    assert config.cmd == ("sh",)
    assert config.stop_timeout == 3
    assert config.health_check is not None
    assert config.health_check.interval == 5_000_000_000
    assert config.on_build == ("RUN x",)
    assert config.shell == ("/bin/bash",)
    image_config.check_layers(config, 1)
    with pytest.raises(Damaged):
        image_config.check_layers(config, 2)


@pytest.mark.parametrize(
    "change",
    [
        {"config": []},
        {"config": {"Env": "A=b"}},
        {"config": {"Env": [1]}},
        {"config": {"Labels": {"a": 1}}},
        {"config": {"StopTimeout": "3"}},
        {"rootfs": {"diff_ids": ["sha256:x"]}},
        {"rootfs": {"diff_ids": "sha256:x"}},
        {"history": [{"empty_layer": 1}]},
        {"history": {}},
        {"os": 1},
    ],
)
def test_malformed_configs_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(Damaged):
        image_config.parse(json.dumps({**DOCUMENT, **change}).encode())


def test_an_empty_config_is_enough() -> None:
    config = image_config.parse(b"{}")
    assert config.os == "linux"
    assert config.diff_ids == ()


def test_inspect_has_podmans_shape() -> None:
    shown = view.inspect(view.view(stored()), {"Name": "overlay", "Data": {}}, "b" * 64)
    assert list(shown) == [
        "Id", "Digest", "RepoTags", "RepoDigests", "Parent", "Comment", "Created", "Config", "Version", "Author",
        "Architecture", "Os", "Size", "VirtualSize", "GraphDriver", "RootFS", "Labels", "Annotations", "ManifestType",
        "User", "History", "NamesHistory", "Healthcheck",
    ]  # fmt: skip
    assert shown["RepoDigests"] == [f"localhost/a@{D}", f"quay.io/b/c@{D}"]
    assert shown["Parent"] == "b" * 64
    assert shown["Config"] == {
        "User": "5:6",
        "ExposedPorts": {"80/tcp": {}},
        "Env": ["A=b"],
        "Cmd": ["sh"],
        "Volumes": {"/v": {}},
        "Labels": {"x": "y"},
        "StopSignal": "SIGINT",
    }
    assert shown["Healthcheck"] == {"Test": ["CMD-SHELL", "true"], "Interval": 5000000000}
    assert shown["History"] == DOCUMENT["history"]
    json.dumps(shown)


def test_history_walks_from_the_top() -> None:
    image = view.view(stored())
    rows = view.history(image, (view.LayerUse(size=7, image_id="e" * 64, tags=("localhost/base:1",)),))
    assert [(row.id, row.created_by, row.size) for row in rows] == [("e" * 64, "CMD", 0), (view.MISSING, "ADD", 7)]
    assert view.history(image, (view.LayerUse(size=7),))[0].id == image.id


def test_history_of_steps_without_times_and_of_too_few_layers() -> None:
    """As Podman shows them: a time that never was, and no layer that is none."""
    config = {"rootfs": {"type": "layers", "diff_ids": [D]}, "history": [{"created_by": "a"}, {"comment": "b"}]}
    image = view.view(stored(config))
    rows = view.history(image, (view.LayerUse(size=7),))
    assert [row.size for row in rows] == [7, 0]
    assert [history_rows.as_json(row)["Created"] for row in rows] == [ZERO, ZERO]
    assert "CreatedBy" not in history_rows.as_json(rows[0])
    assert history_rows.fields(rows[0], 1.7e9, full=False, human=True)["CreatedSince"]() == "292 years ago"
    image_config.check_layers(image.config, 1)


def test_a_time_that_is_none_is_refused() -> None:
    for change in ({"created": "yesterday"}, {"history": [{"created": "2024-13-01T00:00:00Z"}]}):
        with pytest.raises(Damaged, match="parsing time"):
            image_config.check_times(image_config.parse(json.dumps(change).encode()))


SHELL = ["/bin/sh", "-c"]


@pytest.mark.parametrize(
    ("changes", "entrypoint", "command"),
    [
        (("CMD",), None, SHELL),
        (("CMD=",), None, SHELL),
        (("CMD x y",), None, [*SHELL, "x y"]),
        (('CMD ["y"]',), None, ["y"]),
        (("CMD []",), ["sleep", "5"], ["7"]),
        (("ENTRYPOINT",), ["sleep", "5"], ["7"]),
        (("ENTRYPOINT []",), ["sleep", "5"], ["7"]),
        (('ENTRYPOINT ["q"]',), ["q"], None),
        (("CMD x", 'ENTRYPOINT ["q"]'), ["q"], [*SHELL, "x"]),
        (("ENV A=b",), ["sleep", "5"], ["7"]),
    ],
)
def test_programs_of_a_commit(
    changes: tuple[str, ...], entrypoint: list[str] | None, command: list[str] | None
) -> None:
    """As Podman 5.8 writes them: what is given of the two takes the place of both, nothing changes nothing."""
    made = apply_changes({"Entrypoint": ["sleep", "5"], "Cmd": ["7"]}, changes)
    assert (made.get("Entrypoint"), made.get("Cmd")) == (entrypoint, command)


@pytest.mark.parametrize("change", ["ENV", "ENV A", "USER", "LABEL a", "ONBUILD", "NOSUCH x"])
def test_changes_that_say_too_little(change: str) -> None:
    with pytest.raises(UsageError):
        apply_changes({}, (change,))
    assert apply_changes({"Cmd": ["7"]}, ("ENV A",), single=True)["Env"] == ["A="]
