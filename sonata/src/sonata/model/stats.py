"""What `stats` is told of one container."""

from sonata_core.lite import Mapping
from sonata_core.record import Record


class Traffic(Record):
    """What went through one network interface."""

    rx_bytes: int = 0
    rx_packets: int = 0
    rx_errors: int = 0
    rx_dropped: int = 0
    tx_bytes: int = 0
    tx_packets: int = 0
    tx_errors: int = 0
    tx_dropped: int = 0


class ContainerStats(Record):
    """What a container uses. Sizes in bytes, times in nanoseconds, `cpu` in percent of one processor.

    `taken` is when that was looked at, since the epoch; 0 for a container that does not run.
    """

    id: str
    name: str
    taken: int = 0
    cpu: float = 0.0
    average_cpu: float = 0.0
    cpu_ns: int = 0
    cpu_system_ns: int = 0
    memory: int = 0
    memory_limit: int = 0
    pids: int = 0
    io_read: int = 0
    io_written: int = 0
    network: Mapping[str, Traffic] = {}

    @property
    def memory_percent(self) -> float:
        """Of what it may have."""
        return 100 * self.memory / self.memory_limit if self.memory_limit else 0.0

    @property
    def received(self) -> int:
        """Bytes, of all interfaces."""
        return sum(one.rx_bytes for one in self.network.values())

    @property
    def sent(self) -> int:
        """Bytes, of all interfaces."""
        return sum(one.tx_bytes for one in self.network.values())
