"""Entries for the instances of lists: found out from an image, and changed as was asked."""

from __future__ import annotations

from sonata.image.index import ANYWHERE, Entry, parse_list
from sonata.image.manifest import Index, LegacyManifest, Manifest, check_matches, parse
from sonata.image.platform import choose
from sonata.image.transfer import read_config
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.image import Descriptor, ManifestBytes, Platform

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata.model.manifest_request import InstanceChanges
    from sonata_core.models.image import ImageSource


def pairs(texts: Iterable[str]) -> dict[str, str]:
    """`KEY=VALUE` texts as a mapping. Raises UsageError."""
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f'expected --annotation "{text}" to be in key=value format')
        found[key] = value
    return found


def entries_of(source: ImageSource, host: Platform, *, every: bool) -> list[Entry]:
    """The entries that an image adds to a list: its own; of a list that for `host`, or with `every` all.

    Raises Damaged, NotFound.
    """
    top = source.resolve()
    check_matches(top, top.digest)
    document = parse(top)
    if not isinstance(document, Index):
        return [_settled(source, Entry(descriptor=_own(top, document)), document)]
    wanted = parse_list(top.content).entries or ()
    if not every:
        chosen = choose(document, host).digest
        wanted = tuple(one for one in wanted if one.digest == chosen)[:1]
    return [_instance(source, one) for one in wanted]


def _own(manifest: ManifestBytes, document: Manifest | LegacyManifest) -> Descriptor:
    return Descriptor(
        media_type=manifest.media_type or document.media_type,
        digest=manifest.digest,
        size=len(manifest.content),
        artifact_type="" if isinstance(document, LegacyManifest) else document.artifact_type,
    )


def _instance(source: ImageSource, one: Entry) -> Entry:
    """An entry of another list, as it is taken over: annotations stay behind, as with all peers."""
    manifest = check_matches(source.manifest(one.digest), one.digest)
    document = parse(manifest)
    kept = one.described(annotations={}, media_type=manifest.media_type or one.descriptor.media_type)
    return kept if isinstance(document, Index) else _settled(source, kept, document)


def _settled(source: ImageSource, entry: Entry, document: Manifest | LegacyManifest) -> Entry:
    """The entry with the platform that the image's config says, where the entry has none."""
    known = entry.platform
    if known.os and known.architecture:
        return entry
    if isinstance(document, LegacyManifest):
        found = Platform(os="linux", architecture=document.architecture)
    elif document.is_image and not entry.descriptor.artifact_type:
        from sonata.image.config import parse as parse_config

        config = parse_config(read_config(source, document.config))
        found = Platform(
            os=config.os,
            architecture=config.architecture,
            variant=config.variant,
            os_version=config.os_version,
            os_features=config.os_features,
        )
    else:
        found = ANYWHERE
    if known.os:
        found = found.replace(os=known.os, os_version=known.os_version, os_features=known.os_features)
    if known.architecture:
        found = found.replace(architecture=known.architecture, variant=known.variant)
    return entry.described(platform=found)


def changed(entry: Entry, changes: InstanceChanges) -> Entry:
    """The entry with what was asked for. A new architecture takes the old variant away. Raises UsageError."""
    given: dict[str, object] = {
        "os": changes.os,
        "os_version": changes.os_version,
        "os_features": changes.os_features,
        "architecture": changes.arch,
        "variant": changes.variant,
    }
    given = {key: value for key, value in given.items() if value}
    if changes.arch:
        given["variant"] = changes.variant
    more = pairs(changes.annotation)
    entry = entry.described(
        platform=entry.platform.replace(**given),
        annotations={**entry.descriptor.annotations, **more},
    )
    return entry.replace(features=changes.features) if changes.features else entry
