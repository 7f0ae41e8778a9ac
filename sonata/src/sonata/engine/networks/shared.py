"""The network namespace that has all bridges of an ordinary user, and its way out (ADR 45).

It lies where Podman has it and is counted in Podman's file, so that the containers of both engines are on the same
bridges. All is done under Podman's lock, which the backend takes too: it is never held while a backend works.
"""

from __future__ import annotations

import os

from sonata.host import netns
from sonata_core import json_text as json
from sonata_core.errors import SonataError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.ids import ContainerId
from sonata_core.models.net import AttachRequest, AttachResult, NetnsRef
from sonata_core.models.process import Command, HelperProcess
from sonata_core.record import Record
from sonata_core.sdk import helper_process
from sonata_core.sdk.locks import lock_file
from sonata_core.sdk.trees import remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sonata.engine.engine import Engine
    from sonata_core.sdk.locks import FileLock

_NAME = "rootless-netns"
_PROGRAMS = ("pasta", "passt", "slirp4netns")
"""How the names of processes begin that are a way out."""
_PROCESS = "process-"
_MARK, _TABLE = "0x10000", "5377"
"""Mark and routing table of answers to forwarders. Netavark's mark is 0x2000."""
_LIMIT = 1 << 16


class Uplink(Record):
    """What is known of the way out: its own addresses, whom to ask for names, where the host is."""

    addresses: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    host: str = ""


class State(Record):
    """How the shared namespace is. `uplink` and `names` are the pids of its helpers, 0 for one that does not run."""

    present: bool
    uplink: int
    names: int
    users: tuple[str, ...]
    count: int


def reference(engine: Engine) -> NetnsRef | None:
    """The namespace in which backends make bridges, whether it is there or not; None where that is the host's own."""
    if not engine.facts.rootless:
        return None
    folder = _folder(engine)
    return NetnsRef(path=f"{folder}/{_NAME}", binds=_binds(engine, folder))


def enter(engine: Engine, shared: NetnsRef, user: str) -> Uplink:
    """Have the namespace and its way out, and count `user`, who is a container or `this_process`.

    Raises HostLacks, ExternalFailure, and what the backend of the way out raises.
    """
    folder = os.path.dirname(shared.path)
    with _lock(engine):
        fresh = not netns.exists(shared.path)
        if fresh:
            _clear(engine, shared)
            os.makedirs(folder, mode=0o700)
            netns.create(engine.kernel, shared.path, shown=False)
        _make_places(folder, shared)
        if not _uplink(folder):
            _connect(engine, shared, fresh=fresh)
        users = _users(folder)
        if user not in users:
            # In this order: who is killed between leaves a namespace that stays, never one that goes too early.
            _count(folder, 1)
            _write(f"{folder}/sonata/{user}", "")
        return _known(folder)


def leave(engine: Engine, shared: NetnsRef, user: str) -> None:
    """Count `user` no more; with the last one the namespace goes, and what was started for it. Idempotent."""
    folder = os.path.dirname(shared.path)
    if not os.path.exists(folder):
        return
    with _lock(engine):
        left = 0
        for name in _users(folder):
            if name == user or _is_over(name):
                os.unlink(f"{folder}/sonata/{name}")
                _count(folder, -1)
            else:
                left += 1
        if left == 0 and _count(folder, 0) == 0:
            _clear(engine, shared)


def shows_clients(engine: Engine, shared: NetnsRef) -> bool:
    """Whether a program in the namespace can call containers under its clients' addresses; made possible at first.

    Such answers come back as packets for somebody else: what belongs to a transparent socket is marked, and what is
    marked stays here. Kernels without `xt_socket`, and hosts without iptables, cannot.
    """
    path = _shows(shared)
    with _lock(engine):
        known = _read(path)
        if not known:
            known = "yes" if all(_done(engine, shared, words) for words in _returns("add", "-A")) else "no"
            _write(path, known)
    return known == "yes"


def lost_returns(engine: Engine, shared: NetnsRef) -> tuple[str, ...]:
    """What `shows_clients` once made and is not there any more, as one would type it."""
    if _read(_shows(shared)) != "yes":
        return ()
    there = zip(_returns("show", "-C"), _returns("add", "-A"), strict=True)
    return tuple(" ".join(made) for asked, made in there if not _stands(engine, shared, asked))


