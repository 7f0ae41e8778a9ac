"""The grammar of `--mount type=…,src=…,dst=…`."""

from __future__ import annotations

from sonata.model.container import MountKind, MountUse
from sonata.plan.values import go_quote
from sonata.plan.volumes import (
    PROPAGATION,
    anonymous,
    build,
    clean,
    require_memory_options,
    require_target,
    require_volume_name,
)
from sonata_core.errors import UsageError

_TYPES = {str(kind): kind for kind in MountKind if kind != MountKind.OVERLAY}
_FORMAT = (
    "incorrect mount format: should be --mount "
    "type=<bind|glob|tmpfs|volume>,[src=<host-dir|volume-name>,]target=<ctr-dir>[,options]"
)
_NO_VALUE = "must provide an argument for option"
_SOURCE, _TARGET = ("src", "source"), ("target", "dst", "destination")
_PAIRS = (("nodev", "dev"), ("noexec", "exec"), ("nosuid", "suid"), ("tmpcopyup", "notmpcopyup"))
_FLAGS = (*PROPAGATION, "Z", "z", "no-dereference")
_ONE_KIND = {
    "bind-nonrecursive": MountKind.BIND,
    "bind-propagation": MountKind.BIND,
    "tmpcopyup": MountKind.TMPFS,
    "notmpcopyup": MountKind.TMPFS,
    "tmpfs-mode": MountKind.TMPFS,
    "tmpfs-size": MountKind.TMPFS,
    "volume-label": MountKind.VOLUME,
    "volume-opt": MountKind.VOLUME,
}
"""Keys that belong to one kind of mount."""
_DEVPTS = ("uid", "gid", "mode", "ptmxmode", "newinstance", "max")
_ARTIFACT = ("title", "digest", "name")


class _Draft:
    """A mount while its keys are read."""

    __slots__ = ("kind", "options", "seen", "source", "subpath", "target", "writable")

    def __init__(self, kind: MountKind) -> None:
        self.kind = kind
        self.options: list[str] = []
        self.seen: set[str] = set()
        self.source = self.target = self.subpath = ""
        self.writable = False


def parse(text: str, caller_dir: str, name_for: str) -> MountUse:
    """One `--mount`. Raises UsageError with Podman's texts."""
    words = _split(text)
    given = next((word for word in words if word.startswith("type=") and word.count("=") == 1), None)
    kind = _TYPES.get(given[5:] if given is not None else "volume")
    if kind is None:
        raise UsageError(f"invalid filesystem type {go_quote(given[5:] if given else '')}")
    draft = _Draft(kind)
    if given is not None:
        words.remove(given)
    for word in words:
        key, equals, value = word.partition("=")
        _TAKERS.get(kind, _take)(draft, key, value if equals else None)
    return _finish(draft, caller_dir, name_for)


def _split(text: str) -> list[str]:
    words = text.split(",")
    if '"' in text:
        from csv import Error, reader

        try:
            found = list(reader([text], strict=True))
        except Error:
            found = []
        words = found[0] if len(found) == 1 else []
    if not text or not words:
        raise UsageError(_FORMAT)
    return words


# -- the keys of bind, volume, tmpfs, ramfs and glob -----------------------------------------------


def _take(draft: _Draft, key: str, value: str | None) -> None:
    if key in _ONE_KIND and draft.kind != _ONE_KIND[key]:
        raise UsageError(f'{go_quote(key)} option not supported for "{draft.kind}" mount types')
    pair = next((pair for pair in _PAIRS if key in pair), None)
    if key in _SOURCE:
        _take_source(draft, key, value)
    elif key in _TARGET:
        _take_target(draft, key, value)
    elif key in ("ro", "readonly", "rw"):
        _take_access(draft, key, value)
    elif pair is not None:
        _once(draft, pair[0], f"cannot pass '{pair[0]}' and '{pair[1]}' mnt.Options more than once")
        draft.options.append(key)
    elif key in _FLAGS:
        draft.options.append(key)
    elif key != "consistency":
        _take_rarer(draft, key, value)


def _take_source(draft: _Draft, key: str, value: str | None) -> None:
    if draft.kind == MountKind.TMPFS:
        raise UsageError(f'{go_quote(key)} option not supported for "{draft.kind}" mount types')
    _once(draft, "source", f"cannot pass {go_quote(key)} option more than once")
    if value == "":
        raise UsageError(f"host directory cannot be empty: {_NO_VALUE}")
    draft.source = _need(key, value)


def _take_target(draft: _Draft, key: str, value: str | None) -> None:
    _once(draft, "target", f"cannot pass {go_quote(key)} option more than once")
    draft.target = require_target(_need(key, value))


def _take_access(draft: _Draft, key: str, value: str | None) -> None:
    """`ro[=BOOL]`, `readonly[=BOOL]`, `rw[=BOOL]`; `ro=false` is what holds anyway."""
    _once(draft, "ro", "cannot pass 'readonly', 'ro', or 'rw' mnt.Options more than once")
    word = (value or "true").lower() if value is not None else "true"
    if word not in ("true", "false"):
        raise UsageError(f"invalid {key} value {go_quote(value or '')}: it must be true or false")
    if word == "true":
        draft.options.append("rw" if key == "rw" else "ro")
    elif key == "rw":
        draft.options.append("ro")


def _take_rarer(draft: _Draft, key: str, value: str | None) -> None:
    if key == "bind-nonrecursive":
        draft.options.append("bind")
    elif key == "bind-propagation":
        if _need(key, value) not in PROPAGATION:
            raise UsageError(f"invalid value {go_quote(f'{key}={value}')}")
        draft.options.append(value or "")
    elif key in ("tmpfs-mode", "tmpfs-size"):
        draft.options.append(f"{key[6:]}={_need(key, value)}")
    elif key == "noswap":
        _once(draft, key, "cannot pass 'noswap' mnt.Options more than once")
        draft.options.append(key)
    elif key in ("U", "chown"):
        _take_chown(draft, value)
    elif key == "idmap":
        _take_id_map(draft, value)
    else:
        _take_labels(draft, key, value)


