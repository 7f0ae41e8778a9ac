"""A host of its own for each test: a network namespace that the test's thread enters, with real tools in it."""

import ctypes
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sonata_core.context import PluginContext
from sonata_core.models.host import HostFacts
from sonata_core.models.ids import ContainerId
from sonata_core.models.net import Attachment, AttachRequest, NetnsRef, NetworkDefinition, PortMapping, Subnet
from sonata_core.models.process import Command, CommandResult

CLONE_NEWNET = 0x40000000
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
FACTS = HostFacts(
    uid=0,
    gid=0,
    rootless=False,
    kernel=os.uname().release,
    machine=os.uname().machine,
    boot_id="b",
    cgroup_version=1,
    capabilities=("NET_ADMIN",),
    path=PATH,
)


class Recorder:
    """A log that keeps its events, and a list of the programs that were run."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, dict[str, object]]] = []
        self.commands: list[Command] = []

    def debug(self, event: str, **fields: object) -> None:
        self.events.append(("debug", event, fields))

    def info(self, event: str, **fields: object) -> None:
        self.events.append(("info", event, fields))

    def warning(self, event: str, **fields: object) -> None:
        self.events.append(("warning", event, fields))

    def error(self, event: str, **fields: object) -> None:
        self.events.append(("error", event, fields))

    def run(self, command: Command) -> CommandResult:
        self.commands.append(command)
        done = subprocess.run(
            command.argv,
            input=command.input,
            capture_output=True,
            env=dict(command.env) if command.env is not None else {"PATH": PATH},
            check=False,
            timeout=60,
        )
        return CommandResult(code=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def verbs(self) -> list[str]:
        """Which netavark verbs were called."""
        return [c.argv[-2] for c in self.commands if c.argv[0].endswith("netavark") and len(c.argv) > 2]


def find_program(name: str) -> str | None:
    for folder in (*FACTS.helper_dirs, *PATH.split(":")):
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK):
            return path
    return None


def plugin_context(tmp_path: Path, recorder: Recorder, **config: object) -> PluginContext:
    return PluginContext(
        name="netavark",
        root=str(tmp_path / "root"),
        run=str(tmp_path / "run"),
        cache=str(tmp_path / "cache"),
        config={
            "run_dir": str(tmp_path / "networks"),
            "netavark_lock": str(tmp_path / "netavark.lock"),
            **config,
        },
        facts=FACTS,
        run_command=recorder.run,
        find_program=find_program,
        log=recorder,
    )


@contextmanager
def own_host() -> Iterator[None]:
    """A new network namespace for this thread and what it starts; the old one again afterwards."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    if libc.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    try:
        tool("ip", "link", "set", "lo", "up")
        yield
    finally:
        libc.setns(before, CLONE_NEWNET)
        os.close(before)


def tool(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=30).stdout


class Container:
    """A network namespace as an engine would pin it, by a name of its own."""

    def __init__(self, letter: str) -> None:
        self.id = ContainerId(letter * 64)
        self.name = f"c{letter}"
        self.namespace = f"sonata-test-{os.getpid()}-{letter}"
        tool("ip", "netns", "add", self.namespace)
        self.netns = NetnsRef(path=f"/run/netns/{self.namespace}")
        self.servers: list[subprocess.Popen[bytes]] = []

    def links(self) -> list[str]:
        return [link["ifname"] for link in json.loads(tool("ip", "-n", self.namespace, "-j", "link"))]

    def run(self, *argv: str, check: bool = True) -> str:
        done = subprocess.run(
            ["ip", "netns", "exec", self.namespace, *argv], check=check, capture_output=True, text=True, timeout=30
        )
        return done.stdout

    def serve(self, port: int, word: str) -> None:
        script = (
            "import socket,sys\ns=socket.socket();s.setsockopt(1,2,1);s.bind(('',int(sys.argv[1])));s.listen()\n"
            "print('up',flush=True)\nwhile True:\n c,_=s.accept();c.sendall(sys.argv[2].encode());c.close()"
        )
        server = subprocess.Popen(
            ["ip", "netns", "exec", self.namespace, sys.executable, "-c", script, str(port), word],
            stdout=subprocess.PIPE,
        )
        assert server.stdout is not None
        assert server.stdout.readline() == b"up\n"
        self.servers.append(server)

    def close(self) -> None:
        for server in self.servers:
            server.kill()
            server.communicate()
        subprocess.run(["ip", "netns", "del", self.namespace], check=False, capture_output=True)

    def request(self, *attachments: Attachment, ports: tuple[PortMapping, ...] = ()) -> AttachRequest:
        return AttachRequest(container=self.id, name=self.name, attachments=attachments, ports=ports)


