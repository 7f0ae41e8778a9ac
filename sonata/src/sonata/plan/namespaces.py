"""Namespaces: the values of `--pid`, `--ipc`, `--uts`, `--cgroupns`, `--userns`, decided."""

from __future__ import annotations

from sonata.model.container import NamespaceChoice, NamespaceKind, Namespaces
from sonata.plan.network import NO_POD, joined
from sonata_core.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sonata.model.defaults import Defaults
    from sonata.model.materials import Materials
    from sonata.model.request import RunRequest
    from sonata_core.models.host import HostFacts

_K = NamespaceKind
_WORDS = {
    "pid": {"private": _K.PRIVATE, "host": _K.HOST},
    "uts": {"private": _K.PRIVATE, "host": _K.HOST},
    "cgroup": {"private": _K.PRIVATE, "host": _K.HOST},
    "ipc": {"private": _K.PRIVATE, "host": _K.HOST, "none": _K.NONE, "shareable": _K.SHAREABLE},
    "user": {"private": _K.PRIVATE, "host": _K.HOST, "keep-id": _K.KEEP_ID, "nomap": _K.NO_MAP, "auto": _K.AUTO},
}


def decide(
    given: RunRequest, network: NamespaceChoice, materials: Materials, facts: HostFacts, defaults: Defaults
) -> Namespaces:
    """All namespaces of a container. Raises UsageError with Podman's texts."""
    cgroup_default = defaults.cgroupns or ("private" if facts.cgroup_version == 2 else "host")
    result = Namespaces(
        cgroup=_choice("cgroup", given.cgroupns or cgroup_default, materials),
        ipc=_choice("ipc", given.ipc or defaults.ipcns, materials),
        network=network,
        pid=_choice("pid", given.pid or defaults.pidns, materials),
        user=_user(given, materials, facts, defaults),
        uts=_choice("uts", given.uts or defaults.utsns, materials),
    )
    _check(given, result)
    return result


def _choice(which: str, text: str, materials: Materials) -> NamespaceChoice:
    word, colon, value = text.partition(":")
    if colon and word in ("container", "ns"):
        if not value:
            mode = "path" if word == "ns" else word
            raise UsageError(f"invalid config provided: namespace mode {mode} requires a value")
        if word == "ns":
            return NamespaceChoice(kind=_K.PATH, value=value)
        found = joined(value, materials)
        if which == "ipc" and materials.containers[value].namespaces.ipc.kind is _K.PRIVATE:
            raise UsageError(
                f"joining IPC of container {found} is not allowed: non-shareable IPC "
                "(hint: use IpcMode:shareable for the donor container)"
            )
        return NamespaceChoice(kind=_K.CONTAINER, value=found)
    if text == "pod":
        raise UsageError(NO_POD)
    known = _WORDS[which].get(word)
    if known is None or (colon and known not in (_K.KEEP_ID, _K.AUTO)):
        raise UsageError(f"unrecognized namespace mode {text} passed")
    return NamespaceChoice(kind=known, value=colon + value)


def _user(given: RunRequest, materials: Materials, facts: HostFacts, defaults: Defaults) -> NamespaceChoice:
    mapped = bool(given.uidmap or given.gidmap or given.subuidname or given.subgidname)
    if mapped and given.userns:
        raise UsageError("--userns and --uidmap/--gidmap/--subuidname/--subgidname are mutually exclusive")
    text = "private" if mapped else given.userns or defaults.userns or "host"
    if text == "host":
        return NamespaceChoice(kind=_K.HOST)
    from sonata.plan import usermode

    choice = _choice("user", text, materials)
    usermode.check(given, choice, facts)
    return choice


def _check(given: RunRequest, chosen: Namespaces) -> None:
    if given.hostname and chosen.uts.kind == _K.HOST:
        raise UsageError(
            "invalid config provided: cannot set hostname when running in the host UTS namespace: invalid configuration"
        )
    if given.shm_size and chosen.ipc.kind in (_K.HOST, _K.NONE):
        raise UsageError(
            f"invalid config provided: cannot set shmsize when running in the {{{chosen.ipc.kind} }} IPC Namespace"
        )
    if given.init and chosen.pid.kind != _K.PRIVATE:
        raise UsageError("cannot add init binary as PID 1 (PID namespace isn't private)")
