"""Compare Sonata's speed with a Podman's in one run, the two by turns; medians, and their ratio.

Wheels are built and installed plainly first. Both programs get fresh stores below one folder. With --write the
table goes into docs/benchmarks.md, under the peer's version.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import daily
import images
import pods
import report
import rootless
import rows
import shipping
from measure import Program

HERE = Path(__file__).resolve().parent

PARTS: dict[str, Callable[[rows.World], Iterator[rows.Row]]] = {
    "run": rows.running,
    "living": rows.living,
    "at-once": rows.at_once,
    "listing": rows.listing,
    "moving": rows.moving,
    "shipping": shipping.shipping,
    **{f"shipping-{shape.name}": partial(shipping.shipping, only=shape.name) for shape in shipping.SHAPES.values()},
    "ending": daily.ending,
    "filters": daily.filters,
    "logs": daily.logs,
    "copying": daily.copying,
    "copying-many": daily.copying_many,
    "committing": daily.committing,
    "fifty": daily.fifty,
    "pods": pods.pods,
    "hundred": pods.hundred,
    "ports": lambda world: rootless.published(world, ("bridge",)),
}

OF_A_USER: dict[str, Callable[[rows.World], Iterator[rows.Row]]] = {
    "rootless": rootless.running,
    "rootless-ports": lambda world: rootless.published(world, ("pasta", "bridge"), "ordinary user: "),
}
"""Parts that an ordinary user runs; they take the option --user."""


def main() -> int:
    """Measure and print. Returns 1 where a row misses its aim."""
    asked = _arguments()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=asked.work, ignore_cleanup_errors=True) as name:
        work = Path(name)
        sonata = asked.sonata or _install(work / "installation")
        world = _world(asked, work, sonata)
        registry = None
        try:
            for one in world.programs:
                (work / "small.tar").write_bytes(images.small())
                one.do("load", "-q", "-i", str(work / "small.tar"))
            if any(part.startswith(("moving", "shipping")) for part in asked.rows):
                registry = _registry(work, world.registry)
            if "moving" in asked.rows:
                world.layers.extend(images.layers(work))
            return _measure(asked, world)
        finally:
            if registry is not None:
                registry.kill()
                registry.wait()
            _clear(world, work)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, prog="./bench")
    parser.add_argument("--peer", default=shutil.which("podman") or "podman", help="the Podman to compare with")
    parser.add_argument(
        "--peer-run", default="", help="options that its `run` needs, such as --ulimit nofile=1000:1000"
    )
    parser.add_argument("--copier", default=shutil.which("skopeo") or "skopeo", help="the Skopeo to compare with")
    parser.add_argument("--sonata", default="", help="an installed sonata, in place of wheels built now")
    parser.add_argument("--user", default="", help="an ordinary user with subordinate ids, for the parts `rootless…`")
    parser.add_argument("--peer-user", default="", help="how the peer is started as that user, if not as --peer is")
    parser.add_argument("--times", type=int, default=10, help="runs that count, of each row and program")
    parser.add_argument("--objects", default="1,100,500", help="numbers of objects for the rows of lists")
    parser.add_argument(
        "--rows",
        default=",".join([*(part for part in PARTS if not part.startswith("shipping-")), "version"]),
        help="parts to measure, with commas between",
    )
    parser.add_argument("--work", default=None, help="folder for stores and installation")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    asked = parser.parse_args()
    asked.rows = asked.rows.split(",")
    unknown = set(asked.rows) - {*PARTS, *OF_A_USER, "version"}
    if unknown or (not asked.user and set(asked.rows) & set(OF_A_USER)):
        parser.error(f"no such part: {', '.join(sorted(unknown))}" if unknown else "these parts need --user")
    return asked


def _install(folder: Path) -> str:
    subprocess.run([sys.executable, "-B", str(HERE.parent / "install.py"), str(folder)], check=True, stdout=2)
    return str(folder / "bin/sonata")


def _world(asked: argparse.Namespace, work: Path, sonata: str) -> rows.World:
    programs, stores = [], []
    for name, path, more in (("sonata", sonata, ""), ("peer", asked.peer, asked.peer_run)):
        home = work / name
        words = ("--root", str(home / "root"), "--runroot", str(home / "run"), "--storage-driver", "overlay")
        programs.append(Program(name, (path, *words), tuple(shlex.split(more))))
        stores.append(str(home / "root"))
    objects = tuple(int(one) for one in asked.objects.split(","))
    return rows.World(
        programs, stores, work, asked.times, objects, f"127.0.0.1:{_free_port()}", [], tuple(shlex.split(asked.copier))
    )


def _measure(asked: argparse.Namespace, world: rows.World) -> int:
    found: list[rows.Row] = []
    print(report.HEAD)
    for row in _rows(asked, world):
        found.append(row)
        print(report.line(row), flush=True)
        if not report.met(row) and row.trace:
            print(report.phases(_trace(world, row)), file=sys.stderr)
    times = None
    if "version" in asked.rows:
        times = rows.version(world)
        print(report.version_line(*times))
    if asked.write:
        report.write(world, found, times)
    return 0 if all(report.met(row) for row in found) else 1


def _rows(asked: argparse.Namespace, world: rows.World) -> Iterator[rows.Row]:
    for part in asked.rows:
        if part in PARTS:
            yield from PARTS[part](world)
        elif part in OF_A_USER:
            own = rootless.as_user(world, asked.user, asked.peer_user)
            try:
                yield from OF_A_USER[part](own)
            finally:
                rootless.clear(own)


def _trace(world: rows.World, row: rows.Row) -> list[dict[str, object]]:
    ours = world.programs[0]
    path = world.work / "trace.json"
    if row.trace[0] == "exec":
        ours.do("run", "-d", "--network", "none", "--replace", "--name", "living", rows.SMALL, "sleep", "100000")
    subprocess.run([*ours.prefix, "--trace", str(path), *row.trace], check=False, capture_output=True)
    if row.trace[0] == "exec":
        ours.do("rm", "-f", "-t", "0", "living")
    events: list[dict[str, object]] = json.loads(path.read_text())["traceEvents"]
    return events


def _registry(work: Path, address: str) -> subprocess.Popen[bytes]:
    config = work / "registry.yml"
    port = address.rpartition(":")[2]
    config.write_text(
        "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
        f"storage: {{filesystem: {{rootdirectory: {work}/registry}}}}\nhttp: {{addr: 127.0.0.1:{port}}}\n"
    )
    environ = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
    command = ["docker-registry", "serve", str(config)]
    serving = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(200):
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", int(port))) == 0:
                return serving
        time.sleep(0.05)
    raise RuntimeError("the registry does not answer")


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def _clear(world: rows.World, work: Path) -> None:
    for one in world.programs:
        for home in (work / one.name, work / f"{one.name}-vfs"):
            if home.exists():
                words = ["--root", str(home / "root"), "--runroot", str(home / "run")]
                subprocess.run([one.prefix[0], *words, "rm", "-a", "-f", "-t", "0"], check=False, capture_output=True)
                subprocess.run(["umount", "-l", f"{home}/root/overlay"], check=False, capture_output=True)
                shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(main())
