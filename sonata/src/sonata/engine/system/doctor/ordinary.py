"""The examination of an ordinary user's host: from outside of his namespaces, for what keeps him from making them."""

from __future__ import annotations

import os

from sonata.config.search import places_of
from sonata.engine import rootless
from sonata.engine.system.doctor import ordinary_ids as ids
from sonata.engine.system.doctor import ordinary_places as places
from sonata.engine.system.doctor.finding import Finding, error
from sonata.engine.system.doctor.kernel import read
from sonata.host import cgroups
from sonata_core.errors import SonataError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping

    from sonata.config.values import EngineConfig


def examine(environ: MutableMapping[str, str], configure: Callable[[], EngineConfig]) -> tuple[list[Finding], bool]:
    """What is found, and whether this process is in the user's namespaces now. Nothing for root.

    `configure` reads the configuration, as it is outside of the namespaces.
    """
    uid = os.geteuid()
    if uid == 0 or rootless.entered(environ):
        return [], True
    user = ids.User(uid=uid, gid=os.getegid(), names=rootless.owners(uid, environ))
    found = [*_identity(user, environ), *_surroundings(user, environ)]
    try:
        config = configure()
    except SonataError:  # told by the examination of the configuration
        pass
    else:
        found += _configured(user, config, environ)
    try:
        rootless.enter(environ, quiet=True)
    except SonataError as failure:
        mend = failure.hint or ("mend what is found above" if found else "see what else is found")
        return [*found, error("user-namespace", "the user's namespaces cannot be made", failure.message, mend)], False
    return found, True


def _identity(user: ids.User, environ: MutableMapping[str, str]) -> Iterator[Finding]:
    for kind in ("uid", "gid"):
        yield from ids.check_ranges(user, kind, read(f"/etc/sub{kind}"))
    yield from ids.check_helpers(path=environ.get("PATH") or os.defpath)
    yield from ids.check_process(read("/proc/self/status"))
    yield from ids.check_switches()
    pause = rootless.pause_file(places_of(environ, user.uid))
    try:
        maps = rootless.maps(user.uid, user.gid, environ)
    except SonataError:  # its reason is found above
        return
    shown: dict[str, list[tuple[int, ...]]] = {
        kind: [(one.container_id, one.host_id, one.size) for one in parts]
        for kind, parts in (("uid", maps.uids), ("gid", maps.gids))
    }
    yield from ids.check_keeper(pause, shown)


def _surroundings(user: ids.User, environ: MutableMapping[str, str]) -> Iterator[Finding]:
    used = places_of(environ, user.uid).runtime_dir
    yield from places.check_runtime(user, environ.get("XDG_RUNTIME_DIR"), used, places.mounts())
    yield from places.check_home(user, environ.get("HOME"))
    yield from places.check_ping(user, read("/proc/sys/net/ipv4/ping_group_range"))
    version, _, _ = cgroups.detect()
    group = cgroups.of_process().get("", "").rstrip("/")
    yield from places.check_groups(version, read(f"/sys/fs/cgroup{group}/cgroup.controllers"), group)


def _configured(user: ids.User, config: EngineConfig, environ: MutableMapping[str, str]) -> Iterator[Finding]:
    yield from places.check_store(user, config.storage.graph_root, places.mounts())
    yield from places.check_devices(user, config.network.default_rootless_network_cmd)
    bus = environ.get("DBUS_SESSION_BUS_ADDRESS")
    yield from places.check_session(user, config.engine.cgroup_manager, bus, config.places.runtime_dir)
