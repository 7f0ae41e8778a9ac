"""The platform that an image is wanted for."""

from __future__ import annotations

from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.image_request import PullOptions
    from sonata.store.records import ImageRecord
    from sonata_core.models.image import Platform


def wanted_platform(engine: Engine, options: PullOptions) -> Platform:
    """The platform that the options ask for; the host's own where they say nothing."""
    from sonata.image.platform import host_platform, parse_platform

    host = host_platform(engine.facts.machine)
    if options.platform:
        return parse_platform(options.platform, host)
    changes = {"os": options.os, "architecture": options.arch, "variant": options.variant}
    given = {key: value for key, value in changes.items() if value}
    if "architecture" in given and "variant" not in given:
        given["variant"] = ""
    return host.replace(**given)


def require_platform(engine: Engine, options: PullOptions) -> None:
    """Raise UsageError for a platform that is none, or that is said in two ways."""
    from sonata.image.platform import host_platform, parse_platform

    if options.arch or options.os:
        raise UsageError("--platform option can not be specified with --arch or --os")
    parse_platform(options.platform, host_platform(engine.facts.machine))


def asks_platform(options: PullOptions) -> bool:
    """Whether the options name a platform."""
    return bool(options.platform or options.arch or options.os or options.variant)


def fits(engine: Engine, image: ImageRecord, options: PullOptions) -> bool:
    """Whether a local image is for the platform that was asked for, if one was."""
    if not asks_platform(options):
        return True
    from sonata.engine.images.facts import read_config

    wanted, config = wanted_platform(engine, options), read_config(engine, image)
    given_variant = options.variant or options.platform.count("/") > 1
    same = (config.os, config.architecture) == (wanted.os, wanted.architecture)
    return same and (not given_variant or config.variant == wanted.variant)


def mismatch(engine: Engine, image: ImageRecord, options: PullOptions) -> str:
    """What to say of an image for another platform than was asked for, or than the host's; empty for nothing.

    As Podman 5.8: what a config leaves unsaid is the host's, and v8 is what arm64 means without a variant.
    """
    from sonata.engine.images.facts import read_config
    from sonata.image.platform import host_platform, machine_name

    host, wanted = host_platform(engine.facts.machine), wanted_platform(engine, options)
    config = read_config(engine, image)
    found = host.replace(
        os=config.os or host.os,
        architecture=machine_name(config.architecture) or host.architecture,
        variant=config.variant,
    )
    if all(_meant(found, key) == _meant(wanted, key) for key in ("os", "architecture", "variant")):
        return ""
    return f"image platform ({_shown(found)}) does not match the expected platform ({_shown(wanted)})"


def _meant(platform: Platform, key: str) -> str:
    if key == "variant" and platform.architecture == "arm64":
        return platform.variant or "v8"
    return str(getattr(platform, key))


def _shown(platform: Platform) -> str:
    return "/".join(part for part in (platform.os, platform.architecture, platform.variant) if part)
