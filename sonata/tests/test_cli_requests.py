"""From a command line to a request: pure, one row each."""

import pytest

from sonata.cli import root
from sonata.cli.containers import attach, create, kill, logs, port, ps, restart, rm, start, stop, wait
from sonata.cli.containers import exec as exec_
from sonata.cli.networks import create as network_create
from sonata.cli.pflag import quote
from sonata.cli.volumes import create as volume_create
from sonata.model.container_request import Selection
from sonata.model.listing import ListedContainer
from sonata.model.request import RunRequest
from sonata_core.errors import UsageError
from sonata_core.models.net import PortMapping
from sonata_core.record import defaults_of, fields_of


def parsed(*words):
    return root.understand(list(words)).parsed


def run_request(*words):
    return create.to_request(parsed("run", *words), ("run", *words), {"HOME": "/root"}, "/here")


def test_a_bare_run_leaves_every_decision_to_the_plan():
    request = run_request("image")
    defaults = defaults_of(RunRequest)
    given = {"image", "caller_env", "caller_dir", "create_command"}
    assert {name for name in fields_of(RunRequest) if getattr(request, name) != defaults.get(name)} == given
    assert request.command is None
    assert request.create_command == ("sonata", "run", "image")
    assert request.caller_dir == "/here"


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        (["-d", "i"], "detach", True),
        (["--rm=false", "i"], "rm", False),
        (["-it", "i"], "interactive", True),
        (["-e", "A=1,2", "-e", "B", "i"], "env", ("A=1,2", "B")),
        (["-p", "80:80,81:81", "-p=82", "i"], "publish", ("80:80", "81:81", "82")),
        (["--net", "host", "i"], "network", ("host",)),
        (["--entrypoint=", "i"], "entrypoint", ""),
        (["--replace", "i"], "replace_existing", True),
        (["--cpus", "1.5", "i"], "cpus", 1.5),
        (["--pids-limit=-1", "i"], "pids_limit", -1),
        (["--override-arch", "arm64", "i"], "arch", "arm64"),
        (["--dns-opt", "a,b", "i"], "dns_option", ("a", "b")),
        (["--tls-verify=false", "i"], "tls_verify", False),
        (["--stop-timeout", "0", "i"], "stop_timeout", 0),
        (["--read-only-tmpfs=false", "i"], "read_only_tmpfs", False),
        (["--privileged", "i"], "privileged", True),
        (["i", "sh", "-c", "--x"], "command", ("sh", "-c", "--x")),
        (["i", "--", "x"], "command", ("--", "x")),
        (["--", "i", "x"], "command", ("x",)),
    ],
)
def test_run(words, field, value):
    assert getattr(run_request(*words), field) == value


def test_every_option_of_run_that_is_not_refused_has_a_field():
    fields = set(fields_of(RunRequest))
    without = set()
    for row in root.options_of("run"):
        extra = row[6] if len(row) > 6 else {}
        if (
            not (extra.get("later") or "refused" in extra)
            and create.fill.__globals__["RENAMED"].get(row[0], row[0].replace("-", "_")) not in fields
        ):
            without.add(row[0])
    # The first is Docker's, and Podman does nothing with it either; the second asks for an answer, not a container.
    assert without == {"disable-content-trust", "explain"}


def test_selections():
    assert stop.to_request(parsed("stop", "-t", "3", "a", "b")).select == Selection(names=("a", "b"))
    assert stop.to_request(parsed("stop", "--timeout=3", "a")).time == 3
    assert stop.to_request(parsed("stop", "-a")).select.all
    assert kill.to_request(parsed("kill", "-s", "HUP", "a")).signal == "HUP"
    assert kill.to_request(parsed("kill", "a")).signal == "KILL"
    assert rm.to_request(parsed("rm", "--cidfile", "x", "--cidfile", "y")).select.cidfile == ("x", "y")
    assert rm.to_request(parsed("rm", "-f", "a")).ignore
    assert not rm.to_request(parsed("rm", "a")).ignore
    assert restart.to_request(parsed("restart", "--running", "-l")).running
    assert wait.to_request(parsed("wait", "--condition=running,exited", "a")).condition == ("running", "exited")
    assert logs.to_request(parsed("logs", "--tail", "5", "-f", "a")).tail == 5
    assert start.to_request(parsed("start", "--filter", "name=x")).select.filter == ("name=x",)
    assert attach.to_request(parsed("attach", "-l")).latest


def test_start_refuses_a_proxy_without_streams():
    with pytest.raises(UsageError):
        start.to_request(parsed("start", "--sig-proxy", "a"))


