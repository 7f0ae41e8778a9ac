"""Where a container's files are: as Podman lays them out, so that people and tools find them."""

from __future__ import annotations

import os
import zlib

from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.ids import ContainerId
from sonata_core.models.runtime import ContainerRef

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.state.rows import ContainerRow


def cgroup_of(row: ContainerRow) -> str:
    """The container's control group, where Sonata chose it and not systemd; empty otherwise."""
    config = row.config
    if config.cgroups != "enabled" or config.backends.cgroup_manager == "systemd":
        return ""
    return f"{(config.cgroup_parent or '/libpod_parent').rstrip('/')}/libpod-{config.id}"


def store_tag(graph_root: str) -> str:
    """Eight hex digits that a store's network namespaces begin with, so that a lost one is known as ours."""
    return f"{zlib.crc32(os.path.abspath(graph_root).encode()):08x}"


class ContainerPaths:
    """The folders and files of one container."""

    def __init__(self, engine: Engine, driver: str, container: str) -> None:
        storage = engine.config.storage
        run = engine.config.paths.run_dir
        self.home = f"{storage.graph_root}/{driver}-containers/{container}"
        self.bundle = f"{self.home}/userdata"
        self.run_home = f"{storage.run_root}/{driver}-containers/{container}"
        self.run_dir = f"{self.run_home}/userdata"
        self.exit_dir = f"{run}/exits"
        self.exit_file = f"{run}/exits/{container}"
        self.persist_dir = f"{run}/persist/{container}"
        self.config = f"{self.bundle}/config.json"
        self.log = f"{self.bundle}/ctr.log"
        self.shm = f"{self.bundle}/shm"
        self.pid_file = f"{self.run_dir}/pidfile"
        self.conmon_pid_file = f"{self.run_dir}/conmon.pid"
        self.runtime_log = f"{self.run_dir}/oci-log"
        self.ref = ContainerRef(id=ContainerId(container), bundle=self.bundle, run_dir=self.run_dir)
