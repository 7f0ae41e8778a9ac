"""What passes between the engine and the participants of the hooks group."""

from sonata_core.lite import Any, Mapping
from sonata_core.record import Record

RuntimeSpec = Mapping[str, Any]
"""A config.json of the OCI runtime specification, to be read only."""


class OciHook(Record):
    """A hook of the runtime specification. `timeout` in seconds; `origin` says who asked for it."""

    path: str
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    timeout: int | None = None
    stages: tuple[str, ...] = ()
    origin: str = ""


class SpecAdjustment(Record):
    """Changes to a container's spec, as data. The engine merges them; two writers of one field are a Conflict.

    `mounts` and `devices` are objects of the runtime specification, `device_rules` entries of
    `linux.resources.devices`, `env` is `NAME=value`, `seccomp` replaces `linux.seccomp`.
    """

    origin: str
    mounts: tuple[Mapping[str, Any], ...] = ()
    devices: tuple[Mapping[str, Any], ...] = ()
    device_rules: tuple[Mapping[str, Any], ...] = ()
    env: tuple[str, ...] = ()
    hooks: tuple[OciHook, ...] = ()
    annotations: Mapping[str, str] = {}
    additional_gids: tuple[int, ...] = ()


class ContainerEvent(Record):
    """Something that happened to a container. `time` is in nanoseconds since the epoch."""

    container: str
    name: str
    image: str
    status: str
    time: int
    attributes: Mapping[str, str] = {}