def test_exec(tmp_path):
    request = exec_.to_request(parsed("exec", "-it", "-w", "/x", "c", "sh", "-c", "y"), {})
    assert (request.name, request.command, request.tty, request.workdir) == ("c", ("sh", "-c", "y"), True, "/x")
    (tmp_path / "cid").write_text("abc\n")
    request = exec_.to_request(parsed("exec", "--cidfile", str(tmp_path / "cid"), "true"), {})
    assert (request.name, request.command) == ("abc", ("true",))
    with pytest.raises(UsageError, match="non-empty command"):
        exec_.to_request(parsed("exec", "c"), {})


def test_networks_and_volumes():
    request = network_create.to_request(
        parsed("network", "create", "--subnet", "10.0.0.0/24", "--gateway", "10.0.0.1", "-o", "a=b", "n")
    )
    assert (request.name, request.subnet, request.gateway, request.opt) == (
        "n", ("10.0.0.0/24",), ("10.0.0.1",), ("a=b",)
    )  # fmt: skip
    assert volume_create.to_request(parsed("volume", "create", "--label", "a=b")).label == ("a=b",)
    assert volume_create.to_request(parsed("volume", "create")).name == ""


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["ps", "-l", "-n", "3"], "last and latest are mutually exclusive"),
        (["ps", "-q", "--ns"], "quiet conflicts with size and namespace"),
        (["ps", "-s", "--ns"], "size and namespace options conflict"),
    ],
)
def test_ps_options_that_exclude_each_other(words, text):
    with pytest.raises(UsageError, match=text):
        ps.to_request(parsed(*words))


def test_ps_asks_for_what_its_format_shows():
    assert ps.to_request(parsed("ps", "--format", "{{.Size}}")).size
    assert not ps.to_request(parsed("ps")).size


def listed(**changes):
    base = ListedContainer(
        id="a" * 64, name="n", image="i", image_id="b" * 64, command=("sh", "-c", "a long command line"),
        created=1_000_000_000, state="running", exit_code=0, exited=False, exited_at=0, started_at=95, pid=1, restarts=0,  # noqa: E501
        labels={}, mounts=(), networks=(), ports=(), exposed=(), auto_remove=False, cidfile="",
    )  # fmt: skip
    return base.replace(**changes)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "Up 5 seconds"),
        ({"health": "healthy"}, "Up 5 seconds (healthy)"),
        ({"state": "exited", "exit_code": 3, "exited_at": 40}, "Exited (3) About a minute ago"),
        ({"state": "created"}, "Created"),
        ({"state": "paused"}, "Paused"),
        ({"started_at": 200}, "Up Less than a second"),
    ],
)
def test_status(changes, text):
    assert ps.status_text(listed(**changes), 100.0) == text


def test_ports():
    one = listed(
        ports=(
            PortMapping(host_ip="", host_port=8080, container_port=80),
            PortMapping(host_ip="127.0.0.1", host_port=9000, container_port=90, range=3, protocol="udp"),
            PortMapping(host_ip="::1", host_port=1, container_port=1),
        ),
        exposed=("80/tcp", "443/tcp", "7000/udp", "7001/udp"),
    )
    assert ps.ports_text(one) == (
        "0.0.0.0:8080->80/tcp, 127.0.0.1:9000-9002->90-92/udp, [::1]:1->1/tcp, 443/tcp, 7000-7001/udp"
    )
    assert [pair[2] for pair in port.pairs(one.ports)][:2] == ["0.0.0.0:8080", "127.0.0.1:9000"]


def test_commands_are_cut():
    assert ps.command_text(("sh", "-c", "a long command line"), full=False) == "sh -c a long comm..."
    assert ps.command_text(("sleep", "100"), full=False) == "sleep 100"


@pytest.mark.parametrize("text", ["x", "0", "65536", ""])
def test_ports_that_are_none(text):
    with pytest.raises(UsageError):
        port.wanted(text)


def test_wait_intervals():
    assert wait.seconds("250") == 0.25
    assert wait.seconds("1m") == 60
    with pytest.raises(UsageError, match=quote("x")):
        wait.seconds("x")


def test_global_options_before_and_after_the_command():
    made = root.understand(["--root", "/a", "ps", "--log-level=debug", "-a"])
    assert made.globals.values == {"root": "/a", "log-level": "debug"}
    assert made.parsed.values == {"all": True}
    made = root.understand(["--runtime-flag", "a", "rm", "--runtime-flag=b", "x"])
    assert made.globals.values == {"runtime-flag": ["a", "b"]}
    assert root.understand(["run", "image", "--root", "/x"]).globals.values == {}
    assert root.understand(["--noout", "ps"]).globals.values == {"noout": True}


def test_call_repeats_what_the_exit_command_needs():
    from sonata.cli.call import repeated

    made = root.understand(
        ["--root=/a", "--storage-opt", "x", "--storage-opt=y", "--trace", "/t", "--log-level=debug", "ps"]
    )
    assert repeated(made.globals.values) == ("--root=/a", "--storage-opt=x", "--storage-opt=y")
