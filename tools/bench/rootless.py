"""Rows of an ordinary user, and of published ports, his and root's."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import flow
import images
import measure
from measure import Program, Taken
from rows import SMALL, Row, World

NETWORK = "ports"
PYTHON = "localhost/python:1"
SIZE = 1 << 30
TRIPS = 3000
CONNECTIONS = 300
NO_WORSE = 1.1
"""Ratio of two that are equally fast: bytes on loopback take one time and then another."""


def become(name: str) -> tuple[str, ...]:
    """The words that run a program as an ordinary user who has logged in. Makes his run folder."""
    user = pwd.getpwnam(name)
    run = f"/run/user/{user.pw_uid}"
    if not os.path.isdir(run):
        os.makedirs(run, mode=0o700)
        os.chown(run, user.pw_uid, user.pw_gid)
    known = {
        "HOME": user.pw_dir,
        "USER": name,
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "XDG_RUNTIME_DIR": run,
    }
    identity = ("--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--init-groups")
    words = (f"{key}={value}" for key, value in known.items())
    return ("setpriv", *identity, "env", "-i", "-C", user.pw_dir, *words)


def as_user(world: World, user: str, peer: str) -> World:
    """The same two programs, run by an ordinary user with stores of his own.

    `peer` is how the other one is started as that user, where it takes more than becoming him.
    """
    known = pwd.getpwnam(user)
    top = world.work / "user"
    top.mkdir(exist_ok=True)
    world.work.chmod(0o711)
    os.chown(top, known.pw_uid, known.pw_gid)
    programs, stores = [], []
    for one in world.programs:
        started = shlex.split(peer) if peer and one is not world.programs[0] else [*become(user), one.prefix[0]]
        home = top / one.name
        words = ("--root", f"{home}/root", "--runroot", f"{home}/run", "--storage-driver", "overlay")
        programs.append(Program(one.name, (*started, *words), one.run))
        stores.append(f"{home}/root")
    return world._replace(programs=programs, stores=stores)


def clear(world: World) -> None:
    """Take away what the user's programs made."""
    for one in world.programs:
        subprocess.run(one("rm", "-a", "-f", "-t", "0"), check=False, capture_output=True, stdin=subprocess.DEVNULL)
    shutil.rmtree(world.work / "user", ignore_errors=True)


def load(world: World, archive: bytes) -> None:
    """Have an image in both stores."""
    path = world.work / "loaded.tar"
    path.write_bytes(archive)
    path.chmod(0o644)
    for one in world.programs:
        one.do("load", "-q", "-i", str(path))


def running(world: World) -> Iterator[Row]:
    """`run --rm IMAGE true` of an ordinary user."""
    load(world, images.small())
    for network in ("none", "pasta", "bridge"):
        words = ("run", "--rm", "--network", network, SMALL, "true")
        lacking = _lacking(world, words)
        if lacking:
            print(f"skipped: {network} of an ordinary user: {lacking}", file=sys.stderr)
            continue
        acts = [_command(one, (words[0], *one.run, *words[1:])) for one in world.programs]
        yield Row(f"ordinary user: `run --rm --network {network} IMAGE true`", 1.0, measure.by_turns(acts, world.times))


def _lacking(world: World, words: tuple[str, ...]) -> str:
    for one in world.programs:
        try:
            one.do(words[0], *one.run, *words[1:])
        except RuntimeError as error:
            return str(error).rpartition("Error: ")[2]
    return ""


def _command(program: Program, words: tuple[str, ...]) -> measure.Act:
    return lambda: measure.once(program(*words))


def published(world: World, networks: tuple[str, ...], whose: str = "") -> Iterator[Row]:
    """Bytes, round trips and connections through a published port of each network."""
    load(world, images.interpreter())
    for network in networks:
        addresses = _serve(world, network)
        if addresses:
            yield from _through(world, addresses, f"{whose}port of {network}")
        for one in world.programs:
            one.do("rm", "-f", "-t", "0", "-i", "serving")
            one.do("network", "rm", "-f", NETWORK)


def _serve(world: World, network: str) -> list[tuple[str, int]]:
    addresses = []
    for number, one in enumerate(world.programs):
        addresses.append(("127.0.0.1", _free_port()))
        try:
            _serve_one(one, number, network, addresses[-1])
            flow.ready(addresses[-1])
        except (RuntimeError, TimeoutError) as error:
            print(f"skipped: published port of {network}: {str(error).rpartition('Error: ')[2]}", file=sys.stderr)
            return []
    return addresses


def _serve_one(program: Program, number: int, network: str, address: tuple[str, int]) -> None:
    if network == "bridge":
        # Each its own: the programs know nothing of each other's bridges and subnets.
        own = ("--subnet", f"10.231.{number}.0/24", "--interface-name", f"ports{number}")
        program.do("network", "create", *own, NETWORK)
        network = NETWORK
    words = ("-d", "--name", "serving", "--network", network, "-p", f"{address[0]}:{address[1]}:{flow.PORT}")
    serve = (os.path.realpath(sys.executable), "-I", "-S", "/flow.py", str(flow.PORT))
    program.do("run", *program.run, *words, PYTHON, *serve)


def _through(world: World, addresses: list[tuple[str, int]], name: str) -> Iterator[Row]:
    kinds: tuple[tuple[str, Callable[[tuple[str, int], int], None], int], ...] = (
        ("1 GB into a container", flow.upload, SIZE),
        ("1 GB out of a container", flow.download, SIZE),
        (f"{TRIPS} round trips", flow.round_trips, TRIPS),
        (f"{CONNECTIONS} connections", flow.connects, CONNECTIONS),
    )
    for what, act, amount in kinds:
        acts = [_timed(act, address, amount) for address in addresses]
        yield Row(f"{name}: {what}", NO_WORSE, measure.by_turns(acts, max(world.times // 2, 3)))


def _timed(act: Callable[[tuple[str, int], int], None], address: tuple[str, int], amount: int) -> measure.Act:
    def once() -> Taken:
        began = time.perf_counter()
        act(address, amount)
        return Taken(time.perf_counter() - began, 0)

    return once


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])
