"""Phases of a container's life and what may be done in each: one table, Podman's words for refusals."""

from __future__ import annotations

from sonata_core.errors import Conflict
from sonata_core.lite import StrEnum


class Phase(StrEnum):
    """Where a container stands. The words are those that `ps` and `inspect` show."""

    CREATING = "creating"
    """The row is there, the rest is being made."""
    CONFIGURED = "configured"
    INITIALISING = "initialising"
    INITIALISED = "initialized"
    """The runtime has created it."""
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    STOPPED = "stopped"
    """The process is gone, its surroundings are not yet."""
    EXITED = "exited"
    REMOVING = "removing"
    UNKNOWN = "unknown"


class Verb(StrEnum):
    """What may be asked of a container."""

    INIT = "init"
    START = "start"
    STOP = "stop"
    KILL = "kill"
    PAUSE = "pause"
    UNPAUSE = "unpause"
    EXEC = "exec"
    ATTACH = "attach"
    RESTART = "restart"
    REMOVE = "remove"
    CLEANUP = "cleanup"
    MOUNT = "mount"
    RENAME = "rename"
    CHECKPOINT = "checkpoint"
    CONNECT = "connect"
    RESIZE = "resize"
    TOP = "top"


_P = Phase
_AT_REST = frozenset({_P.CONFIGURED, _P.STOPPED, _P.EXITED})
_LIVE = frozenset({_P.RUNNING, _P.STOPPING, _P.PAUSED})
_EVERY = frozenset(Phase) - {_P.CREATING, _P.REMOVING, _P.UNKNOWN}

ALLOWED: dict[Verb, frozenset[Phase]] = {
    Verb.INIT: _AT_REST,
    Verb.START: _AT_REST | {_P.INITIALISED},
    Verb.STOP: _EVERY - {_P.PAUSED},
    Verb.KILL: _LIVE,
    Verb.PAUSE: frozenset({_P.RUNNING}),
    Verb.UNPAUSE: frozenset({_P.PAUSED}),
    Verb.EXEC: frozenset({_P.RUNNING}),
    Verb.ATTACH: frozenset({_P.INITIALISED, _P.RUNNING}),
    Verb.RESTART: _EVERY - {_P.PAUSED},
    Verb.REMOVE: (frozenset(Phase) - {_P.RUNNING, _P.PAUSED, _P.INITIALISING}),
    Verb.CLEANUP: frozenset(Phase) - {_P.RUNNING, _P.PAUSED},
    Verb.MOUNT: _EVERY,
    Verb.RENAME: _EVERY,
    Verb.CHECKPOINT: frozenset({_P.RUNNING}),
    Verb.CONNECT: _EVERY,
    Verb.RESIZE: frozenset({_P.INITIALISED, _P.RUNNING}),
    Verb.TOP: frozenset({_P.RUNNING}),
}

_IMPROPER = "container state improper"
_REFUSALS: dict[Verb, str] = {
    Verb.INIT: "container {id} has already been created in runtime",
    Verb.START: "container {id} must be in Created or Stopped state to be started",
    Verb.STOP: "can only stop created or running containers. {id} is in state {shown}",
    Verb.KILL: "can only kill running containers. {id} is in state {shown}",
    Verb.PAUSE: '"{shown}" is not running, can\'t pause',
    Verb.UNPAUSE: '"{id}" is not paused, can\'t unpause',
    Verb.EXEC: "can only create exec sessions on running containers",
    Verb.ATTACH: "you can only attach to running containers",
    Verb.RESTART: "unable to restart a container in a paused or unknown state",
    Verb.REMOVE: (
        "cannot remove container {id} as it is {shown} - running or paused containers cannot be removed without force"
    ),
    Verb.CLEANUP: "container {id} is running or paused, refusing to clean up",
    Verb.MOUNT: "cannot mount container {id} as it is being removed",
    Verb.RENAME: "container {id} is in state {shown} and cannot be renamed",
    Verb.CHECKPOINT: '"{shown}" is not running, cannot checkpoint',
    Verb.CONNECT: "cannot change the networks of container {id} in state {shown}",
    Verb.RESIZE: "cannot resize container {id} in state {shown}",
    Verb.TOP: "top can only be used on running containers",
}
_PAUSED = "container {id} is running or paused, refusing to clean up"
"""What Podman says of a paused container that is to be stopped."""
_SHOWN = {Phase.CONFIGURED: "created", Phase.CREATING: "creating"}


def shown(phase: Phase) -> str:
    """The phase as users see it: a configured container is `created`."""
    return _SHOWN.get(phase, str(phase))


def allows(phase: Phase, verb: Verb) -> bool:
    """Whether the verb may be done in this phase."""
    return phase in ALLOWED[verb]


def require(phase: Phase, verb: Verb, container_id: str) -> None:
    """Raises Conflict, in Podman's words, unless the verb may be done in this phase."""
    if not allows(phase, verb):
        words = _PAUSED if verb is Verb.STOP and phase is Phase.PAUSED else _REFUSALS[verb]
        text = words.format(id=container_id, shown=shown(phase))
        if verb is Verb.PAUSE and phase is Phase.PAUSED:
            text = f'"{container_id}" is already paused'
        if verb is not Verb.TOP:
            text = f"{text}: {_IMPROPER}"
        raise Conflict(text, object=container_id)


MOVES: dict[Phase, frozenset[Phase]] = {
    _P.CREATING: frozenset({_P.CONFIGURED, _P.REMOVING}),
    _P.CONFIGURED: frozenset({_P.INITIALISING, _P.EXITED, _P.REMOVING}),
    _P.INITIALISING: frozenset({_P.INITIALISED, _P.CONFIGURED, _P.EXITED, _P.STOPPED, _P.REMOVING}),
    _P.INITIALISED: frozenset({_P.RUNNING, _P.STOPPING, _P.STOPPED, _P.EXITED, _P.REMOVING}),
    _P.RUNNING: frozenset({_P.PAUSED, _P.STOPPING, _P.STOPPED, _P.EXITED, _P.UNKNOWN}),
    _P.PAUSED: frozenset({_P.RUNNING, _P.STOPPING, _P.STOPPED, _P.EXITED, _P.UNKNOWN}),
    _P.STOPPING: frozenset({_P.STOPPED, _P.EXITED, _P.RUNNING, _P.UNKNOWN}),
    _P.STOPPED: frozenset({_P.EXITED, _P.INITIALISING, _P.REMOVING}),
    _P.EXITED: frozenset({_P.INITIALISING, _P.REMOVING}),
    _P.REMOVING: frozenset(),
    _P.UNKNOWN: frozenset({_P.STOPPED, _P.EXITED, _P.REMOVING}),
}
"""Which phase may follow which. A row from another boot goes to configured or exited outside of this table."""


def after_reboot(phase: Phase) -> Phase:
    """What a phase from another boot reads as: nothing runs, what was being done was not done."""
    if phase in (_P.CREATING, _P.REMOVING, _P.CONFIGURED):
        return phase
    if phase in (_P.INITIALISING, _P.INITIALISED):
        return _P.CONFIGURED
    return _P.EXITED
