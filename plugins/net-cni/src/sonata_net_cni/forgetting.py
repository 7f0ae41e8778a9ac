"""Writing networks down, and taking them away again: rare, and not on the way of a container."""

from __future__ import annotations

import os

from sonata_core import json_text as json
from sonata_core.errors import CommandFailed, Denied, SonataError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.process import Command
from sonata_net_cni.cache import unlink
from sonata_net_cni.chain import Chain

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata_core.context import PluginContext
    from sonata_core.models.net import NetworkDefinition
    from sonata_net_cni.conflist import ConfigList
    from sonata_net_cni.program import Programs


def write(path: str, text: str, note: str) -> None:
    """A network's list, whole or not at all, and a note that it is ours. Raises Denied."""
    draft = f"{path}.new"
    try:
        os.makedirs(os.path.dirname(note), mode=0o700, exist_ok=True)
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        with open(note, "w", encoding="utf-8") as file:
            file.write(path)
        unlink(draft)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.link(draft, path)
        os.unlink(draft)
    except OSError as error:
        raise Denied(f"write {path}: {error.strerror}", "check the owner and mode of its folder") from error


def forget(context: PluginContext, note: str, what: tuple[NetworkDefinition, str]) -> None:
    """Remove the list that was written for a network, its bridge if nothing hangs on it, and host-local's notes."""
    network, data = what
    try:
        with open(note, encoding="utf-8") as file:
            path = file.read(4096)
    except OSError:
        path = ""
    if path.endswith(f"/{network.name}.conflist"):
        unlink(path)
        unlink(f"{path}.new")
    if path:
        unlink(note)
    _forget_addresses(f"{data}/networks/{network.name}")
    if network.driver == "bridge" and network.interface:
        _remove_bridge(context, network.interface)


def collect(programs: Programs, find: Callable[[], ConfigList]) -> bool:
    """GC with nothing that is valid, for plugins that know it. False where they do not.

    A network is forgotten all the same where its list is refused by now, or its plugins are gone.
    """
    try:
        return Chain(programs, find()).collect([])
    except SonataError:
        return False


def _forget_addresses(folder: str) -> None:
    """host-local's folder, if no address is given away: its lock and its last address."""
    try:
        names = os.listdir(folder)
    except OSError:
        return
    if all(name == "lock" or name.startswith("last_reserved_ip") for name in names):
        for name in names:
            unlink(f"{folder}/{name}")
        os.rmdir(folder)


def _remove_bridge(context: PluginContext, name: str) -> None:
    """Podman removes a network's bridge with it. One that has links on it is somebody's."""
    ip = context.find_program("ip")
    if ip is None:
        return
    environment = {"PATH": context.facts.path}
    said = context.run_command(Command(argv=(ip, "-json", "-details", "link", "show"), env=environment))
    try:
        links = json.loads(said.stdout or b"[]")
    except ValueError:
        return
    kinds = {one.get("ifname"): (one.get("linkinfo") or {}).get("info_kind") for one in links}
    if kinds.get(name) != "bridge" or any(one.get("master") == name for one in links):
        return
    argv = (ip, "link", "delete", name)
    done = context.run_command(Command(argv=argv, env=environment))
    if done.code:
        complaint = done.stderr.decode(errors="replace").strip()
        raise CommandFailed(f"ip link delete {name}: {complaint}", argv=argv, code=done.code)
