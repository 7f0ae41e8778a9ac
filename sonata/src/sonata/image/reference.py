"""What users call images: transports, short names, local names. The grammar itself: `sonata_core.naming`."""

from __future__ import annotations

from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.naming import ImageName, has_domain, parse_name, split_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

LOCAL_DOMAIN = "localhost"
_TRANSPORTS = frozenset(
    ("docker", "containers-storage", "oci", "oci-archive", "docker-archive", "dir", "docker-daemon", "tarball", "sif")
)
"""Known schemes. What begins with another word and a colon is the name of an image, such as `alpine:3`."""


def split_transport(text: str, more: Collection[str] = ()) -> tuple[str, str]:
    """`transport:rest` taken apart; the transport is empty where `text` is just a name.

    `more` are schemes of plugins beyond the known ones.
    """
    head, colon, rest = text.partition(":")
    if colon and (head in _TRANSPORTS or head in more):
        return head, rest
    return "", text


def transport_or_name(text: str, more: Collection[str] = ()) -> tuple[str, str]:
    """As `split_transport`, for what may be a name: `docker:x` without `//` is the name `docker` with the tag `x`."""
    scheme, rest = split_transport(text, more)
    if scheme == "docker" and not rest.startswith("//"):
        return "", text
    return scheme, rest


def is_short(text: str) -> bool:
    """Whether a name lacks its host, so that it must be resolved. Raises UsageError for what is no name."""
    return not has_domain(split_name(text)[0])


def short_candidates(text: str, aliases: Mapping[str, str], search: Iterable[str]) -> tuple[ImageName, ...]:
    """The full names that a short name may stand for when it is pulled, in the order in which to try them.

    An alias of the repository part wins alone; otherwise each search registry is put before the
    name. A name that is not short stands for itself. Raises UsageError when nothing is left to try.
    """
    name, _, _ = split_name(text)
    if has_domain(name):
        return (parse_name(text).with_default_tag(),)
    suffix = text[len(name) :]
    alias = aliases.get(name, "")
    if alias:
        return (parse_name(alias + suffix).with_default_tag(),)
    found = tuple(parse_name(f"{registry}/{text}").with_default_tag() for registry in search)
    if not found:
        raise UsageError(
            f'short-name "{text}" did not resolve to an alias and no unqualified-search registries are defined',
            hint=f"write the full name, such as docker.io/library/{text}, or name search registries in registries.conf",
        )
    return found


def local_candidates(text: str, aliases: Mapping[str, str], search: Iterable[str]) -> tuple[ImageName, ...]:
    """The names under which a local image may be meant by `text`: alias, `localhost/`, each search registry.

    The caller takes the first that exists, then looks for IDs. Raises UsageError for what is no name.
    """
    name, _, _ = split_name(text)
    if has_domain(name):
        return (parse_name(text).with_default_tag(),)
    alias = aliases.get(name, "")
    texts = [alias + text[len(name) :]] if alias else []
    texts.append(f"{LOCAL_DOMAIN}/{text}")
    texts += [f"{registry}/{text}" for registry in search]
    return tuple(dict.fromkeys(parse_name(item).with_default_tag() for item in texts))


def local_name(text: str) -> ImageName:
    """The name that `text` gives to a local result (tag, build, commit, import): short ones go to `localhost/`."""
    name, _, _ = split_name(text)
    return parse_name(text if has_domain(name) else f"{LOCAL_DOMAIN}/{text}").with_default_tag()


def normal_name(text: str, *, told: int = 1) -> ImageName:
    """As `local_name`. Raises UsageError in Podman's words, which it says `told` times over."""
    try:
        return local_name(text)
    except UsageError as error:
        why = error.message.rpartition('": ')[2].removeprefix("invalid reference format: ")
        if not text:
            why = "repository name must have at least one component"
        raise UsageError(f'normalizing name "{text}": ' * told + why, hint=error.hint) from error


def archive_name(annotations: Mapping[str, str], selector: str = "") -> str:
    """The name of an image that was read from an OCI archive or layout; empty where it has none.

    containerd's annotation wins, then the index's `ref.name`. What is no name at all is ignored.
    """
    for key in ("io.containerd.image.name", "org.opencontainers.image.ref.name"):
        text = annotations.get(key, "")
        if text:
            try:
                return str(local_name(text))
            except UsageError:
                continue
    return str(local_name(selector)) if selector and not selector.startswith("@") else ""


def drop_tag_of_digest(name: ImageName) -> ImageName:
    """The name to ask a registry for: where there is a digest, the tag says nothing."""
    return name.replace(tag="") if name.digest else name
