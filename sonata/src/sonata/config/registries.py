"""registries.conf: from the name that a user typed to the places where the image may be.

Names are normalised references here (containers-registries.conf(5), docker/distribution's grammar);
the rewritten names of mirrors are used for asking only, never to name what was pulled.
"""

from __future__ import annotations

from sonata.config.load import frozen_value, memo_of, stamp_for
from sonata.config.search import Found, search
from sonata.config.values import Places
from sonata_core.errors import Denied, UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.image import Endpoint
from sonata_core.naming import is_digest, is_domain, is_path, is_tag

if TYPE_CHECKING:
    from collections.abc import Mapping


class Mirror:
    """A place to ask before the registry itself. `restriction`: all, digest-only or tag-only."""

    __slots__ = ("insecure", "location", "restriction")

    def __init__(self, location: str, insecure: bool, restriction: str) -> None:
        self.location = location
        self.insecure = insecure
        self.restriction = restriction

    def serves(self, by_digest: bool) -> bool:
        """Whether it may be asked for a name with, or without, a digest."""
        return self.restriction in ("all", "digest-only" if by_digest else "tag-only")


class Registry:
    """A `[[registry]]` table."""

    __slots__ = ("blocked", "insecure", "location", "mirrors", "prefix")

    def __init__(self, kept: Mapping[str, Any]) -> None:
        self.prefix: str = kept["prefix"]
        self.location: str = kept["location"]
        self.insecure: bool = kept["insecure"]
        self.blocked: bool = kept["blocked"]
        self.mirrors = tuple(Mirror(*mirror) for mirror in kept["mirrors"])

    def matched(self, reference: str) -> int:
        """How many characters of the reference the prefix covers; -1 where it does not match."""
        if self.prefix.startswith("*."):
            at = reference.find(self.prefix[1:])
            end = at + len(self.prefix) - 1
            if at < 1 or "/" in reference[:end] or reference[end : end + 1] not in ("", ":", "/", "@"):
                return -1
            return end
        rest = reference[len(self.prefix) : len(self.prefix) + 1]
        return len(self.prefix) if reference.startswith(self.prefix) and rest in ("", ":", "/", "@") else -1

    def rewritten(self, reference: str, location: str) -> str:
        """The reference with the matched prefix replaced; unchanged for a wildcard without location."""
        return location + reference[self.matched(reference) :] if location else reference


class Candidate:
    """One full name that a typed name may stand for, with where to ask, in order."""

    __slots__ = ("endpoints", "reference")

    def __init__(self, reference: str, endpoints: tuple[Endpoint, ...]) -> None:
        self.reference = reference
        self.endpoints = endpoints


class Resolution:
    """The full names that a typed name may stand for, in the order in which they are tried.

    `told` says how they were found, in Podman's words; empty where the name was full. `short` is the repository
    of a short name that several places may have: a terminal is asked, and `enforced` says that it must be.
    """

    __slots__ = ("enforced", "names", "short", "told")

    def __init__(self, names: tuple[str, ...], told: str = "", short: str = "", *, enforced: bool = False) -> None:
        self.names = names
        self.told = told
        self.short = short
        self.enforced = enforced


