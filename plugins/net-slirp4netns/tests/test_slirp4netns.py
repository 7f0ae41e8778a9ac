"""The slirp4netns backend: its options, and the real program in real namespaces."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sonata_core.context import PluginContext
from sonata_core.errors import CommandFailed, HostLacks, NotFound, Unsupported, UsageError
from sonata_core.models.host import HostFacts
from sonata_core.models.ids import ContainerId
from sonata_core.models.net import AttachRequest, NetnsRef, PortMapping
from sonata_core.models.process import Command, CommandResult
from sonata_core.sdk import helper_process
from sonata_net_slirp4netns.options import Options, arguments, parse
from sonata_net_slirp4netns.plugin import Slirp4netnsNet

ALL = frozenset({"--enable-sandbox", "--enable-seccomp", "--enable-ipv6", "--cidr", "--outbound-addr"})
real = [
    pytest.mark.needs_root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not shutil.which("slirp4netns"), reason="needs slirp4netns"),
    pytest.mark.skipif(not os.path.exists("/dev/net/tun"), reason="needs /dev/net/tun"),
]
FACTS = HostFacts(uid=0, gid=0, rootless=False, kernel="6", machine="x86_64", boot_id="b", cgroup_version=1)


class Log:
    def debug(self, event: str, **fields: object) -> None: ...
    def info(self, event: str, **fields: object) -> None: ...
    def warning(self, event: str, **fields: object) -> None: ...
    def error(self, event: str, **fields: object) -> None: ...


class Counter:
    def __init__(self) -> None:
        self.commands: list[Command] = []

    def run(self, command: Command) -> CommandResult:
        self.commands.append(command)
        done = subprocess.run(command.argv, capture_output=True, check=False, timeout=20)
        return CommandResult(code=done.returncode, stdout=done.stdout, stderr=done.stderr)


def context(tmp_path: Path, counter: Counter, **config: object) -> PluginContext:
    return PluginContext(
        name="slirp4netns",
        root=str(tmp_path / "root"),
        run=str(tmp_path / ("run" + "-long" * 20)),
        cache=str(tmp_path / "cache"),
        config=config,
        facts=FACTS,
        run_command=counter.run,
        find_program=shutil.which,
        log=Log(),
    )


class Box:
    def __init__(self, tmp_path: Path) -> None:
        self.counter = Counter()
        self.context = context(tmp_path, self.counter)
        self.backend = Slirp4netnsNet(self.context)
        self.name = f"sonata-slirp-{os.getpid()}"
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        self.netns = NetnsRef(path=f"/run/netns/{self.name}")
        self.servers: list[subprocess.Popen[bytes]] = []

    def request(self, *ports: PortMapping, lifetime_fd: int = -1, **options: str) -> AttachRequest:
        return AttachRequest(
            container=ContainerId("e" * 64), name="box", ports=ports, options=options, lifetime_fd=lifetime_fd
        )

    def run(self, *argv: str) -> str:
        return subprocess.run(
            ["ip", "netns", "exec", self.name, *argv], check=True, capture_output=True, text=True, timeout=20
        ).stdout

    def links(self) -> list[str]:
        return [line.split(":")[1].strip() for line in self.run("ip", "-o", "link").splitlines()]

    def serve(self, port: int) -> None:
        script = (
            "import socket,sys\ns=socket.socket();s.setsockopt(1,2,1);s.bind(('',int(sys.argv[1])));s.listen()\n"
            "print('up',flush=True)\nwhile True:\n c,a=s.accept();c.sendall(a[0].encode());c.close()"
        )
        server = subprocess.Popen(
            ["ip", "netns", "exec", self.name, sys.executable, "-c", script, str(port)], stdout=subprocess.PIPE
        )
        assert server.stdout is not None
        assert server.stdout.readline() == b"up\n"
        self.servers.append(server)

    def close(self) -> None:
        self.backend.net_detach(netns=self.netns, request=self.request(), attached=None)
        for server in self.servers:
            server.kill()
            server.communicate()
        subprocess.run(["ip", "netns", "del", self.name], check=True)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path)
    yield made
    made.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def reach(port: int) -> str:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=3) as connection:
            return connection.recv(100).decode()
    except OSError as error:
        return type(error).__name__


def test_arguments_are_podmans() -> None:
    argv = arguments(Options(), ALL, lifetime=True, socket="/s", netns="/n")
    assert " ".join(argv) == (
        "--disable-host-loopback --mtu=65520 --enable-sandbox --enable-seccomp --enable-ipv6 -c -e 3 -r 4 "
        "--api-socket /s --netns-type=path /n tap0"
    )
    bare = arguments(
        Options(allow_host_loopback=True, enable_ipv6=False), frozenset(), lifetime=False, socket="", netns="/n"
    )
    assert bare == ["--mtu=65520", "-c", "-r", "4", "--netns-type=path", "/n", "tap0"]
    chosen = Options(cidr="192.168.4.0/24", outbound_addr="eth0")
    argv = arguments(chosen, ALL, lifetime=False, socket="", netns="/n")
    assert "--cidr=192.168.4.0/24" in argv
    assert "--outbound-addr=eth0" in argv
    with pytest.raises(UsageError, match="this slirp4netns has no --outbound-addr6"):
        arguments(Options(outbound_addr6="::1"), ALL, lifetime=False, socket="", netns="/n")


def test_options_of_the_container_win_over_those_of_the_configuration() -> None:
    chosen = parse(
        ("mtu=1400", "enable_ipv6=false"), {"mtu": "9000", "cidr": "10.5.6.7/24", "port_handler": "rootlesskit"}
    )
    assert (chosen.mtu, chosen.enable_ipv6, chosen.cidr) == (9000, False, "10.5.6.0/24")
    assert [chosen.address(n) for n in (2, 3, 100)] == ["10.5.6.2", "10.5.6.3", "10.5.6.100"]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("colour", "red", 'unknown option for slirp4netns: "colour=red"'),
        ("colour", "", 'unknown option for slirp4netns: "colour"'),
        ("mtu", "-1", 'invalid mtu "-1"'),
        ("mtu", "70000", 'invalid mtu "70000"'),
        ("cidr", "10.0.0.0/30", 'invalid cidr "10.0.0.0/30"'),
        ("cidr", "fd00::/64", 'invalid cidr "fd00::/64"'),
        ("allow_host_loopback", "maybe", 'invalid value of allow_host_loopback for slirp4netns: "maybe"'),
        ("port_handler", "magic", 'unknown port_handler for slirp4netns: "magic"'),
        ("outbound_addr", "--evil", 'invalid outbound_addr "--evil"'),
        ("outbound_addr", "::1", 'invalid outbound_addr "::1"'),
        ("outbound_addr6", "no-such-one", 'invalid outbound_addr6: "no-such-one"'),
    ],
)
def test_options_are_refused_in_podmans_words(key: str, value: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse((), {key: value})
    assert caught.value.message == said
    assert parse((), {"outbound_addr": "lo", "outbound_addr6": "::1"}).outbound_addr == "lo"


def test_without_the_program_the_backend_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(HostLacks, match="slirp4netns not found"):
        Slirp4netnsNet(context(tmp_path, Counter()).replace(find_program=lambda _name: None))


class TestReal:
    pytestmark = real

    def test_attach_detach_twice_leaves_nothing(self, box: Box) -> None:
        result = box.backend.net_attach(netns=box.netns, request=box.request())
        assert result.interfaces[0].addresses[0].address == "10.0.2.100/24"
        assert result.dns_servers == ("10.0.2.3",)
        assert "10.0.2.100/24" in box.run("ip", "-4", "addr", "show", "tap0")
        assert "default via 10.0.2.2" in box.run("ip", "route")
        helper = result.helpers[0]
        assert helper_process.is_alive(helper)
        again = box.backend.net_attach(netns=box.netns, request=box.request())
        assert again == result
        box.backend.net_detach(netns=box.netns, request=box.request(), attached=result)
        assert not helper_process.is_alive(helper)
        assert box.links() == ["lo"]
        assert os.listdir(box.context.run) == []
        box.backend.net_detach(netns=box.netns, request=box.request(), attached=result)
        box.backend.net_detach(netns=box.netns, request=box.request(), attached=None)

    def test_the_sandbox_leaves_the_hosts_pinned_namespaces_alone(self, box: Box) -> None:
        def pinned() -> list[str]:
            with open("/proc/self/mountinfo", encoding="utf-8") as file:
                return sorted(line.split()[4] for line in file if self_made in line)

        self_made = box.name
        before = pinned()
        assert before
        box.backend.net_attach(netns=box.netns, request=box.request())
        assert pinned() == before
        box.backend.net_detach(netns=box.netns, request=box.request(), attached=None)
        assert pinned() == before

    def test_the_helper_is_found_from_the_path_alone_by_another_process(self, box: Box) -> None:
        result = box.backend.net_attach(netns=box.netns, request=box.request())
        other = Slirp4netnsNet(box.context)
        other.net_detach(netns=box.netns, request=AttachRequest(container=ContainerId(""), name=""), attached=None)
        assert not helper_process.is_alive(result.helpers[0])

    def test_ports_are_reachable_then_not_and_keep_the_source(self, box: Box) -> None:
        port = free_port()
        ports = (PortMapping(host_ip="127.0.0.1", host_port=port, container_port=80),)
        result = box.backend.net_attach(netns=box.netns, request=box.request(*ports))
        box.serve(80)
        assert reach(port) not in ("", "10.0.2.100", "ConnectionRefusedError")
        box.backend.net_detach(netns=box.netns, request=box.request(*ports), attached=result)
        assert reach(port) == "ConnectionRefusedError"

    def test_a_port_in_use_is_named_and_nothing_stays(self, box: Box) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            ports = (PortMapping(host_ip="127.0.0.1", host_port=port, container_port=80),)
            with pytest.raises(CommandFailed, match=f"cannot listen on tcp 127.0.0.1:{port}"):
                box.backend.net_attach(netns=box.netns, request=box.request(*ports))
        assert box.links() == ["lo"]
        assert os.listdir(box.context.run) == []

    def test_the_helper_ends_with_its_lifetime_pipe(self, box: Box) -> None:
        reader, writer = os.pipe()
        result = box.backend.net_attach(netns=box.netns, request=box.request(lifetime_fd=reader))
        os.close(reader)
        helper = result.helpers[0]
        assert helper_process.is_alive(helper)
        os.close(writer)
        pidfd = os.pidfd_open(helper.pid)
        import select

        assert select.select([pidfd], [], [], 5)[0]
        os.close(pidfd)

    def test_a_helper_that_cannot_start_says_why(self, box: Box, tmp_path: Path) -> None:
        absent = NetnsRef(path="/run/netns/no-such-namespace")
        with pytest.raises(NotFound, match=r"slirp4netns: network namespace .* no such file"):
            box.backend.net_attach(netns=absent, request=box.request())
        plain = NetnsRef(path=str(tmp_path / "file"))
        (tmp_path / "file").write_text("")
        with pytest.raises(CommandFailed, match=r"^slirp4netns: "):
            box.backend.net_attach(netns=plain, request=box.request())
        assert os.listdir(box.context.run) == []

    def test_other_protocols_are_refused(self, box: Box) -> None:
        port = PortMapping(host_ip="", host_port=1, container_port=1, protocol="sctp")
        with pytest.raises(Unsupported, match="can't forward protocol sctp"):
            box.backend.net_attach(netns=box.netns, request=box.request(port))

    def test_the_program_is_asked_once(self, box: Box) -> None:
        assert box.backend.net_facts().modes == ("slirp4netns",)
        asked = len(box.counter.commands)
        assert asked == 2
        assert Slirp4netnsNet(box.context).net_facts().version
        assert len(box.counter.commands) == asked
