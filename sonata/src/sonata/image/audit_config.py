"""What `image audit` says of an image's configuration."""

from __future__ import annotations

from sonata.image import accounts, secrets_in
from sonata.image.audit_entries import shown
from sonata.model.image_audit import Finding
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sonata.model.image import ImageConfig

_ADMIN = {
    22: "ssh", 23: "telnet", 512: "rexec", 513: "rlogin", 514: "rsh", 2375: "Docker", 2376: "Docker", 3389: "RDP",
    5900: "VNC", 5901: "VNC", 5985: "WinRM", 5986: "WinRM", 6000: "X11", 10000: "Webmin", 10250: "kubelet",
}  # fmt: skip
_SENSITIVE = ("/etc", "/usr", "/bin", "/sbin", "/lib", "/boot", "/proc", "/sys", "/dev")
_SOCKETS = ("docker.sock", "podman.sock", "containerd.sock", "crio.sock")
_MOST = 1000
"""So many words of a kind are looked at."""


def of_config(config: ImageConfig, passwd: bytes | None) -> Iterator[Finding]:
    """What the configuration and the history tell. `passwd` is the image's own; None where it has none."""
    yield from _user(config.user, passwd)
    yield from _environment(config)
    for name, value in list(config.labels.items())[:_MOST]:
        yield from _told("secret-label", "label", secrets_in.in_pair(name, value))
    steps = {step.created_by: None for step in config.history[:_MOST]}
    for told in dict.fromkeys(told for step in steps for told in secrets_in.in_command(step)):
        yield from _told("secret-history", "history", told)
    yield from _commands(config)
    yield from _places(config)


def _finding(check: str, path: str, detail: str) -> Finding:
    return Finding(id=check, layer=-1, path=path, detail=shown(detail.encode("utf-8", "surrogateescape")))


def _told(check: str, path: str, text: str) -> Iterator[Finding]:
    if text:
        yield _finding(check, path, text)


def _user(text: str, passwd: bytes | None) -> Iterator[Finding]:
    name = text.partition(":")[0]
    if name in ("", "root") or (name.isdecimal() and not name.strip("0")):
        yield _finding("user-root", "user", "runs as root unless told otherwise")
    elif not name.isdecimal():
        uid = accounts.uid_of(passwd or b"", name)
        if uid is None:
            yield _finding("user-unknown", "user", f"{name} is not in etc/passwd")
        elif uid == 0:
            yield _finding("user-root", "user", f"{name} has the number 0")


def _environment(config: ImageConfig) -> Iterator[Finding]:
    for text in config.env[:_MOST]:
        name, _, value = text.partition("=")
        yield from _told("secret-environment", "environment", secrets_in.in_pair(name, value))
        if name == "PATH" and value and any(not part.startswith(("/", "$")) for part in value.split(":")):
            yield _finding("path-unsafe", "environment", f"PATH={value}")


def _commands(config: ImageConfig) -> Iterator[Finding]:
    check = config.health_check.test if config.health_check is not None else ()
    for place, words in (("cmd", config.cmd), ("entrypoint", config.entrypoint), ("healthcheck", check)):
        for told in dict.fromkeys(secrets_in.in_command(" ".join(words or ()))):
            yield _finding("secret-command", place, told)
    for step in config.on_build[:_MOST]:
        for told in dict.fromkeys(secrets_in.in_command(step)):
            yield _finding("secret-command", "onbuild", told)
    if config.on_build:
        yield _finding("onbuild", "onbuild", f"{len(config.on_build)} instructions, the first: {config.on_build[0]}")


def _places(config: ImageConfig) -> Iterator[Finding]:
    if config.working_dir.lstrip("/").split("/")[0] == "proc":
        yield _finding("workdir-proc", "workdir", config.working_dir)
    for port in config.exposed_ports[:_MOST]:
        number = port.partition("/")[0]
        if number.isdecimal() and len(number) < 6 and int(number) in _ADMIN and not port.endswith("/udp"):
            yield _finding("port-admin", "expose", f"{port} ({_ADMIN[int(number)]})")
    for volume in config.volumes[:_MOST]:
        plain = "/" + volume.strip("/")
        if plain in ("/", *_SENSITIVE) or plain.startswith(("/proc/", "/sys/")) or plain.endswith(_SOCKETS):
            yield _finding("volume-sensitive", "volume", volume)
