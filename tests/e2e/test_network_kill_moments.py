"""`kill -9` of commands in the midst of work on networks: the next command works, and nothing is left of it."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator

import pytest
from ordinary import OrdinaryHost, user_needs
from private_host import PrivateHost, difference
from test_kill_moments import moments

from sonata_testkit.containers import eventually

pytestmark = [*user_needs(), pytest.mark.slow]
ON = ["--name", "victim", "--network", "net", "-p", "18080:80"]
RUN = ["run", "-d", *ON, "IMAGE", "sleep", "1000"]
RM = ["rm", "-f", "-t", "0", "victim"]
MORE = ["network", "create", "more"]
CONNECT, DISCONNECT = (["network", verb, "more", "victim"] for verb in ("connect", "disconnect"))
CREATE = ["network", "create", "--subnet", "10.197.61.0/24", "fresh"]
COMMANDS: dict[str, tuple[list[list[str]], list[str]]] = {
    "run": ([], RUN),
    "run in front": ([], ["run", "--rm", *ON, "IMAGE", "true"]),
    "rm": ([RUN], RM),
    "stop": ([RUN], ["stop", "-t", "0", "victim"]),
    "restart": ([RUN], ["restart", "-t", "0", "victim"]),
    "connect": ([MORE, RUN], CONNECT),
    "disconnect": ([MORE, RUN, CONNECT], DISCONNECT),
    "reload": ([RUN], ["network", "reload", "victim"]),
    "update": ([RUN], ["network", "update", "--dns-add", "192.0.2.53", "net"]),
    "create": ([], CREATE),
    "remove": ([CREATE], ["network", "rm", "fresh"]),
    "prune": ([CREATE, RUN], ["network", "prune", "-f"]),
    "reconcile": ([RUN], ["network", "reconcile"]),
}
"""What comes before, and the command that is killed."""
ROWS = """
import sqlite3, sys
state = sqlite3.connect(sys.argv[1])
for table in ("container", "container_state", "name", "lease", "port", "intent", "pod"):
    print(table, *state.execute(f"SELECT * FROM {table}"), sep="\\n")
"""
AWAY = [RM, ["network", "rm", "-f", "more"], ["network", "rm", "-f", "fresh"]]
AWAY += [["network", "update", "--dns-drop", "192.0.2.53", "net"]]


@pytest.fixture(scope="module", params=[PrivateHost, OrdinaryHost], ids=["root", "user"])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateHost]:
    with request.param(str(tmp_path_factory.mktemp("netkill"))) as made:
        made.ok("pull", "-q", "--tls-verify=false", made.image)
        made.ok("network", "create", "net")
        made.ok("run", "--rm", "--network", "net", made.image, "true")
        yield made


def world(host: PrivateHost) -> dict[str, list[str]]:
    """All that may be left behind; an ordinary user's keeper of namespaces stays, as it does after every command."""
    if not isinstance(host, OrdinaryHost):
        return host.world()
    kept = host.runtime("libpod/tmp/pause.pid").read_text().strip()
    assert eventually(lambda: [str(pid) for pid in host.proc()] == [kept]), (kept, host.proc())
    found = {
        "shared": host.listed(f"/run/user/{host.uid}/containers/networks"),
        "locks": host.listed(f"{host.run_root}/sonata/locks"),
        "layers": [name for name in host.listed(f"{host.graph}/overlay") if len(name) == 64],
        "folders": [name for name in host.listed(f"{host.graph}/overlay-containers") if len(name) == 64],
    }
    state = f"{host.graph}/sonata/state.db"
    found["rows"] = host.as_root(sys.executable, "-I", "-c", ROWS, state).out.splitlines()
    assert "lease" in found["rows"]
    return found


@pytest.mark.parametrize("name", list(COMMANDS))
def test_killed(host: PrivateHost, name: str) -> None:
    prepare, line = COMMANDS[name]

    def words_of(words: list[str]) -> list[str]:
        group = ["--cgroup-parent", host.group] if words[0] == "run" and not isinstance(host, OrdinaryHost) else []
        return [words[0], *group, *(host.image if word == "IMAGE" else word for word in words[1:])]

    def ready() -> None:
        for words in prepare:
            host.ok(*words_of(words))

    def away() -> None:
        for words in AWAY:
            host(*words)

    taken = []
    for _ in range(3):
        ready()
        began = time.monotonic()
        host.ok(*words_of(line))
        taken.append(time.monotonic() - began)
        away()
    before = world(host)
    for moment in moments():
        ready()
        host.killed_after(statistics.median(taken) * moment, *words_of(line))
        mended = host("network", "reconcile")
        assert mended.code == 0, (moment, mended)
        assert host("network", "reconcile", "--check").code == 0, moment
        host.ok("run", "--rm", "--network", "net", host.image, "true")
        if "victim" in host.ok("ps", "--format", "{{.Names}}").split():
            assert host.ok("exec", "victim", "echo", "runs") == "runs", moment
        away()
        assert host.ok("ps", "-aq") == "", moment
        assert host.ok("network", "ls", "-q").split() == ["net", "podman"], moment
        ready()
        host.ok(*words_of(line))  # name, address and port are free
        away()
        host("system", "check", "--repair")
        assert difference(before, world(host)) == {}, moment
