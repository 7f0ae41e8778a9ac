"""`system df` and `system prune`: every byte has its row, and what nothing uses gives its room back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sonata.assemble import open_engine
from sonata.engine.containers.create import create
from sonata.engine.engine import Engine
from sonata.engine.networks.create import create as create_network
from sonata.engine.system.df import usage
from sonata.engine.system.prune import Wanted, prune
from sonata.engine.volumes.create import create as create_volume
from sonata.image.transfer import partial_folder
from sonata.model.object_request import NetworkCreateRequest, VolumeCreateRequest
from sonata.model.request import RunRequest
from sonata.state import containers as rows
from sonata_core.errors import UsageError

sys.path.insert(0, os.path.dirname(__file__))
from store_world import busybox_layers, open_store, put_image

pytestmark = [pytest.mark.needs_root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]


def du(path: str) -> int:
    done = subprocess.run(["du", "-s", "--block-size=1", path], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[0])


@pytest.fixture(params=["overlay", "vfs"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    store = open_store(tmp_path, request.param)
    layers = busybox_layers()
    put_image(store, "localhost/used:1", layers)
    put_image(store, "localhost/idle:1", [layers[0], {"data": os.urandom(300_000)}], mark="idle")
    return open_engine(
        {
            "storage.graphroot": f"{tmp_path}/graph",
            "storage.runroot": f"{tmp_path}/run",
            "storage.driver": request.param,
        }
    )


def by_type(engine: Engine) -> dict[str, Any]:
    return {one.type: one for one in usage(engine).kinds}


def use_all(engine: Engine) -> str:
    """A container with a volume, an idle volume, an idle network, half a blob."""
    made = create(engine, RunRequest(image="localhost/used:1", command=("sh",), volume=("kept:/data",)))
    create_volume(engine, VolumeCreateRequest(name="idle"))
    with open(f"{engine.config.paths.volume_path}/idle/_data/x", "wb") as file:
        file.write(b"x" * 50_000)
    create_network(engine, NetworkCreateRequest(name="idle"))
    folder = partial_folder(engine.config.storage.graph_root)
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/sha256-{'a' * 64}", "wb") as file:
        file.write(b"y" * 200_000)
    return made.config.id


def test_every_byte_has_its_row(engine: Engine) -> None:
    use_all(engine)
    found = usage(engine)
    engine.close()
    whole = du(engine.config.storage.graph_root)
    assert abs(sum(one.size for one in found.kinds) - whole) <= whole / 100
    kinds = {one.type: one for one in found.kinds}
    assert (kinds["Images"].total, kinds["Images"].active) == (2, 1)
    assert 300_000 <= kinds["Images"].reclaimable < kinds["Images"].size
    assert (kinds["Containers"].total, kinds["Containers"].active) == (1, 0)
    assert (kinds["Local Volumes"].total, kinds["Local Volumes"].active) == (2, 1)
    assert 50_000 <= kinds["Local Volumes"].reclaimable < 80_000
    assert (kinds["Partial Blobs"].total, kinds["Partial Blobs"].reclaimable) == (1, 200_000)
    assert [one.containers for one in sorted(found.images, key=lambda one: one.names)] == [0, 1]
    assert all(one.shared > 1_000_000 for one in found.images)


def test_pruning_frees_what_nothing_uses(engine: Engine) -> None:
    ident = use_all(engine)
    first = prune(engine, Wanted())
    removed = dict(first.removed)
    assert removed["Containers"] == (ident,)
    assert removed["Networks"] == ("idle",)
    assert removed["Images"] == ()
    assert first.reclaimed >= 200_000
    assert rows.ids(engine.database) == []
    assert by_type(engine)["Partial Blobs"].total == 0
    second = prune(engine, Wanted(images=True, volumes=True))
    removed = dict(second.removed)
    assert sorted(removed["Volumes"]) == ["idle", "kept"]
    assert len(removed["Images"]) == 2
    assert second.reclaimed > 1_000_000
    kinds = by_type(engine)
    assert kinds["Images"].total == kinds["Local Volumes"].total == 0
    assert kinds["Images"].size < 100_000
    assert dict(prune(engine, Wanted(images=True, volumes=True)).removed)["Images"] == ()


def test_a_filter_limits_what_goes(engine: Engine) -> None:
    kept = create(engine, RunRequest(image="localhost/used:1", command=("sh",)))
    gone = create(engine, RunRequest(image="localhost/used:1", command=("sh",), label=("x=1",)))
    assert dict(prune(engine, Wanted(images=True, filters=("label=x=1",))).removed)["Containers"] == (gone.config.id,)
    assert rows.ids(engine.database) == [kept.config.id]
    with pytest.raises(UsageError):
        prune(engine, Wanted(filters=("colour=red",)))
    engine.close()


def test_the_commands(engine: Engine) -> None:
    use_all(engine)
    engine.close()
    storage = engine.config.storage
    base = [
        *(sys.executable, "-m", "sonata", f"--root={storage.graph_root}", f"--runroot={storage.run_root}"),
        f"--storage-driver={storage.driver}",
    ]

    def run(*words: str) -> str:
        done = subprocess.run([*base, *words], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    lines = run("system", "df").splitlines()
    assert lines[0].split() == ["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"]
    assert [line[:14].strip() for line in lines[1:4]] == ["Images", "Containers", "Local Volumes"]
    shown = json.loads(run("system", "df", "--format", "json"))
    wanted = {"Type", "Total", "Active", "RawSize", "RawReclaimable", "TotalCount", "Size", "Reclaimable"}
    assert set(shown[0]) == wanted
    assert run("system", "df", "--format", "{{.Type}} {{.Total}}").splitlines()[0] == "Images 2"
    verbose = run("system", "df", "-v")
    for text in ("Images space usage:", "REPOSITORY", "localhost/idle", "CONTAINER ID", "VOLUME NAME", "kept"):
        assert text in verbose
    pruned = run("system", "prune", "-a", "-f", "--volumes")
    assert "Deleted Containers\n" in pruned
    assert "Total reclaimed space: " in pruned
