"""The events file: written in Podman's form, read back, followed through rotations."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sonata.cli.system.events import as_json, line
from sonata.engine import event_log, events
from sonata.model.watch_request import EventsRequest
from sonata_core.errors import UsageError

ID = "9f0683ea9bdd55cec3819e81c8314815194fc4a1e4ed5d88e0f4f1eba16d0b99"

# As podman 5.8.6 wrote it.
PODMAN = f"""\
{{"ID":"{ID}","Image":"localhost/bb:1","Name":"c1","Status":"create","Time":"2026-11-22T00:24:29.225660412Z","Type":"container","Attributes":{{"x":"y"}}}}
{{"ID":"{ID}","Image":"localhost/bb:1","Name":"c1","Status":"health_status","Time":"2026-11-22T00:24:30.023347861Z","Type":"container","health_status":"unhealthy","health_failing_streak":2,"Attributes":{{"x":"y"}}}}
{{"ContainerExitCode":137,"ID":"{ID}","Image":"localhost/bb:1","Name":"c1","Status":"died","Time":"2026-11-22T00:24:31.044360362Z","Type":"container","Attributes":{{}}}}
{{"Name":"v1","Status":"create","Time":"2026-11-22T00:24:32.433642921Z","Type":"volume","Attributes":null}}
{{"ID":"0911cef8","network":"n1","Status":"create","Time":"2026-11-22T00:24:32.653788825Z","Type":"network","Attributes":{{"driver":"bridge"}}}}
{{"ID":"{ID}","Name":"c1","network":"n1","Status":"connect","Time":"2026-11-22T00:24:32.7Z","Type":"network","Attributes":null}}
{{"ID":"3572049d","Name":"bb:2","Status":"tag","Time":"2026-11-22T00:24:32.891020754Z","Type":"image","Attributes":null}}
{{"ID":"c60e1dd952df47b02b194d6dc","Status":"remove","Time":"2026-11-22T00:24:33.673692602Z","Type":"secret","Attributes":null}}
"""


class World:
    """As much of an engine as writing and reading events takes."""

    def __init__(self, path: Path, limit: int = 1_000_000) -> None:
        settings = SimpleNamespace(events_logger="file", events_logfile_max_size=limit)
        self.config = SimpleNamespace(engine=settings, paths=SimpleNamespace(events_log=str(path)))
        self.log = SimpleNamespace(warning=pytest.fail)

    def read(self, **more: Any) -> list[dict[str, Any]]:
        return list(event_log.events(self, EventsRequest(stream=False, **more)))  # type: ignore[arg-type]

    def write(self, name: str) -> None:
        events.thing(self, "volume", "create", name)  # type: ignore[arg-type]


@pytest.fixture
def world(tmp_path: Path) -> World:
    path = tmp_path / "events/events.log"
    path.parent.mkdir()
    path.write_text(PODMAN)
    return World(path)


def test_lines_for_people_are_podmans(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    shown = [line(event, full=True).rstrip("\n") for event in world.read()]
    assert shown == [
        f"2026-11-22 00:24:29.225660412 +0000 UTC container create {ID} (image=localhost/bb:1, name=c1, x=y)",
        f"2026-11-22 00:24:30.023347861 +0000 UTC container health_status {ID} (image=localhost/bb:1, name=c1, "
        "health_status=unhealthy, health_failing_streak=2, health_log=, x=y)",
        f"2026-11-22 00:24:31.044360362 +0000 UTC container died {ID} (image=localhost/bb:1, name=c1)",
        "2026-11-22 00:24:32.433642921 +0000 UTC volume create v1",
        "2026-11-22 00:24:32.653788825 +0000 UTC network create 0911cef8 (name=n1, type=bridge)",
        f"2026-11-22 00:24:32.7 +0000 UTC network connect {ID} (container={ID}, name=n1)",
        "2026-11-22 00:24:32.891020754 +0000 UTC image tag 3572049d bb:2",
        "2026-11-22 00:24:33.673692602 +0000 UTC secret remove c60e1dd952df47b02b194d6dc",
    ]
    assert line(world.read()[0], full=False).split()[6] == ID[:12]


def test_json_is_podmans(world: World) -> None:
    shown = [json.dumps(as_json(event), separators=(",", ":")) for event in world.read()]
    assert shown[1:3] == [
        f'{{"ID":"{ID}","Image":"localhost/bb:1","Name":"c1","Status":"health_status","time":1795307070,'
        '"timeNano":1795307070023347861,"Type":"container","health_status":"unhealthy","Attributes":{"x":"y"}}',
        f'{{"ContainerExitCode":137,"ID":"{ID}","Image":"localhost/bb:1","Name":"c1","Status":"died",'
        '"time":1795307071,"timeNano":1795307071044360362,"Type":"container","Attributes":{}}',
    ]
    assert shown[3].startswith('{"Name":"v1","Status":"create","time":1795307072,')


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        (("container=c1",), ["create", "health_status", "died"]),
        ((f"container={ID[:5]}", "event=die"), ["died"]),
        (("type=volume", "type=secret"), ["create", "remove"]),
        (("label=x",), ["create", "health_status"]),
        (("label=x=z",), []),
        (("image=bb:2",), ["tag"]),
        (("volume=v1",), ["create"]),
        (("status=tag", "event=connect"), ["connect", "tag"]),
    ],
)
def test_filters(world: World, filters: tuple[str, ...], wanted: list[str]) -> None:
    assert [event["Status"] for event in world.read(filter=filters)] == wanted


def test_since_and_until_are_the_first_and_the_last(world: World) -> None:
    found = world.read(since="2026-11-22T00:24:31.044360362Z", until="2026-11-22T00:24:32.653788825Z")
    assert [event["Type"] for event in found] == ["container", "volume", "network"]


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"filter": ("x=y",)}, "failed to parse event filters: x is an invalid filter"),
        ({"filter": ("xy",)}, "failed to parse event filters: xy is an invalid filter"),
        ({"since": "blah"}, "unable to convert since time of blah: unable to interpret time value"),
    ],
)
def test_what_makes_no_sense_is_refused(world: World, more: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        world.read(**more)
    assert text in caught.value.message


def test_an_absent_file_has_no_events(tmp_path: Path) -> None:
    assert World(tmp_path / "none/events.log").read() == []


def test_following_sees_every_event_once_through_rotations(tmp_path: Path) -> None:
    path = tmp_path / "events.log"
    world = World(path, limit=3000)
    for number in range(5):
        world.write(f"before{number}")
    names: list[str] = []
    ready = threading.Event()

    def follow() -> None:
        request = EventsRequest(filter=("type=volume",))
        found = event_log.events(world, request)  # type: ignore[arg-type]
        ready.set()
        for event in found:
            names.append(event["Name"])
            if event["Name"] == "last":
                return

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    ready.wait(5)
    time.sleep(0.1)
    for number in range(200):
        world.write(str(number))
        time.sleep(0.002)
    world.write("last")
    thread.join(10)
    assert names == [*map(str, range(200)), "last"]
    assert os.path.getsize(path) < 3500
    assert b"log-rotation" in path.read_bytes()


def test_until_ends_following(world: World) -> None:
    began = time.monotonic()
    found = list(event_log.events(world, EventsRequest(until="300ms")))  # type: ignore[arg-type]
    assert len(found) == 8
    assert 0.2 < time.monotonic() - began < 5


def test_writers_beside_a_rotation_lose_nothing_they_just_wrote(tmp_path: Path) -> None:
    world = World(tmp_path / "events.log", limit=20_000)

    def write(who: int) -> None:
        for number in range(300):
            world.write(f"{who}-{number}")

    threads = [threading.Thread(target=write, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [event["Name"] for event in world.read(filter=("type=volume",))]
    for who in range(4):
        mine = [int(name.split("-")[1]) for name in found if name.startswith(f"{who}-")]
        assert mine == list(range(300 - len(mine), 300))