def mend_returns(engine: Engine, shared: NetnsRef, lost: tuple[str, ...]) -> None:
    """Make these of `lost_returns` again."""
    with _lock(engine):
        for words in _returns("add", "-A"):
            if " ".join(words) in lost:
                _done(engine, shared, words)


def _shows(shared: NetnsRef) -> str:
    return f"{os.path.dirname(shared.path)}/sonata-shows-clients"


def _returns(way: str, rule: str) -> Iterator[tuple[str, ...]]:
    """Commands for the ways of answers: to add them, or to ask for them (`show`, `-C`)."""
    families = (("-4", "iptables", "0.0.0.0/0"), ("-6", "ip6tables", "::/0"))
    for family, firewall, everything in families if os.path.exists("/proc/sys/net/ipv6") else families[:1]:
        told = way == "show"
        yield "ip", family, "rule", way, "fwmark", f"{_MARK}/{_MARK}", *(() if told else ("lookup", _TABLE))
        yield "ip", family, "route", way, *(() if told else ("local", everything, "dev", "lo")), "table", _TABLE
        match = ("-m", "socket", "--transparent", "-j", "MARK", "--set-xmark", f"{_MARK}/{_MARK}")
        yield firewall, "-w", "-t", "mangle", rule, "PREROUTING", *match


def _stands(engine: Engine, shared: NetnsRef, words: tuple[str, ...]) -> bool:
    """Whether what a command asks for is there: `iptables -C` says so by its code, `ip` by its words."""
    program = engine.find_program(words[0])
    if program is None:
        return False
    done = engine.run_command(Command(argv=(program, *words[1:]), netns=shared.path, binds=shared.binds, timeout=30))
    return done.code == 0 and (words[0] != "ip" or bool(done.stdout.strip()))


def _done(engine: Engine, shared: NetnsRef, words: tuple[str, ...]) -> bool:
    program = engine.find_program(words[0])
    if program is None:
        return False
    command = Command(argv=(program, *words[1:]), netns=shared.path, binds=shared.binds, timeout=30)
    done = engine.run_command(command)
    if done.code:
        said = done.stderr.decode(errors="replace").strip()
        engine.log.info("clients_not_shown", program=words[0], said=said)
    return bool(done.code == 0)


def this_process() -> str:
    """The user that this process is, until it ends."""
    return f"{_PROCESS}{os.getpid()}-{helper_process.start_time(os.getpid())}"


def known(engine: Engine) -> Uplink:
    """What is known of the way out, without asking it; all empty where there is none."""
    if not engine.facts.rootless:
        return Uplink()
    return _known(_folder(engine))


def state(engine: Engine) -> State:
    """How the namespace is, looked at without a lock."""
    folder = _folder(engine)
    return State(
        present=netns.exists(f"{folder}/{_NAME}"),
        uplink=_uplink(folder),
        names=_process(f"{engine.config.paths.network_run_dir}/aardvark-dns/aardvark.pid", ("aardvark-dns",)),
        users=tuple(_users(folder)),
        count=_count(folder, 0),
    )


def _folder(engine: Engine) -> str:
    return f"{engine.config.paths.network_run_dir}/{_NAME}"


def _lock(engine: Engine) -> FileLock:
    return lock_file(f"{engine.config.paths.network_config_dir}/netavark.lock")


def _binds(engine: Engine, folder: str) -> tuple[tuple[str, str], ...]:
    """What programs in there are shown: a /run of their own, for their locks, and whom to ask for names.

    Source of the places: containers-common's rootlessnetns.
    """
    paths = engine.config.paths
    seen: list[str] = ["/run/systemd"] if os.path.isdir("/run/systemd") else []
    for path in (engine.config.places.runtime_dir, paths.network_run_dir, paths.netns_dir):
        if path.startswith("/run/") and not any(f"{path}/".startswith(f"{one}/") for one in seen):
            seen.append(path)
    binds = [(path, folder + path) for path in seen]
    resolv = os.path.realpath("/etc/resolv.conf")
    if not resolv.startswith("/run/") and os.path.exists(resolv):
        binds.append((f"{folder}/resolv.conf", resolv))
    return (*binds, (f"{folder}/run", "/run"))


def _make_places(folder: str, shared: NetnsRef) -> None:
    for below in ("run", "sonata"):
        os.makedirs(f"{folder}/{below}", mode=0o700, exist_ok=True)
    for source, place in shared.binds:
        if place.startswith(f"{folder}/"):
            os.makedirs(place, exist_ok=True)
            if not os.path.exists(source):
                os.makedirs(source, mode=0o700, exist_ok=True)