class Registries:
    """What registries.conf and its drop-in files say."""

    def __init__(self, kept: Mapping[str, Any], alias_file: str) -> None:
        self.search: tuple[str, ...] = kept["search"]
        self.mode: str = kept["mode"]
        self.helpers: tuple[str, ...] = kept["helpers"]
        self.aliases: Mapping[str, str] = kept["aliases"]
        self._origins: Mapping[str, str] = kept["origins"]
        self.registries = tuple(Registry(table) for table in kept["registries"])
        self.alias_file = alias_file

    def registry_of(self, reference: str) -> Registry | None:
        """The table whose prefix matches longest."""
        found = [registry for registry in self.registries if registry.matched(reference) >= 0]
        return max(found, key=lambda registry: len(registry.prefix), default=None)

    def resolve_pull(self, name: str) -> tuple[Candidate, ...]:
        """What to try for a name as the user typed it, in order.

        Raises UsageError for a name that is no reference or a short name that nothing resolves,
        Denied for a blocked registry.
        """
        return tuple(Candidate(full, self.endpoints(full)) for full in self.names(name))

    def names(self, name: str) -> tuple[str, ...]:
        """Full references that `name` may stand for; just one unless it is a short name."""
        return self.resolve(name).names

    def resolve(self, name: str) -> Resolution:
        """As `names`, with how they were found and whether somebody must choose. Raises UsageError."""
        if not is_short(name):
            return Resolution((normalised(name),))
        bare, rest = split_name(name)
        alias = self.aliases.get(bare, "")
        if alias:
            origin = self._origins.get(bare, "")
            return Resolution((normalised(alias + rest),), f'Resolved "{bare}" as an alias ({origin})')
        if not self.search:
            raise UsageError(
                f'short-name "{name}" did not resolve to an alias and no unqualified-search registries are defined in '
                '"/etc/containers/registries.conf"',
                hint="Name the registry too, such as docker.io/library/" + bare + ".",
            )
        names = tuple(normalised(f"{registry}/{name}") for registry in self.search)
        origin = self._origins.get("", "") or "the default"
        told = f'Resolving "{bare}" using unqualified-search registries ({origin})'
        asks = len(names) > 1 and self.mode != "disabled"
        return Resolution(names, told, bare if asks else "", enforced=asks and self.mode == "enforcing")

    def local_names(self, name: str) -> tuple[str, ...]:
        """Full names under which a local image of that name may be kept, in order of preference."""
        if not is_short(name):
            return (normalised(name),)
        bare, rest = split_name(name)
        alias = self.aliases.get(bare, "")
        names = [alias + rest] if alias else []
        names.append(f"localhost/{name}")
        names += [f"{registry}/{name}" for registry in self.search]
        return tuple(dict.fromkeys(normalised(each) for each in names))

    def endpoints(self, reference: str) -> tuple[Endpoint, ...]:
        """Mirrors that serve this reference, then the registry itself. Raises Denied where it is blocked."""
        registry = self._allowed(reference)
        if registry is None:
            return (Endpoint(reference=reference),)
        by_digest = "@" in reference
        places = [
            Endpoint(reference=registry.rewritten(reference, mirror.location), insecure=mirror.insecure)
            for mirror in registry.mirrors
            if mirror.serves(by_digest)
        ]
        own = self._own(registry, reference)
        return (*(place for place in places if not self._blocks(place.reference)), own)

    def _blocks(self, reference: str) -> bool:
        registry = self.registry_of(reference)
        return registry is not None and registry.blocked

    def push_endpoint(self, reference: str) -> Endpoint:
        """Where to push: never a mirror. Raises Denied where the registry is blocked."""
        registry = self._allowed(reference)
        return Endpoint(reference=reference) if registry is None else self._own(registry, reference)

    def _own(self, registry: Registry, reference: str) -> Endpoint:
        own = registry.rewritten(reference, registry.location)
        self._allowed(own)
        return Endpoint(reference=own, insecure=registry.insecure)

    def _allowed(self, reference: str) -> Registry | None:
        registry = self.registry_of(reference)
        if registry is not None and registry.blocked:
            raise Denied(
                f"registry {registry.prefix} is blocked in /etc/containers/registries.conf or "
                "/etc/containers/registries.conf.d",
                hint="Take `blocked = true` from that registry's table, or pull from another registry.",
            )
        return registry


def load_registries(places: Places, environ: Mapping[str, str], alias_file: str) -> Registries:
    """Read registries.conf, its drop-in files and the aliases that pulls have settled.

    Without any file short names are Docker Hub's. Raises UsageError with file and line.
    """
    try:
        found = search(places, "registries.conf", environ, "CONTAINERS_REGISTRIES_CONF")
    except UsageError as error:
        raise UsageError(f"loading registries configuration: {error.message}", hint=error.hint) from error
    watched = Found(found.files, (*found.watched, alias_file))
    memo, stamp = memo_of(places), stamp_for(watched)
    kept = memo.get("registries-3", stamp)
    if kept is None:
        from sonata.config.registries_file import read_registries

        kept = read_registries(found.files, alias_file)
        memo.put("registries-3", stamp, kept)
    return Registries(frozen_value(kept), alias_file)


def is_short(name: str) -> bool:
    """Whether a name lacks a registry: no dot or colon before its first slash, and not localhost."""
    first, slash, _ = name.partition("/")
    return not slash or ("." not in first and ":" not in first and first != "localhost")


def split_name(name: str) -> tuple[str, str]:
    """The repository, and `:tag`, `@digest` or both."""
    bare, at, digest = name.partition("@")
    colon = bare.find(":", bare.rfind("/") + 1)
    if colon < 0:
        return bare, at + digest
    return bare[:colon], bare[colon:] + at + digest


def normalised(name: str) -> str:
    """The full reference of a name: registry, Docker Hub's `library/`, and `:latest` without tag or digest.

    Of a name with both tag and digest the tag is dropped: the digest decides. Raises UsageError.
    """
    bare, rest = split_name(name)
    if len(bare) == 64 and not bare.strip("0123456789abcdef"):
        raise UsageError(f'invalid repository name ("{bare}"): cannot specify 64-byte hexadecimal strings')
    if is_short(bare):
        domain, path = "docker.io", bare
    else:
        domain, _, path = bare.partition("/")
    if domain == "index.docker.io":
        domain = "docker.io"
    if domain == "docker.io" and "/" not in path:
        path = f"library/{path}"
    _check(name, domain, path, rest)
    tag, at, digest = rest.partition("@")
    return f"{domain}/{path}" + (f"@{digest}" if at else tag or ":latest")


def _check(name: str, domain: str, path: str, rest: str) -> None:
    if path != path.lower():
        raise UsageError("invalid reference format: repository name must be lowercase", hint=f"The name was {name}.")
    if len(f"{domain}/{path}") > 255:
        raise UsageError("invalid reference format: repository name must not be more than 255 characters")
    tag, at, digest = rest.partition("@")
    good = is_path(path) and is_domain(domain)
    if tag:
        good = good and is_tag(tag[1:])
    if at:
        good = good and is_digest(digest)
    if not good:
        raise UsageError("invalid reference format", hint=f"The name was {name!r}.")
