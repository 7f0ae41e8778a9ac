"""Which user namespace a container gets, and the maps that are known before it is made: `--userns` and its like.

`auto` draws its maps from the host's ranges when the container is created (`plan.userns.automatic`).
"""

from __future__ import annotations

from sonata.model.container import NamespaceChoice, NamespaceKind
from sonata.model.idranges import split
from sonata.plan import idmaps, userns, userns_options
from sonata.plan.values import go_quote
from sonata_core.errors import UsageError
from sonata_core.models.process import IdMap, IdMapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sonata.model.container import ProcessConfig
    from sonata.model.materials import Materials
    from sonata.model.request import RunRequest
    from sonata_core.models.host import HostFacts

_K = NamespaceKind


def spelled_out(given: RunRequest) -> bool:
    """Whether the request names maps: that alone asks for a user namespace."""
    return bool(given.uidmap or given.gidmap or given.subuidname or given.subgidname)


def check(given: RunRequest, choice: NamespaceChoice, facts: HostFacts) -> None:
    """Raises UsageError for options that are none of the mode's, or contradict each other."""
    if choice.kind is _K.AUTO:
        userns_options.auto_options(options(choice), facts.id_mapping)
    elif choice.kind is _K.KEEP_ID:
        userns_options.keep_id_user(options(choice))
    elif choice.kind is _K.NO_MAP:
        if not facts.rootless:
            raise UsageError("nomap is only supported in rootless mode")
    elif choice.kind is _K.PRIVATE and not spelled_out(given):
        raise UsageError("must provide at least one UID or GID mapping to configure a user namespace")


def options(choice: NamespaceChoice) -> str | None:
    """What follows the mode's colon; None without a colon."""
    return choice.value[1:] if choice.value.startswith(":") else None


def maps(
    given: RunRequest, choice: NamespaceChoice, materials: Materials, facts: HostFacts
) -> tuple[NamespaceChoice, IdMapping | None]:
    """The namespace as it is kept, and its maps; None: the host's ids, or (`auto`) not drawn yet. Raises UsageError."""
    if choice.kind is _K.PRIVATE:
        return choice, idmaps.explicit(given.uidmap, given.gidmap, facts.id_mapping, _named(given, materials, facts))
    if choice.kind is _K.KEEP_ID:
        return choice, _kept(choice, facts) if facts.rootless else userns.identity()
    if choice.kind is _K.NO_MAP:
        return choice, subordinate(facts)
    if choice.kind is _K.PATH:
        return choice, materials.user_namespace
    if choice.kind is _K.CONTAINER:
        other = next(one for one in materials.containers.values() if one.id == choice.value)
        # Whoever shares the namespace of one that has none of its own is on the host's.
        return (choice, other.id_mapping) if other.id_mapping else (NamespaceChoice(kind=_K.HOST), None)
    return choice, None


def _own(facts: HostFacts) -> tuple[tuple[int, int], tuple[int, int]]:
    """An ordinary user's ids outside of the engine's namespace, and how many subordinate ones there are."""
    mapping = facts.id_mapping or IdMapping()
    own, total = [], []
    for parts, outside in ((mapping.uids, facts.uid), (mapping.gids, facts.gid)):
        own.append(next((part.host_id for part in parts if part.container_id == 0), outside))
        total.append(sum(part.size for part in parts) - 1)
    return (own[0], own[1]), (max(total[0], 0), max(total[1], 0))


def subordinate(facts: HostFacts) -> IdMapping | None:
    """All ids of an ordinary user's namespace but his own, from 0 on; None for root."""
    if not facts.rootless:
        return None
    _, (uids, gids) = _own(facts)
    return IdMapping(uids=userns.no_map(uids), gids=userns.no_map(gids))


def _kept(choice: NamespaceChoice, facts: HostFacts) -> IdMapping:
    own, (uids, gids) = _own(facts)
    at = userns_options.keep_id_user(options(choice), own)
    size = userns_options.keep_id_size(options(choice))
    if size:
        uids, gids = min(uids, size - 1), min(gids, size - 1)
    return IdMapping(uids=userns.keep_id(at[0], uids), gids=userns.keep_id(at[1], gids))


def _host_user(choice: NamespaceChoice, facts: HostFacts) -> tuple[str, ...]:
    """The account of the host that is also the container's: the ordinary user's own."""
    if not facts.rootless or userns_options.keep_id_user(options(choice), (-1, -1))[0] >= 0:
        return ()
    return (str(_own(facts)[0][0]),)


def _named(given: RunRequest, materials: Materials, facts: HostFacts) -> idmaps.Ranges:
    """The ranges of `--subuidname` and `--subgidname`; one of the names alone holds for both."""
    users, groups = given.subuidname or given.subgidname, given.subgidname or given.subuidname
    if not users:
        return idmaps.Ranges()
    uids = userns.sub_ids(materials.sub_uids, materials.sub_owners.get(users, (users,)))
    gids = userns.sub_ids(materials.sub_gids, materials.sub_owners.get(groups, (groups,)))
    for which, name, found in (("uid", users, uids), ("gid", groups, gids)):
        if not found:
            raise UsageError(f"no sub{which} ranges found for user {go_quote(name)} in /etc/sub{which}")
    if facts.rootless and facts.id_mapping is not None:
        uids = _from_inside(uids, facts.id_mapping.uids, users)
        gids = _from_inside(gids, facts.id_mapping.gids, groups)
    return idmaps.Ranges(uids, gids)


def _from_inside(parts: tuple[IdMap, ...], outer: tuple[IdMap, ...], name: str) -> tuple[IdMap, ...]:
    """The host's ids as an ordinary user's namespace has them. Raises UsageError for those that it lacks."""
    turned = [IdMap(container_id=one.host_id, host_id=one.container_id, size=one.size) for one in outer]
    found = split(parts, turned)
    if sum(one.size for one in found) != sum(one.size for one in parts):
        raise UsageError(
            f"the subordinate ids of user {go_quote(name)} are not all in this user namespace",
            "An ordinary user has subordinate ids of his own only; after a change of them, `sonata system migrate`.",
        )
    return tuple(one.replace(host_id=userns.on_host(turned, one.host_id) or 0) for one in found)


def process(given: RunRequest, choice: NamespaceChoice, found: ProcessConfig, facts: HostFacts) -> ProcessConfig:
    """The first process: with `keep-id`, of the user that is kept, unless `--user` says another."""
    if choice.kind is not _K.KEEP_ID:
        return found
    own = _own(facts)[0] if facts.rootless else (0, 0)
    user = found.user if given.user else "{}:{}".format(*userns_options.keep_id_user(options(choice), own))
    return found.replace(user=user, host_users=(*found.host_users, *_host_user(choice, facts)))