def _connect(engine: Engine, shared: NetnsRef, *, fresh: bool) -> None:
    """Start the way out, and write down what it is."""
    if not fresh:
        engine.notify("rootless netns program no longer running, trying to start it again")
    folder = os.path.dirname(shared.path)
    name = engine.config.network.default_rootless_network_cmd
    try:
        hook = engine.net(name).hook
        hook.net_facts()
        _write(f"{folder}/sonata-uplink", name)
        result = hook.net_attach(netns=NetnsRef(path=shared.path), request=_request())
    except BaseException:
        if fresh:
            _clear(engine, shared)
        raise
    _describe(folder, result)


def _describe(folder: str, result: AttachResult) -> None:
    from sonata.host.resolv import host_resolv
    from sonata.model.materials import ResolvInput
    from sonata.plan import files as texts

    addresses = [one.address.partition("/")[0] for part in result.interfaces for one in part.addresses]
    info = {
        "IPAddresses": addresses,
        "DnsForwardIps": list(result.dns_servers),
        "MapGuestIps": [result.host_address] if result.host_address else [],
    }
    _write(f"{folder}/info.json", json.dumps(info))
    text = texts.resolv_conf(ResolvInput(helper=result.dns_servers, host=host_resolv(), ipv6=True))
    _write(f"{folder}/resolv.conf", text)
    place = os.path.realpath("/etc/resolv.conf")
    if place.startswith("/run/"):
        os.makedirs(os.path.dirname(folder + place), exist_ok=True)
        _write(folder + place, text)
    for helper in result.helpers:
        _write(f"{folder}/rootless-netns-conn.pid", str(helper.pid))


def _request() -> AttachRequest:
    return AttachRequest(container=ContainerId(_NAME), name=_NAME)


def _clear(engine: Engine, shared: NetnsRef) -> None:
    """Take everything away: the way out, the namespace, the server of its names, the folder."""
    folder = os.path.dirname(shared.path)
    name = _read(f"{folder}/sonata-uplink")
    if name in _PROGRAMS:
        try:
            engine.net(name).hook.net_detach(netns=NetnsRef(path=shared.path), request=_request(), attached=None)
        except SonataError as error:
            engine.log.info("uplink_not_detached", reason=error.message)
    _end(_uplink(folder))
    served = f"{engine.config.paths.network_run_dir}/aardvark-dns"
    _end(_process(f"{served}/aardvark.pid", ("aardvark-dns",)))
    netns.remove(engine.kernel, shared.path)
    remove_tree(served)
    remove_tree(folder)


def _end(pid: int) -> None:
    if pid:
        helper_process.stop(HelperProcess(name="", pid=pid, start_time=helper_process.start_time(pid)))


def _uplink(folder: str) -> int:
    return _process(f"{folder}/rootless-netns-conn.pid", _PROGRAMS)


def _process(path: str, names: tuple[str, ...]) -> int:
    """The pid in that file, where it is that of a live process called so; else 0."""
    try:
        pid = int(_read(path))
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            called = file.read()
    except (OSError, ValueError):
        return 0
    return pid if called.startswith(names) and helper_process.start_time(pid) else 0


def _users(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(f"{folder}/sonata"))
    except FileNotFoundError:
        return []


def _is_over(user: str) -> bool:
    """Whether `user` is a process that has ended without a word."""
    if not user.startswith(_PROCESS):
        return False
    pid, _, started = user.removeprefix(_PROCESS).partition("-")
    return not (pid.isdigit() and str(helper_process.start_time(int(pid))) == started)


def _count(folder: str, change: int) -> int:
    """Podman's count of users, of both engines; changed by so many."""
    path = f"{folder}/ref-count"
    text = _read(path)
    count = int(text) if text.lstrip("-").isdigit() else 0
    if change:
        count = max(count + change, 0)
        _write(path, str(count))
    return max(count, 0)


def _known(folder: str) -> Uplink:
    try:
        info = json.loads(_read(f"{folder}/info.json"))
        addresses, dns, guests = (
            tuple(str(one) for one in info.get(key) or ()) for key in ("IPAddresses", "DnsForwardIps", "MapGuestIps")
        )
    except (ValueError, AttributeError):
        return Uplink()
    return Uplink(addresses=addresses, dns=dns, host=guests[0] if guests else "")


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_LIMIT).strip()
    except OSError:
        return ""


def _write(path: str, text: str) -> None:
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(f"{path}.new", path)
