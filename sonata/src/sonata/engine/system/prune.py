"""`system prune`: removing what nothing uses, and giving its room back."""

from __future__ import annotations

import os
import stat

from sonata.engine import events
from sonata.engine.containers import filters as container_filters
from sonata.engine.containers import present
from sonata.engine.containers.remove import remove as remove_container
from sonata.engine.containers.transient import forget_dead
from sonata.engine.images.listing import listing as list_images
from sonata.engine.networks.list import listed as list_networks
from sonata.engine.networks.remove import remove as remove_network
from sonata.engine.storage import delete_container
from sonata.engine.system import leftovers, pending
from sonata.engine.system.check import GRACE
from sonata.engine.volumes.listing import listing as list_volumes
from sonata.engine.volumes.remove import remove as remove_volume
from sonata.host import mounts
from sonata.image.partial import PartialUse
from sonata.image.transfer import partial_folder
from sonata.state import containers as rows
from sonata.state import objects
from sonata_core.errors import Conflict, Denied, ExternalFailure, InUse, NotFound, Unavailable, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.record import Record
from sonata_core.sdk.trees import remove_tree, tree_usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sonata.engine.engine import Engine
    from sonata.store.records import ContainerRecord

_ENDED = ("created", "exited", "stopped", "configured")
_EVERYWHERE = ("label", "until")
"""Filters that every kind of thing understands."""
_EVERYWHERE_AND_NOT = (*_EVERYWHERE, "label!")
_LEFT_BEHIND = ("driver", "orphan-data", "orphan-layer", "stage", "temporary")
"""Kinds of findings of the store's check: what no record names."""
_TRUTH = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}


class Wanted(Record):
    """What `system prune` shall remove beside stopped containers, unused networks and dangling images."""

    images: bool = False
    """All images that no container uses."""
    volumes: bool = False
    build: bool = False
    """Buildah's working containers. Nobody can tell whether a build is under way in one."""
    filters: tuple[str, ...] = ()


class Pruned(Record):
    """What was removed, kind by kind, and how many bytes of disk that gave back."""

    removed: tuple[tuple[str, tuple[str, ...]], ...]
    reclaimed: int


def prune(engine: Engine, wanted: Wanted) -> Pruned:
    """Remove what nothing uses, and what is left of broken pulls. What others begin to use meanwhile stays.

    Raises UsageError for a filter other than `label` and `until`.
    """
    _known(wanted.filters, _EVERYWHERE_AND_NOT)
    pending.recover(engine)
    before = _disk(engine)
    filters = wanted.filters
    pods = [] if filters else prune_pods(engine)
    containers = _containers(engine, filters)
    if wanted.build:
        containers += _build_containers(engine)
    networks = _networks(engine, filters)
    volumes = _volumes(engine, filters) if wanted.volumes else []
    images = _images(engine, filters, everything=wanted.images)
    if not filters:
        PartialUse(partial_folder(engine.config.storage.graph_root)).prune()
    removed = (
        ("Pods", pods),
        ("Containers", containers),
        ("Volumes", volumes),
        ("Images", images),
        ("Networks", networks),
    )
    return Pruned(
        removed=tuple((kind, tuple(names)) for kind, names in removed), reclaimed=max(before - _disk(engine), 0)
    )


def prune_external(engine: Engine) -> None:
    """Remove what the store's records do not name: folders of containers and layers that a crash left.

    A layer that nothing needs is left for a day, as `system check` does: a pull may be under way.
    """
    pending.recover(engine)
    forget_dead(engine)
    repaired = engine.store.check(
        quick=True, repair=True, grace=GRACE, own=rows.ids(engine.database), only=_LEFT_BEHIND
    )
    for note in repaired.notes:
        engine.log.warning("left_behind", note=note)
    for finding, mend in leftovers.find(engine):
        if finding.kind == "file" and mend is not None:
            mend()


def prune_pods(engine: Engine) -> list[str]:
    """Remove pods of which nothing runs any more, with their containers; their ids."""
    from sonata.engine.pods.prune import prune as prune_them

    return prune_them(engine)


def prune_networks(engine: Engine, filters: tuple[str, ...] = ()) -> list[str]:
    """Remove networks that no container is on, but for the default one and those of other tools; their names.

    Raises UsageError for a filter other than `label` and `until`.
    """
    for key in _keys(filters):
        if key not in _EVERYWHERE_AND_NOT:
            raise UsageError(f'invalid filter "{key}"')
    pending.recover(engine)
    return _networks(engine, filters)


def prune_containers(engine: Engine, filters: tuple[str, ...] = ()) -> list[str]:
    """Remove containers that do not run; their ids. Raises UsageError for filters that make no sense."""
    _known(filters, _EVERYWHERE_AND_NOT)
    pending.recover(engine)
    return _containers(engine, filters)


def prune_images(
    engine: Engine, filters: tuple[str, ...] = (), *, everything: bool, external: bool = False
) -> list[str]:
    """Remove dangling images, or all that no container uses; their ids. Raises UsageError.

    `external`: containers that another engine keeps in the store are no use, and go with the images.
    """
    for key in _keys(filters):
        if key in ("name", "!"):
            text = 'must be in the format "filter=value or filter!=value"'
            raise UsageError(f'invalid image filter "{key.rstrip("!")}": {text}')
    pending.recover(engine)
    if external:
        _free_images(engine, filters, everything=everything)
    return _images(engine, filters, everything=everything)


def prune_build_cache(engine: Engine) -> bool:
    """Remove what `--mount=type=cache` of builds kept, Buildah's and Podman's too; whether there was any."""
    folder = engine.config.environment.get("TMPDIR") or "/var/tmp"  # noqa: S108
    path = os.path.join(folder, f"buildah-cache-{engine.facts.uid}")
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return False
    # Anybody may make things there: only a folder of one's own is gone through.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != engine.facts.uid:
        raise Denied(f"{path} is no folder of this user's", hint="look at it, and remove it by hand")
    remove_tree(path)
    return True


