"""The grammar of `--mount type=…,src=…,dst=…`."""

from __future__ import annotations

from sonata.model.container import MountKind, MountUse
from sonata.plan.values import boolean, go_quote
from sonata.plan.volumes import anonymous, build, clean, require_target, require_volume_name
from sonata_core.errors import UsageError

_TYPES = {str(kind): kind for kind in MountKind if kind != MountKind.OVERLAY}
_PROPAGATION = ["shared", "rshared", "private", "rprivate", "slave", "rslave", "unbindable", "runbindable"]
_PLAIN = ("exec", "noexec", "dev", "nodev", "suid", "nosuid", *_PROPAGATION)
_TMPFS_ONLY = {"tmpfs-size": "size", "tmpfs-mode": "mode", "size": "size", "mode": "mode"}


class _Draft:
    """A mount while its keys are read."""

    __slots__ = ("kind", "options", "seen", "source", "subpath", "target")

    def __init__(self, kind: MountKind) -> None:
        self.kind = kind
        self.options: list[str] = []
        self.seen: set[str] = set()
        self.source = self.target = self.subpath = ""


def parse(text: str, caller_dir: str, name_for: str) -> MountUse:
    """One `--mount`. Raises UsageError with Podman's texts."""
    pairs = [entry.partition("=") for entry in _split(text)]
    kinds = [value for key, _, value in pairs if key == "type"]
    kind = _TYPES.get(kinds[-1] if kinds else "volume")
    if kind is None:
        raise UsageError(f"invalid filesystem type {go_quote(kinds[-1])}")
    draft = _Draft(kind)
    for key, equals, value in pairs:
        if key != "type":
            _take(draft, key, value if equals else None)
    return _finish(draft, caller_dir, name_for)


def _split(text: str) -> list[str]:
    if '"' not in text:
        return [part for part in text.split(",") if part]
    from csv import reader

    return next(reader([text]), [])


def _take(draft: _Draft, key: str, value: str | None) -> None:
    if key in ("src", "source"):
        _place(draft, key, value)
    elif key in ("target", "dst", "destination"):
        _once(draft, "target", key)
        draft.target = require_target(_need(key, value))
    elif key in ("ro", "readonly", "rw"):
        _once(
            draft,
            "ro",
            key,
            "cannot pass 'readonly', 'ro', or 'rw' mnt options more than once: duplicate option passed",
        )
        on = value is None or boolean(value)
        draft.options.append("ro" if on == (key != "rw") else "rw")
    elif key in _PLAIN and value is None:
        draft.options.append(key)
    elif key == "consistency":
        return
    else:
        _take_special(draft, key, value)


def _place(draft: _Draft, key: str, value: str | None) -> None:
    if draft.kind in (MountKind.TMPFS, MountKind.RAMFS, MountKind.DEVPTS):
        raise UsageError(f'{go_quote(key)} option not supported for "{draft.kind}" mount types')
    _once(draft, "source", key)
    draft.source = _need(key, value)


def _take_special(draft: _Draft, key: str, value: str | None) -> None:
    in_memory = draft.kind in (MountKind.TMPFS, MountKind.RAMFS)
    if in_memory and key in _TMPFS_ONLY:
        draft.options.append(f"{_TMPFS_ONLY[key]}={_need(key, value)}")
    elif in_memory and key in ("tmpcopyup", "notmpcopyup", "noswap"):
        draft.options.append(key)
    elif draft.kind in (MountKind.BIND, MountKind.GLOB) and key.startswith("bind-"):
        draft.options.append(_bind_option(key, value))
    elif draft.kind in (MountKind.VOLUME, MountKind.IMAGE) and key in ("subpath", "volume-subpath"):
        draft.subpath = _need(key, value)
    elif draft.kind == MountKind.VOLUME and key in ("volume-nocopy", "nocopy"):
        draft.options.append("nocopy")
    else:
        _take_any(draft, key, value)


def _take_any(draft: _Draft, key: str, value: str | None) -> None:
    if key == "relabel":
        if value not in ("shared", "private"):
            raise UsageError(f"{key} option must be 'private' or 'shared': invalid mount option")
        draft.options.append("z" if value == "shared" else "Z")
    elif key in ("U", "chown"):
        if value is None or boolean(value):
            draft.options.append("U")
    elif key == "idmap":
        draft.options.append("idmap" + (f"={value}" if value else ""))
    elif key in ("volume-opt", "volume-label", "uid", "gid", "max"):
        draft.options.append(f"{key}={_need(key, value)}")
    else:
        raise UsageError(f"{key}: invalid mount option")


def _bind_option(key: str, value: str | None) -> str:
    if key == "bind-nonrecursive":
        return "bind"
    if key != "bind-propagation":
        raise UsageError(f"{key}: invalid mount option")
    if value not in _PROPAGATION:
        raise UsageError(f"invalid value for bind-propagation {go_quote(value or '')}: invalid mount option")
    return value


def _once(draft: _Draft, group: str, key: str, text: str = "") -> None:
    if group in draft.seen:
        raise UsageError(text or f"cannot pass {go_quote(key)} option more than once: duplicate option passed")
    draft.seen.add(group)


def _need(key: str, value: str | None) -> str:
    if not value:
        raise UsageError(f"{key}: must provide an argument for option")
    return value


def _finish(draft: _Draft, caller_dir: str, name_for: str) -> MountUse:
    if not draft.target and draft.kind != MountKind.GLOB:
        raise UsageError("must set volume destination")
    source = draft.source
    if draft.kind in (MountKind.BIND, MountKind.GLOB):
        source = source or draft.target
        source = clean(source if source.startswith("/") else f"{caller_dir}/{source}")
    elif draft.kind == MountKind.VOLUME:
        if not source:
            made = anonymous(draft.target, name_for)
            return made.replace(options=tuple(draft.options), read_only="ro" in draft.options)
        require_volume_name(source)
    elif draft.kind in (MountKind.IMAGE, MountKind.ARTIFACT):
        if not source:
            raise UsageError(f"must set source and destination for {draft.kind} volume")
    else:
        source = str(draft.kind)
    return build(draft.kind, source, draft.target or source, draft.options).replace(subpath=draft.subpath)