def _take_labels(draft: _Draft, key: str, value: str | None) -> None:
    if key == "relabel":
        _once(draft, key, "cannot pass 'relabel' option more than once")
        if value not in ("shared", "private"):
            raise UsageError(f"{key} mount option must be 'private' or 'shared': invalid mount option")
        draft.options.append("z" if value == "shared" else "Z")
    elif key in ("subpath", "volume-subpath"):
        if draft.kind != MountKind.VOLUME:
            raise UsageError(f"cannot set option {go_quote(key)} on non-volume mounts")
        draft.subpath = _need(key, value)
    elif key == "volume-label":
        raise UsageError("the --volume-label option is not presently implemented", hint="`volume create --label`")
    elif key == "volume-opt":
        draft.options.append(key if value is None else f"{key}={value}")
    elif key == "volume-nocopy" and draft.kind == MountKind.VOLUME and value is None:
        draft.options.append("nocopy")  # Docker's word
    else:
        raise UsageError(f"{key}: invalid mount option")


def _take_chown(draft: _Draft, value: str | None) -> None:
    _once(draft, "U", "cannot pass 'U' or 'chown' option more than once")
    word = (value or "true").lower()
    if word not in ("true", "false"):
        raise UsageError(
            f"'U' or 'chown' must be set to true or false, instead received {go_quote(value or '')}: {_NO_VALUE}"
        )
    if word == "true":
        draft.options.append("U")


def _take_id_map(draft: _Draft, value: str | None) -> None:
    if any(option.split("=")[0] == "idmap" for option in draft.options):
        raise UsageError("the 'idmap' option can only be set once: duplicate mount option passed")
    draft.options.append("idmap" + (f"={value}" if value else ""))


# -- kinds with keys of their own ------------------------------------------------------------------


def _take_devpts(draft: _Draft, key: str, value: str | None) -> None:
    if key in _TARGET:
        draft.target = require_target(_need(key, value))
    elif key in _DEVPTS:
        draft.options.append(key if value is None else f"{key}={value}")
    else:
        raise UsageError(f"{key}: invalid mount option")


def _take_image(draft: _Draft, key: str, value: str | None) -> None:
    if key in _SOURCE:
        draft.source = _need(key, value, empty=True)
    elif key in _TARGET:
        draft.target = require_target(_need(key, value, empty=True))
    elif key in ("rw", "readwrite"):
        if value not in ("true", "false"):
            raise UsageError(f"invalid rw value {go_quote(value or '')}: invalid mount option")
        draft.writable = value == "true"
    elif key == "subpath":
        draft.subpath = _need(key, value, empty=True)
        if not draft.subpath.startswith("/"):
            raise UsageError(f"volume subpath {go_quote(draft.subpath)} must be an absolute path")
    elif key != "consistency":
        raise UsageError(f"{key}: invalid mount option")


def _take_artifact(draft: _Draft, key: str, value: str | None) -> None:
    if key in _SOURCE:
        draft.source = _need(key, value, empty=True)
    elif key in _TARGET:
        draft.target = require_target(_need(key, value, empty=True))
    elif key in _ARTIFACT:
        draft.options.append(f"{key}={_need(key, value, empty=True)}")
    else:
        raise UsageError(f"{key}: invalid mount option")


_TAKERS = {MountKind.DEVPTS: _take_devpts, MountKind.IMAGE: _take_image, MountKind.ARTIFACT: _take_artifact}


def _once(draft: _Draft, group: str, text: str) -> None:
    if group in draft.seen:
        raise UsageError(f"{text}: {_NO_VALUE}")
    draft.seen.add(group)


def _need(key: str, value: str | None, *, empty: bool = False) -> str:
    if value is None or (not value and not empty and key not in _TARGET):
        raise UsageError(f"{key}: {_NO_VALUE}")
    return value


# -- all keys are read -----------------------------------------------------------------------------


def _finish(draft: _Draft, caller_dir: str, name_for: str) -> MountUse:
    kind, source = draft.kind, draft.source
    if kind in (MountKind.IMAGE, MountKind.ARTIFACT) and not (source and draft.target):
        raise UsageError(f"must set source and destination for {kind} volume")
    if not draft.target and kind != MountKind.GLOB:
        raise UsageError("must set volume destination")
    if kind == MountKind.VOLUME:
        return _volume(draft, name_for)
    if kind == MountKind.IMAGE:
        made = build(kind, source, draft.target, draft.options)
        return made.replace(subpath=draft.subpath, read_only=not draft.writable)
    if kind == MountKind.GLOB and not source:
        raise UsageError('no file paths matching glob ""')
    if kind in (MountKind.BIND, MountKind.GLOB):
        source = source or draft.target
        source = source if source.startswith("/") else f"{caller_dir}/{source}"
        source = clean(source)
    elif kind == MountKind.TMPFS:
        require_memory_options([option for option in draft.options if option.split("=")[0] != "idmap"])
    if kind not in (MountKind.BIND, MountKind.GLOB, MountKind.ARTIFACT):
        source = str(kind)
    return build(kind, source, draft.target, draft.options)


def _volume(draft: _Draft, name_for: str) -> MountUse:
    if draft.source:
        require_volume_name(draft.source)
    name = draft.source or anonymous(draft.target, name_for).source
    made = build(MountKind.VOLUME, name, draft.target, draft.options)
    return made.replace(subpath=draft.subpath, anonymous=not draft.source)
