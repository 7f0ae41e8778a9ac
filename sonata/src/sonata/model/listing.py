"""What `ps` is told of one container."""

from sonata_core.lite import Mapping
from sonata_core.models.net import PortMapping
from sonata_core.record import Record


class ListedContainer(Record):
    """A row of `ps`: facts, not texts. Times are seconds since the epoch, `created` nanoseconds.

    `size` is own bytes and all bytes, None where it was not asked for. `namespaces` are the inode
    numbers of the container's namespaces, by Podman's names; empty where not asked for.
    """

    id: str
    name: str
    image: str
    image_id: str
    command: tuple[str, ...]
    created: int
    state: str
    exit_code: int
    exited: bool
    exited_at: int
    started_at: int
    pid: int
    restarts: int
    labels: Mapping[str, str]
    mounts: tuple[str, ...]
    networks: tuple[str, ...]
    ports: tuple[PortMapping, ...]
    exposed: tuple[str, ...]
    auto_remove: bool
    cidfile: str
    health: str = ""
    size: tuple[int, int] | None = None
    namespaces: Mapping[str, str] = {}
    pod: str = ""
    pod_name: str = ""
    infra: bool = False