def network(name: str, number: int, **fields: object) -> NetworkDefinition:
    subnet = Subnet(subnet=f"10.20{number}.0.0/24", gateway=f"10.20{number}.0.1")
    definition = NetworkDefinition(
        name=name, id=f"{number:064x}", interface=f"sbr{number}", created="2026-01-01T00:00:00Z", subnets=(subnet,)
    )
    return definition.replace(**fields)


def on(definition: NetworkDefinition, host: int, interface: str = "eth0", **fields: object) -> Attachment:
    addresses = tuple(
        f"{each.subnet.rpartition('.')[0]}.{host}" if ":" not in each.subnet else each.subnet.split("/")[0] + str(host)
        for each in definition.subnets
    )
    return Attachment(network=definition, interface=interface, addresses=addresses).replace(**fields)


def firewall() -> str:
    """All rules of the host, without counters and times."""
    text = "".join(tool(f"{family}-save") for family in ("iptables", "ip6tables"))
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return "\n".join(line.partition(" [")[0] if line.startswith(":") else line for line in lines)


def host_links() -> set[str]:
    return {link["ifname"] for link in json.loads(tool("ip", "-j", "link"))}


def eventually(condition: object, seconds: float = 5.0) -> bool:
    """Whether the condition comes true in time: the kernel deletes links in its own time."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return bool(condition())


CHANCE = ("address", "ifindex", "link_index", "link_netnsid", "link", "bridge_id", "root_id", "root_port", "port_id")
SETTINGS = (
    "grep",
    "-rs",
    ".",
    *(f"/proc/sys/net/{folder}" for folder in ("ipv4/conf", "ipv4/ip_forward", "ipv6/conf")),
)


def without_chance(container: Container | None) -> object:
    """Links, addresses and routes, without what chance and the clock decide: hardware addresses, numbers, timers."""

    def said(*argv: str) -> list[dict[str, object]]:
        return list(json.loads((tool(*argv) if container is None else container.run(*argv)) or "[]"))

    # netavark takes several networks in an order of chance.
    found = [said("ip", "-j", "-d", "addr"), said("ip", "-j", "route")]
    return [_plain(sorted(each, key=_place)) for each in found]


def _place(one: dict[str, object]) -> tuple[str, ...]:
    """Where a link or a route belongs: the kernel numbers a veth by when it was made, so that its bridge decides."""
    name = str(one.get("ifname", one.get("dev")))
    return (name.rstrip("0123456789") if name.startswith("veth") else name, str(one.get("master")), str(one.get("dst")))


def _plain(value: object) -> object:
    if isinstance(value, list):
        return [_plain(item) for item in value if not (isinstance(item, dict) and item.get("scope") == "link")]
    if not isinstance(value, dict):
        return value
    kept = {}
    for key, item in value.items():
        if key in CHANCE or key.endswith(("_timer", "_root", "_bridge", "_port", "_life_time")):
            continue
        if key == "flags":
            kept["up"] = "UP" in item
        if key in ("operstate", "state", "flags", "no", "topology_change") or str(item).startswith("veth"):
            continue
        kept[key] = _plain(item)
    return kept


def settings(container: Container | None) -> list[str]:
    """The kernel's settings of IP, of every interface."""
    if container is None:
        said = subprocess.run(SETTINGS, check=False, capture_output=True, text=True, timeout=30).stdout
    else:
        said = container.run(*SETTINGS, check=False)
    assert "route_localnet" in said
    return sorted(line for line in said.splitlines() if "veth" not in line and "stable_secret" not in line)


def differences(one: object, other: object, where: str = "") -> list[str]:
    """Where two documents differ, by path."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted({*one, *other})
        return [d for key in keys for d in differences(one.get(key), other.get(key), f"{where}.{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [d for at, (a, b) in pairs for d in differences(a, b, f"{where}[{at}]")]
    return [] if one == other else [f"{where}: {one!r} is not {other!r}"]
