"""The grammar of `volume create --opt`: what the words mean for the drivers `local` and `image`, and for others."""

from __future__ import annotations

from sonata.plan.values import atoi, go_quote, size
from sonata_core.errors import UsageError
from sonata_core.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LOCAL, IMAGE = "local", "image"
_LOCAL_KEYS = ("device", "o", "type", "uid", "gid", "size", "inodes", "noquota", "copy", "nocopy")
_KEPT_NOTES = {"size": "SIZE", "inodes": "INODES", "uid": "UID", "gid": "GID"}
_OF_OURS = ("size", "inodes", "uid", "gid", "noquota", "copy", "nocopy")
"""Options that say how Sonata treats the volume: alone they ask for no mount."""


class VolumePlan(Record):
    """What the options come to. `options` is what inspect shows and a driver is told.

    `uid` and `gid` None: nobody said; `size` in bytes and `inodes` 0: no bound; `timeout` seconds.
    """

    options: dict[str, str] = {}
    uid: int | None = None
    gid: int | None = None
    size: int = 0
    inodes: int = 0
    no_quota: bool = False
    timeout: int = 0


def pairs(texts: Iterable[str], doing: str) -> dict[str, str]:
    """`KEY[=VALUE]` texts as a mapping. Raises UsageError for one without a key."""
    found = {}
    for text in texts:
        key, _, value = text.partition("=")
        if not key:
            raise UsageError(f"unable to process {doing}: invalid label format: {go_quote(text)}")
        found[key] = value
    return found


def decide(driver: str, given: Mapping[str, str]) -> VolumePlan:
    """The options of a volume of `driver`. Raises UsageError with Podman's texts."""
    plan = VolumePlan()
    options: dict[str, str] = {}
    for key, value in given.items():
        if key != "o":
            options[key] = value
            continue
        kept = []
        for text in value.split(","):
            name = text.partition("=")[0].lower()
            plan = _read(plan, name, text)
            if name in _KEPT_NOTES:
                options[_KEPT_NOTES[name]] = text.partition("=")[2]
            if name == "noquota":
                options["NOQUOTA"] = "true"
            elif name != "timeout":
                kept.append(text)
        if kept:
            options["o"] = ",".join(kept)
    if driver == LOCAL:
        plan = _local(plan, given)
    elif driver == IMAGE:
        _image(options)
    return plan.replace(options=options)


def _read(plan: VolumePlan, name: str, text: str) -> VolumePlan:
    """One word of `o`."""
    value, said = text.partition("=")[2], "=" in text
    if name == "size":
        try:
            return plan.replace(size=size(value, base=1000))
        except UsageError as error:
            raise UsageError(f"cannot convert size {value} to integer: {error.message}") from None
    if name == "inodes":
        return plan.replace(inodes=_whole(value, "inodes", "ParseUint"))
    if name in ("uid", "gid"):
        if not said:
            raise UsageError(f"{name} option must provide a {name.upper()}: invalid argument")
        number = _whole(value, name.upper(), "Atoi")
        return plan.replace(uid=number) if name == "uid" else plan.replace(gid=number)
    if name == "timeout":
        if not said:
            raise UsageError("timeout option must provide a valid timeout in seconds: invalid argument")
        return plan.replace(timeout=_whole(value, "Timeout", "Atoi"))
    return plan.replace(no_quota=True) if name == "noquota" else plan


def _whole(text: str, what: str, func: str) -> int:
    try:
        number = atoi(text, func)
    except UsageError as error:
        article = "an " if what == "Timeout" else ""
        raise UsageError(f"cannot convert {what} {text} to {article}integer: {error.message}") from None
    if number < 0 and what == "Timeout":
        raise UsageError(f"volume timeout cannot be negative (got {number})")
    if not 0 <= number < 2**32:
        raise UsageError(f"{what} {number} is not between 0 and {2**32 - 1}: invalid argument")
    return number


def _local(plan: VolumePlan, given: Mapping[str, str]) -> VolumePlan:
    for key in given:
        if key.lower() not in _LOCAL_KEYS:
            raise UsageError(f"invalid mount option {key} for driver 'local': invalid argument")
    if plan.timeout:
        raise UsageError(
            "running volume create option: Volume driver timeout can only be used with non-local volume drivers: "
            "invalid argument"
        )
    for key, value in given.items():
        if key.lower() in ("size", "inodes", "uid", "gid", "noquota"):
            plan = _read(plan, key.lower(), f"{key}={value}")
    if plan.no_quota and (plan.size or plan.inodes):
        raise UsageError("volume options size and inodes cannot be used without quota")
    if given.get("type") == "tmpfs" and plan.inodes:
        raise UsageError("volume option inodes not supported on tmpfs filesystem", hint="o=nr_inodes=N")
    return plan


def _image(options: Mapping[str, str]) -> None:
    for key in options:
        if key != "image":
            raise UsageError(f"invalid mount option {key} for driver 'image': invalid argument")
    if not options.get("image"):
        raise UsageError("must provide an image name when creating a volume with the image driver: invalid argument")


def mount_words(options: Mapping[str, str]) -> list[str]:
    """The words of `o` that are for mount(8). A file system's own `uid`, `gid` and `size` are among them."""
    return [text for text in options.get("o", "").split(",") if text and text not in ("copy", "nocopy")]


def needs_mount(driver: str, options: Mapping[str, str]) -> bool:
    """Whether a volume is mounted for those who use it, and not just a folder."""
    if driver != LOCAL or options.get("type") or options.get("device"):
        return True
    return any(text.partition("=")[0].lower() not in _OF_OURS for text in mount_words(options))


def wants_quota(plan: VolumePlan) -> bool:
    """Whether the volume's folder gets a quota. A tmpfs counts for itself."""
    return bool(plan.size or plan.inodes) and plan.options.get("type") != "tmpfs"


def may_copy(options: Mapping[str, str]) -> bool:
    """Whether an empty volume is filled with what the image has at its place."""
    return "nocopy" not in options and "nocopy" not in options.get("o", "").split(",")
