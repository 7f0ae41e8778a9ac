"""`--sysctl`: only what belongs to a namespace that is the container's own."""

from __future__ import annotations

from sonata.model.container import NamespaceChoice, NamespaceKind, Namespaces
from sonata_core.errors import UsageError

_IPC = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
]


def decide(given: tuple[str, ...], defaults: tuple[str, ...], chosen: Namespaces) -> dict[str, str]:
    """Keys and values; defaults that would touch the host are left out, given ones are refused."""
    result: dict[str, str] = {}
    for text in defaults:
        key, _, value = text.partition("=")
        if key and not _refusal(key, value, chosen) and not _foreign(key, chosen):
            result[key.strip()] = value
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"{text} is invalid, sysctl values must be in the form of KEY=VALUE")
        refusal = _refusal(key, value, chosen)
        if refusal:
            raise UsageError(refusal)
        result[key] = value
    return result


def _foreign(key: str, chosen: Namespaces) -> bool:
    """Whether a default would be set in a joined network by one of another user namespace, which runtimes refuse."""
    joined = chosen.network.kind in (NamespaceKind.CONTAINER, NamespaceKind.PATH, NamespaceKind.POD)
    return key.startswith("net.") and joined and chosen.user.kind is not NamespaceKind.HOST


def _refusal(key: str, value: str, chosen: Namespaces) -> str:
    plain = key.replace("/", ".")
    if plain in _IPC or plain.startswith("fs.mqueue."):
        return _host(chosen.ipc, key, value, "IPC")
    if plain.startswith("net."):
        return _host(chosen.network, key, value, "Network")
    if plain in ("kernel.domainname", "kernel.hostname"):
        return (
            _host(chosen.uts, key, value, "UTS") if plain.endswith("domainname") else f"sysctl '{key}' is not allowed"
        )
    return f"sysctl '{key}' is not allowed"


def _host(choice: NamespaceChoice, key: str, value: str, which: str) -> str:
    if choice.kind == NamespaceKind.HOST:
        return f"sysctl {key}={value} can't be set since {which} Namespace set to host: invalid argument"
    return ""
