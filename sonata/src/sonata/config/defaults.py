"""From the configuration to what a new container gets unless it asks otherwise."""

from __future__ import annotations

import os

from sonata.config.values import EngineConfig
from sonata.model.defaults import Defaults
from sonata_core.record import fields_of

_ENGINE = ("detach_keys", "image_volume_mode", "pod_exit_policy", "stop_timeout")


def defaults_for(config: EngineConfig, *, systemd: bool) -> Defaults:
    """The defaults that planning starts from. `systemd`: the host was booted with it."""
    own = fields_of(Defaults)
    values = {name: getattr(config.containers, name) for name in fields_of(type(config.containers)) if name in own}
    values.update({name: getattr(config.engine, name) for name in _ENGINE})
    values["init_path"] = config.paths.init_path
    values["seccomp_profile"] = config.paths.seccomp_profile
    values["netns"] = "" if config.containers.netns == "private" else config.containers.netns
    values["cgroup_manager"] = "cgroupfs" if lacks_session(config) else _manager(config, systemd)
    values["default_network"] = config.network.default_network
    values["rootless_network"] = config.network.default_rootless_network_cmd
    chosen = (
        ("network_backend", config.network.network_backend),
        ("runtime", config.engine.runtime),
        ("storage_driver", config.storage.driver),
    )
    values.update({name: value for name, value in chosen if value})
    return Defaults(**values)


def _manager(config: EngineConfig, systemd: bool) -> str:
    if config.engine.cgroup_manager:
        return config.engine.cgroup_manager
    return "systemd" if systemd and (config.places.uid == 0 or _has_session(config)) else "cgroupfs"


def lacks_session(config: EngineConfig) -> bool:
    """Whether an ordinary user wants his session's systemd for control groups, and there is none to be asked."""
    return config.engine.cgroup_manager == "systemd" and config.places.uid != 0 and not _has_session(config)


def _has_session(config: EngineConfig) -> bool:
    places = config.places
    # The runtime asks over the session's bus, which a stock Debian without dbus-user-session does not have.
    bus = config.environment.get("DBUS_SESSION_BUS_ADDRESS") or os.path.exists(f"{places.runtime_dir}/bus")
    return bool(bus) and os.path.exists(f"{places.runtime_dir}/systemd/private")
