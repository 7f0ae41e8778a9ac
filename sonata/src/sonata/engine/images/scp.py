"""Images from host to host over ssh, and from user to user of this host: `image scp`.

At either end a program saves or loads an archive: this one, or what the other host has of Sonata or Podman.
"""

from __future__ import annotations

import os

from sonata.host.piping import pipe
from sonata_core.errors import ExternalFailure, HostLacks, NotFound, Unsupported, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.record import Record

if TYPE_CHECKING:
    from sonata.engine.engine import Engine

FORMATS = ("docker-archive", "oci-archive")
_LARGEST = 1 << 20
_HERE = ("localhost", "127.0.0.1", "::1")
_REMOTE = (
    "p=$(command -v sonata || command -v podman) || "
    '{{ echo "neither sonata nor podman is here" >&2; exit 127; }}; exec "$p" {}'
)
"""What the other host's shell is given: the way to that host's engine, and its words, quoted."""


class End(Record):
    """One end: nothing for this user of this host. `user` alone is one of this host; `host` is reached by ssh."""

    image: str = ""
    user: str = ""
    host: str = ""
    port: str = ""
    identity: str = ""

    @property
    def local(self) -> bool:
        """Whether it is this very store."""
        return not self.user and not self.host


def scp(engine: Engine, source: str, destination: str, form: str = "") -> str:
    """Copy an image between hosts or users, each end as `[[USER@]HOST::][IMAGE]`; what the loading end printed.

    Raises UsageError, NotFound (no such user or connection), Unsupported, HostLacks, ExternalFailure.
    """
    start, goal = parse_end(engine, source), parse_end(engine, destination)
    if not start.image:
        raise UsageError(f"{source}: no image is named", hint="sonata image scp HOST::IMAGE")
    if goal.image:
        raise UsageError(
            f"{destination}: an image cannot be renamed on the way",
            hint="name the host alone, then tag the image there",
        )
    if start.local and goal.local:
        raise UsageError("you must specify a destination or source that is not this store", hint=f"{source} HOST::")
    if form and form not in FORMATS:
        raise UsageError(f"unknown format {form!r}", hint=f"{' and '.join(FORMATS)} are known")
    giver = _command(engine, start, ("save", "-q", "--format", form or FORMATS[0], start.image))
    taker = _command(engine, goal, ("load", "-q"))
    gave, took, told = pipe(giver, taker, os.environ)
    if took and (not gave or gave < 0):
        raise ExternalFailure(f"loading the image {_at(goal)} failed: exit code {took}")
    if gave:
        raise ExternalFailure(f"saving {start.image} {_at(start)} failed: exit code {gave}")
    return told.decode(errors="replace")


def _at(end: End) -> str:
    return f"at {end.host}" if end.host else f"as {end.user}" if end.user else "here"


def parse_end(engine: Engine, text: str) -> End:
    """What an argument names. Raises UsageError."""
    place, colons, image = text.partition("::")
    if not colons:
        return End(image=text)
    if not place or place.startswith("-"):
        raise UsageError(f"{text!r} names no host before the ::")
    known = _connection(engine, place)
    if known is not None:
        return known.replace(image=image)
    user, _, host = place.removeprefix("ssh://").rpartition("@")
    host, _, port = host.partition(":")
    if host.startswith("-") or user.startswith("-") or (port and not port.isdigit()):
        raise UsageError(f"{place!r} is no host to reach by ssh", hint="[USER@]HOST[:PORT]")
    if host in _HERE and user and not port and not place.startswith("ssh://"):
        return End(image=image, user=user)
    return End(image=image, user=user, host=host, port=port)


def _connection(engine: Engine, name: str) -> End | None:
    """A connection that Podman was told of (`podman-connections.json`). Raises Unsupported for what is not ssh."""
    import json

    from sonata_core.sdk.content import read_small

    try:
        document = json.loads(read_small(f"{engine.config.places.user}/podman-connections.json", _LARGEST))
    except (NotFound, ValueError):
        return None
    connections = document.get("Connection", {}).get("Connections", {}) if isinstance(document, dict) else {}
    found = connections.get(name)
    if not isinstance(found, dict):
        return None
    scheme, _, rest = str(found.get("URI", "")).partition("://")
    if scheme != "ssh":
        raise Unsupported(f"the connection {name} is reached by {scheme or 'nothing'}, images are sent by ssh only")
    user, _, host = rest.partition("/")[0].rpartition("@")
    host, _, port = host.partition(":")
    return End(user=user, host=host, port=port, identity=str(found.get("Identity", "")))


def _command(engine: Engine, end: End, words: tuple[str, ...]) -> tuple[str, ...]:
    if end.local:
        return (*_own(engine), *engine.overrides.arguments, *words)
    if end.host:
        return _by_ssh(engine, end, words)
    return _as_user(engine, end.user, words)


def _own(engine: Engine) -> tuple[str, ...]:
    program, *more = engine.overrides.program
    return (engine.find_program(program) or program, *more)


def _by_ssh(engine: Engine, end: End, words: tuple[str, ...]) -> tuple[str, ...]:
    from shlex import join

    ssh = engine.find_program("ssh")
    if ssh is None:
        raise HostLacks("there is no ssh to reach the other host with", hint="apt-get install openssh-client")
    options = ["-T"]
    if engine.config.engine.ssh_config:
        options += ["-F", engine.config.engine.ssh_config]
    for letter, value in (("-p", end.port), ("-l", end.user), ("-i", end.identity)):
        options += [letter, value] if value else []
    return (ssh, *options, "--", end.host, _REMOTE.format(join(words)))


def _as_user(engine: Engine, user: str, words: tuple[str, ...]) -> tuple[str, ...]:
    import pwd

    try:
        found = pwd.getpwnam(user)
    except KeyError as error:
        raise NotFound(f"unknown user {user}", name=user) from error
    if found.pw_uid == engine.facts.uid:
        return (*_own(engine), *engine.overrides.arguments, *words)
    runuser = engine.find_program("runuser")
    if engine.facts.uid != 0 or runuser is None:
        raise Unsupported(
            f"images of {user} are in a store that only {user} can open",
            hint="run `sonata image scp` as root, such as with sudo",
        )
    env = [f"HOME={found.pw_dir}", f"USER={user}", f"LOGNAME={user}", f"PATH={engine.facts.path}"]
    run = f"/run/user/{found.pw_uid}"
    env += [f"XDG_RUNTIME_DIR={run}"] if os.path.isdir(run) else []
    return (runuser, "-u", user, "--", "/usr/bin/env", "-i", "-C", "/", *env, *_own(engine), *words)