def unused_volumes(engine: Engine, filters: tuple[str, ...] = (), *, everything: bool) -> list[str]:
    """Names of volumes that no container uses: those without a name of their own, or all. Raises UsageError."""
    _keys(filters)
    chosen, only = [], not everything
    for text in filters:
        key, _, value = text.partition("=")
        if key not in ("all", "anonymous"):
            chosen.append(text)
            continue
        if value.lower() not in _TRUTH:
            raise UsageError(f'"{value}" is not a valid value for the "{key}" filter - must be true or false')
        only = _TRUTH[value.lower()] is (key == "anonymous")
    found = list_volumes(engine, (*chosen, "dangling=true"))
    return [volume.name for volume in found if volume.anonymous or not only]


def prune_volumes(engine: Engine, names: Iterable[str]) -> list[str]:
    """Remove those of the volumes that are still unused; their names."""
    done = _each(names, lambda name: remove_volume(engine, name))
    for name in done:
        events.thing(engine, "volume", "prune", name)
    return done


def _keys(filters: tuple[str, ...]) -> list[str]:
    for text in filters:
        if "=" not in text:
            raise UsageError(f"filter input must be in the form of filter=value: {text} is invalid")
    return list(container_filters.grouped(filters))


def _known(filters: tuple[str, ...], keys: tuple[str, ...]) -> None:
    for key in _keys(filters):
        if key not in keys:
            raise UsageError(f"{key} is an invalid filter")


def _disk(engine: Engine) -> int:
    engine.database.close()  # so that its journal does not count
    graph, volumes = engine.config.storage.graph_root, engine.config.paths.volume_path
    outside = 0 if f"{volumes}/".startswith(f"{graph}/") else tree_usage(volumes)[0]
    return tree_usage(graph)[0] + outside


def _each(names: Iterable[str], act: Callable[[str], object]) -> list[str]:
    """Those that could be removed; what came into use or was removed by another meanwhile is passed over."""
    done = []
    for name in names:
        try:
            act(name)
        except (InUse, NotFound, Conflict, Denied, ExternalFailure, Unavailable):
            continue
        done.append(name)
    return done


def _containers(engine: Engine, filters: tuple[str, ...]) -> list[str]:
    conditions = container_filters.conditions(engine, filters)
    found = [present.corrected(engine, row) for row in rows.listed(engine.database)]
    # What is in a pod goes with it.
    ended = [row for row in found if container_filters.shown_state(row) in _ENDED and not row.config.pod]
    names = [row.config.id for row in ended if all(condition(row) for condition in conditions)]
    # One that another needs goes after it: the newest go first.
    return _each(reversed(names), lambda ident: remove_container(engine, ident, volumes=False))


def _foreign(engine: Engine) -> list[ContainerRecord]:
    """Records of containers that another engine keeps in the store and has not mounted: no process is in them."""
    own = set(rows.ids(engine.database))
    found = [one for one in engine.store.containers() if str(one.id) not in own]
    used = {mount.target for mount in mounts.mount_table()} if found else set()
    roots = [os.path.realpath(root) for root in engine.store.place.writable]
    return [one for one in found if not used & {f"{root}/{engine.driver}/{one.layer}/merged" for root in roots}]


def _build_containers(engine: Engine) -> list[str]:
    """Buildah's working containers, known by the file that it keeps beside each."""
    folder = f"{engine.config.storage.graph_root}/{engine.driver}-containers"
    found = [str(one.id) for one in _foreign(engine)]
    built = [ident for ident in found if os.path.exists(f"{folder}/{ident}/userdata/buildah.json")]
    return _each(built, lambda ident: delete_container(engine, ident))


def _free_images(engine: Engine, filters: tuple[str, ...], *, everything: bool) -> None:
    """Remove other engines' containers from the images that would go if nothing used them."""
    wanted = _of_images(filters, everything=everything)
    images = {str(one.id) for one in list_images(engine, (), wanted) if not one.read_only}
    own = {row.config.image_id for row in rows.listed(engine.database)}
    users = [str(one.id) for one in _foreign(engine) if one.image in images - own]
    _each(users, lambda ident: delete_container(engine, ident))


def _networks(engine: Engine, filters: tuple[str, ...]) -> list[str]:
    own = {definition.name for definition in objects.networks(engine.database)}
    default = engine.config.network.default_network
    found = list_networks(engine, (*filters, "dangling=true"))
    names = [one.name for one in found if one.name in own and one.name != default]
    return _each(names, lambda name: remove_network(engine, name))


def _volumes(engine: Engine, filters: tuple[str, ...]) -> list[str]:
    found = list_volumes(engine, (*filters, "dangling=true"))
    return prune_volumes(engine, [one.name for one in found])


def _of_images(filters: tuple[str, ...], *, everything: bool) -> tuple[str, ...]:
    """Dangling ones alone, where nothing else was said."""
    said = everything or any(text.startswith(("dangling=", "dangling!=")) for text in filters)
    return filters if said else (*filters, "dangling=true")


def _images(engine: Engine, filters: tuple[str, ...], *, everything: bool) -> list[str]:
    """Round after round, as removing one may leave another without need."""
    from sonata.engine.images.remove import Removal, remove_records

    wanted = (*_of_images(filters, everything=everything), "readonly=false", "containers=false")
    gone: list[str] = []
    while True:
        chosen = {one.id for one in list_images(engine, (), wanted)}
        records = [one for one in engine.store.images() if one.id in chosen]
        done = remove_records(engine, records, Removal()).processed
        if not done:
            return gone
        gone += done
