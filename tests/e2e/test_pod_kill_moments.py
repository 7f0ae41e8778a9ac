"""`kill -9` of commands of pods: what the next ones find is told truly and goes away, and nothing is left of it."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Iterator

import pytest
from ordinary import OrdinaryHost, user_needs
from private_host import PrivateHost, difference
from test_kill_moments import moments
from test_luck_pods import MEMBER
from test_network_kill_moments import world

from sonata_testkit.containers import eventually

pytestmark = [
    *user_needs(),
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("catatonit"), reason="needs catatonit"),
]
POD = ["pod", "create", "--name", "pod", "--network", "net", "-p", "18080:80"]
INIT = ["create", "--pod", "pod", "--name", "first", "--init-ctr", "always", "IMAGE", "true"]
START = ["pod", "start", "pod"]
RUNS = [POD, MEMBER]
COMMANDS: dict[str, tuple[list[list[str]], list[str]]] = {
    "create": ([], POD),
    "run in a new one": ([], ["run", "-d", "--pod=new:pod", "-p", "18080:80", "--network", "net", *MEMBER[4:]]),
    "run": ([POD], MEMBER),
    "start": ([POD, INIT, ["create", *MEMBER[2:]]], START),
    "stop": (RUNS, ["pod", "stop", "-t0", "pod"]),
    "kill": (RUNS, ["pod", "kill", "pod"]),
    "restart": (RUNS, ["pod", "restart", "pod"]),
    "pause": (RUNS, ["pod", "pause", "pod"]),
    "unpause": ([*RUNS, ["pod", "pause", "pod"]], ["pod", "unpause", "pod"]),
    "clone": ([POD, ["create", *MEMBER[2:]]], ["pod", "clone", "--name", "copy", "--start", "pod"]),
    "rm": (RUNS, ["pod", "rm", "-f", "-t0", "pod"]),
    "prune": ([*RUNS, ["pod", "stop", "-t0", "pod"]], ["pod", "prune", "-f"]),
}
"""What comes before, and the command that is killed."""
STATES = {"Created", "Running", "Stopped", "Exited", "Paused", "Degraded"}


@pytest.fixture(scope="module", params=[PrivateHost, OrdinaryHost], ids=["root", "user"])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateHost]:
    with request.param(str(tmp_path_factory.mktemp("podkill"))) as made:
        made.ok("pull", "-q", "--tls-verify=false", made.image)
        made.ok("network", "create", "net")
        made.ok("run", "--rm", "--network", "net", made.image, "true")
        for words in (*RUNS, COMMANDS["rm"][1]):  # what a first pod sets up for good
            made.ok(*words_of(made, words))
        yield made


def words_of(host: PrivateHost, words: list[str]) -> list[str]:
    group = [] if isinstance(host, OrdinaryHost) else ["--cgroup-parent", host.group]
    said = [host.image if word == "IMAGE" else word for word in words]
    if said[:2] == ["pod", "create"]:
        return [*said[:2], *group, *said[2:]]
    return [said[0], *group, *said[1:]] if "--pod=new:pod" in said else said


def away(host: PrivateHost) -> None:
    host("pod", "rm", "-f", "-a", "-t", "0")
    host("rm", "-f", "-a", "-v", "-t", "0")


def has_effect(host: PrivateHost, name: str) -> bool:
    """Whether what the command says it did is done; asked when it came to its end."""
    state = host("pod", "ps", "--filter", "name=^pod$", "--format", "{{.Status}}").out
    wanted = {"stop": "Exited", "kill": "Exited", "pause": "Paused", "rm": "", "prune": "", "create": "Created"}
    return state == wanted.get(name, state)


def told_truly(host: PrivateHost, moment: float) -> None:
    """Every state is one that there is, and a member that is told to run can be used."""
    for state in host.ok("pod", "ps", "--format", "{{.Status}}").splitlines():
        assert state in STATES, (moment, state)
    for line in host.ok("ps", "-a", "--format", "{{.Names}} {{.State}}").splitlines():
        name, _, state = line.partition(" ")
        again = host.ok("inspect", "--format", "{{.State.Status}}", name)
        # What has ended comes to rest beside us, by its monitor's hand.
        assert again == state or (state, again) == ("stopped", "exited"), moment
        if name == "member" and state == "running":
            assert host.ok("exec", "member", "echo", "runs") == "runs", moment


@pytest.mark.parametrize("name", list(COMMANDS))
def test_a_pod_command_that_is_killed(host: PrivateHost, name: str) -> None:
    if "pause" in name and isinstance(host, OrdinaryHost):
        pytest.skip("an ordinary user's containers are not paused on version 1 of control groups")
    prepare, line = COMMANDS[name]
    words = words_of(host, line)

    def ready() -> None:
        for each in prepare:
            host.ok(*words_of(host, each))

    taken = []
    for _ in range(3):
        ready()
        began = time.monotonic()
        host.ok(*words)
        taken.append(time.monotonic() - began)
        away(host)
    before = world(host)
    for moment in moments():
        ready()
        killed = host.killed_after(statistics.median(taken) * moment, *words)
        assert killed.code != 0 or has_effect(host, name), (moment, killed)
        told_truly(host, moment)
        mended = host("network", "reconcile")
        assert mended.code == 0, (moment, mended)
        assert host("network", "reconcile", "--check").code == 0, moment
        away(host)
        assert host.ok("pod", "ps", "-q") == host.ok("ps", "-aq") == "", moment
        ready()
        host.ok(*words)  # name, address, port and group are free again
        assert has_effect(host, name), moment
        away(host)
        host("system", "check", "--repair")
        assert host("system", "check").code == 0 or isinstance(host, OrdinaryHost), moment
        assert difference(before, world(host)) == {}, moment


@pytest.mark.parametrize("verb", ["restart", "start"])
def test_an_infra_container_that_is_killed(host: PrivateHost, verb: str) -> None:
    """Members run on and are told truly; the pod can be brought up whole, or taken away."""
    before = world(host)
    for words in RUNS:
        host.ok(*words_of(host, words))
    infra = host.ok("pod", "inspect", "--format", "{{.InfraContainerID}}", "pod")
    number = host.ok("inspect", "--format", "{{.State.Pid}}", infra)
    host.program(host.inside("nsenter", "-t", "1", "-p", "kill", "-9", number))
    assert eventually(lambda: host.ok("inspect", "--format", "{{.State.Status}}", infra) == "exited")
    told_truly(host, 0)
    assert host.ok("pod", "ps", "--format", "{{.Status}}") == "Degraded"
    host.ok("pod", verb, "pod")
    assert host.ok("pod", "ps", "--format", "{{.Status}}") == "Running"
    assert host.ok("exec", "member", "echo", "runs") == "runs"
    assert host("network", "reconcile", "--check").code == 0
    away(host)
    assert difference(before, world(host)) == {}
