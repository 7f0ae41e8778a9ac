"""What an image says about the containers made from it."""

from sonata_core.lite import Mapping
from sonata_core.record import Record


class HealthCheck(Record):
    """A health check as Docker's config has it; durations in nanoseconds, 0 for the default."""

    test: tuple[str, ...] = ()
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class HistoryItem(Record):
    """One step of how an image came to be; times as they were written (RFC 3339)."""

    created: str = ""
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


class ImageConfig(Record):
    """An image's config: of OCI, with what Docker adds. Absent things are empty.

    `entrypoint` and `cmd` are None where the image has none, which is not the same as an empty list.
    """

    os: str = "linux"
    architecture: str = ""
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()
    created: str = ""
    author: str = ""
    comment: str = ""
    parent: str = ""
    docker_version: str = ""
    user: str = ""
    exposed_ports: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    volumes: tuple[str, ...] = ()
    working_dir: str = ""
    labels: Mapping[str, str] = {}
    stop_signal: str = ""
    stop_timeout: int | None = None
    args_escaped: bool = False
    health_check: HealthCheck | None = None
    on_build: tuple[str, ...] = ()
    shell: tuple[str, ...] = ()
    hostname: str = ""
    domainname: str = ""
    diff_ids: tuple[str, ...] = ()
    history: tuple[HistoryItem, ...] = ()
