"""Where a setting got its value: which file, which line. Read again from the files, for commands that explain."""

from sonata.config.parse import Reader, line_of, read_toml
from sonata.config.settings import CONTAINERS_CONF, STORAGE_CONF
from sonata.config.values import EngineConfig
from sonata_core.lite import Any
from sonata_core.record import Record

_ENGINE = ("cgroup_manager", "detach_keys", "image_volume_mode", "runtime", "stop_timeout")
_ELSEWHERE = {
    "default_network": ("network.default_network",),
    "init_path": ("containers.init_path", "engine.init_path"),
    "network_backend": ("network.network_backend",),
    "rootless_network": ("network.default_rootless_network_cmd",),
    "storage_driver": ("storage.driver",),
}


class Origin(Record):
    """A setting (`containers.pids_limit`) as one file has it, and in which line. `usual`: as built in."""

    setting: str
    value: Any
    file: str
    line: int
    usual: bool = False


def origins(config: EngineConfig) -> tuple[Origin, ...]:
    """Every setting of every file that was read, in the order of reading: later ones go before. Raises UsageError."""
    rows = (*CONTAINERS_CONF, *STORAGE_CONF)
    found = []
    for path in config.files:
        reader = Reader(rows)
        reader.read(path)
        _, text = read_toml(path)
        for table, key in reader.origin:
            value = reader.values[table, key]
            found.append(
                Origin(
                    setting=f"{table}.{key}",
                    value=value,
                    file=path,
                    line=line_of(text, table, key),
                    usual=value == reader.rows[table, key].default,
                )
            )
    return tuple(found)


def settings_of(field: str) -> tuple[str, ...]:
    """The settings that a field of the containers' defaults is made from."""
    if field in _ENGINE:
        return (f"engine.{field}",)
    return _ELSEWHERE.get(field, (f"containers.{field}",))
