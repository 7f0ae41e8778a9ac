"""`system prune`: removing what nothing uses, and giving its room back."""

from __future__ import annotations

from sonata.engine.containers import filters as container_filters
from sonata.engine.containers import present
from sonata.engine.containers.remove import remove as remove_container
from sonata.engine.images.listing import listing as list_images
from sonata.engine.images.remove import remove as remove_image
from sonata.engine.networks.list import listed as list_networks
from sonata.engine.networks.remove import remove as remove_network
from sonata.engine.volumes.listing import listing as list_volumes
from sonata.engine.volumes.remove import remove as remove_volume
from sonata.image.partial import PartialUse
from sonata.image.transfer import partial_folder
from sonata.state import containers as rows
from sonata.state import objects
from sonata_core.errors import Conflict, Denied, InUse, NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.record import Record
from sonata_core.sdk.trees import tree_usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sonata.engine.engine import Engine

_ENDED = ("created", "exited", "stopped", "configured")
_EVERYWHERE = ("label", "until")
"""Filters that every kind of thing understands."""
_EVERYWHERE_AND_NOT = (*_EVERYWHERE, "label!")
_TRUTH = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}


class Pruned(Record):
    """What was removed, kind by kind, and how many bytes of disk that gave back."""

    removed: tuple[tuple[str, tuple[str, ...]], ...]
    reclaimed: int


def prune(engine: Engine, *, images: bool, volumes: bool, filters: tuple[str, ...] = ()) -> Pruned:
    """Remove stopped containers, unused networks, dangling images (with `images` all unused ones), what is
    left of broken pulls, and with `volumes` unused volumes. What others begin to use meanwhile stays.

    Raises UsageError for a filter other than `label` and `until`.
    """
    present.recover(engine)
    before = _disk(engine)
    removed = [
        ("Containers", _containers(engine, filters)),
        ("Networks", _networks(engine, filters)),
    ]
    if volumes:
        removed.append(("Volumes", _volumes(engine, filters)))
    removed.append(("Images", _images(engine, filters, everything=images)))
    if not filters:
        PartialUse(partial_folder(engine.config.storage.graph_root)).prune()
    return Pruned(
        removed=tuple((kind, tuple(names)) for kind, names in removed), reclaimed=max(before - _disk(engine), 0)
    )


def prune_containers(engine: Engine, filters: tuple[str, ...] = ()) -> list[str]:
    """Remove containers that do not run; their ids. Raises UsageError for filters that make no sense."""
    present.recover(engine)
    _known(filters, _EVERYWHERE_AND_NOT)
    return _containers(engine, filters)


def prune_images(engine: Engine, filters: tuple[str, ...] = (), *, everything: bool) -> list[str]:
    """Remove dangling images, or all that no container uses; their ids. Raises UsageError."""
    present.recover(engine)
    return _images(engine, filters, everything=everything)


def unused_volumes(engine: Engine, filters: tuple[str, ...] = (), *, everything: bool) -> list[str]:
    """Names of volumes that no container uses: those without a name of their own, or all. Raises UsageError."""
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
    return _each(names, lambda name: remove_volume(engine, name))


def _known(filters: tuple[str, ...], keys: tuple[str, ...]) -> None:
    for key in container_filters.grouped(filters):
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
        except (InUse, NotFound, Conflict, Denied):
            continue
        done.append(name)
    return done


def _containers(engine: Engine, filters: tuple[str, ...]) -> list[str]:
    conditions = container_filters.conditions(engine, filters)
    found = [present.corrected(engine, row) for row in rows.listed(engine.database)]
    ended = [row for row in found if container_filters.shown_state(row) in _ENDED]
    names = [row.config.id for row in ended if all(condition(row) for condition in conditions)]
    # One that another needs goes after it: the newest go first.
    return _each(reversed(names), lambda ident: remove_container(engine, ident, volumes=False))


def _networks(engine: Engine, filters: tuple[str, ...]) -> list[str]:
    own = {definition.name for definition in objects.networks(engine.database)}
    default = engine.config.network.default_network
    found = list_networks(engine, (*filters, "dangling=true"))
    names = [one.name for one in found if one.name in own and one.name != default]
    return _each(names, lambda name: remove_network(engine, name))


def _volumes(engine: Engine, filters: tuple[str, ...]) -> list[str]:
    found = list_volumes(engine, (*filters, "dangling=true"))
    return _each([one.name for one in found], lambda name: remove_volume(engine, name))


def _images(engine: Engine, filters: tuple[str, ...], *, everything: bool) -> list[str]:
    wanted = "containers=false" if everything else "dangling=true"
    found = list_images(engine, (), (*filters, wanted))
    names = [str(one.id) for one in found if not one.containers and not one.read_only]
    return _each(names, lambda ident: remove_image(engine, ident, force=True))
