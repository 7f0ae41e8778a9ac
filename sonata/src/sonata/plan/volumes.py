"""Mounts that users and images ask for: the grammars of `-v` and `--tmpfs`, and who wins a place.

`--mount` has a file of its own (`plan.mounts`).
"""

from __future__ import annotations

from posixpath import normpath

from sonata.model.container import MountKind, MountUse
from sonata.plan.values import go_quote, is_name
from sonata_core.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PROPAGATION = ("shared", "rshared", "private", "rprivate", "slave", "rslave", "unbindable", "runbindable")
_ONCE: dict[str, tuple[str, ...]] = {
    "'noexec' or 'exec'": ("exec", "noexec"),
    "'nodev' or 'dev'": ("dev", "nodev"),
    "'nosuid' or 'suid'": ("suid", "nosuid"),
    "'rw' or 'ro'": ("rw", "ro"),
    "'z', 'Z', or 'O'": ("z", "Z", "O"),
    "'U'": ("U",),
    "'[r]shared', '[r]private', '[r]slave' or '[r]unbindable'": PROPAGATION,
    "'[r]bind'": ("bind", "rbind"),
    "'copy' or 'nocopy'": ("copy", "nocopy"),
    "'no-dereference'": ("no-dereference",),
}
_FIELDS = ("z", "Z", "U", "O", "copy", "nocopy", "cached", "delegated", "consistent", "consistency")


def parse(text: str, caller_dir: str, name_for: str = "") -> MountUse:
    """One `-v [SRC:]DST[:opt,…]`. `name_for` is the container's id, from which anonymous volumes get names."""
    parts = text.split(":")
    if len(parts) > 3:
        raise UsageError(f"{text}: incorrect volume format, should be [host-dir:]ctr-dir[:option]")
    options = parts[2].split(",") if len(parts) == 3 and parts[2] else []
    require_options(options)
    if len(parts) == 1:
        target = require_target(parts[0])
        return anonymous(target, name_for)
    source, target = parts[0], require_target(parts[1])
    if not source:
        raise UsageError("host directory cannot be empty")
    kind = MountKind.BIND if source[0] in "/." else MountKind.VOLUME
    if kind == MountKind.BIND:
        source = clean(source if source[0] == "/" else f"{caller_dir}/{source}")
    else:
        require_volume_name(source)
    if "O" not in options:
        return build(kind, source, target, options)
    _require_overlay(options)
    if kind == MountKind.VOLUME:
        return build(kind, source, target, options).replace(overlay=True)
    return build(MountKind.OVERLAY, source, target, options)


def _require_overlay(options: Sequence[str]) -> None:
    """`O` goes alone, with `U`, or with both of its folders."""
    folders = [text for text in options if text.startswith(("upperdir=", "workdir="))]
    if len(folders) == 1:
        raise UsageError("must set both `upperdir` and `workdir`")
    if any(not text.partition("=")[2].startswith("/") for text in folders):
        raise UsageError(f"{', '.join(folders)}: the folders of an overlay are absolute paths")
    if set(options) - {"O", "U", *folders}:
        raise UsageError("can't use 'O' with other options")


def build(kind: MountKind, source: str, target: str, options: Sequence[str]) -> MountUse:
    """A mount with the options that are fields of its own taken out of `options`."""
    upper = next((text[9:] for text in options if text.startswith("upperdir=")), "")
    work = next((text[8:] for text in options if text.startswith("workdir=")), "")
    id_map = next((text.partition("=")[2] for text in options if text.split("=")[0] == "idmap"), None)
    kept = tuple(
        text
        for text in options
        if text not in _FIELDS and text.split("=")[0] not in ("upperdir", "workdir", "idmap", "volume-opt")
    )
    return MountUse(
        kind=kind,
        source=source,
        target=target,
        options=kept,
        read_only="ro" in options,
        relabel="Z" if "Z" in options else "z" if "z" in options else "",
        chown="U" in options,
        id_map=id_map,
        copy="nocopy" not in options,
        upper_dir=upper,
        work_dir=work,
        volume_options=_driver_options(options),
    )


def _driver_options(options: Sequence[str]) -> dict[str, str]:
    """`volume-opt=KEY=VALUE` as a mapping."""
    found = {}
    for text in options:
        if text.split("=")[0] == "volume-opt":
            key, equals, value = text.removeprefix("volume-opt").removeprefix("=").partition("=")
            if not equals:
                raise UsageError("cannot parse driver opts: invalid mount option")
            found[key] = value
    return found


def anonymous(target: str, name_for: str, origin: str = "user") -> MountUse:
    """A volume of the container's own. Its name is 64 digits drawn from the container's random id."""
    from hashlib import sha256

    name = sha256(f"{name_for}\0{target}".encode("utf-8", "surrogateescape")).hexdigest()
    return MountUse(kind=MountKind.VOLUME, source=name, target=target, anonymous=True, origin=origin)


def clean(path: str) -> str:
    """An absolute path without `.`, `..`, doubled or trailing slashes."""
    tidy = normpath(path)
    return "/" + tidy.lstrip("/")


def require_target(text: str) -> str:
    """A destination: absolute, cleaned. Raises UsageError."""
    if not text:
        raise UsageError("container directory cannot be empty")
    if not text.startswith("/"):
        raise UsageError(f"invalid container path {go_quote(text)}, must be an absolute path")
    return clean(text)


def require_volume_name(name: str) -> None:
    """Raises UsageError unless `name` may name a volume."""
    if not is_name(name):
        raise UsageError(
            f"creating named volume {go_quote(name)}: running volume create option: "
            "names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument"
        )


def require_options(options: Sequence[str]) -> None:
    """Raises UsageError for an unknown option and for two of one kind."""
    known = {name: group for group, names in _ONCE.items() for name in names}
    seen: dict[str, int] = {}
    for option in options:
        key = option.split("=")[0]
        if key in ("upperdir", "workdir"):
            if "O" not in options:
                raise UsageError(f"unknown mount option {go_quote(option)}: invalid mount option")
            group = f"{key} per overlay"
        elif key == "idmap":
            group = key
        elif option in ("cached", "delegated", "consistent", "consistency"):
            continue
        elif option in known:
            group = known[option] + " option"
        else:
            raise UsageError(f"invalid option type {go_quote(option)}")
        seen[group] = seen.get(group, 0) + 1
        if seen[group] > 1 and group == "idmap":
            raise UsageError("the 'idmap' option can only be set once: duplicate mount option passed")
        if seen[group] > 1:
            raise UsageError(f"invalid options {go_quote(', '.join(options))}, can only specify 1 {group}")


_BOTH = "duplicate mount option passed"
_MEMORY_ONCE = {
    "only one of 'noexec' and 'exec' can be used": ("exec", "noexec"),
    "only one of 'nosuid' and 'suid' can be used": ("suid", "nosuid"),
    "only one of 'nodev' and 'dev' can be used": ("dev", "nodev"),
    "only one of 'rw' and 'ro' can be used": ("rw", "ro"),
    "only one root propagation mode can be used": PROPAGATION,
    "only one tmpfs size can be specified": ("size",),
    "only one tmpfs mode can be specified": ("mode",),
    "the 'tmpcopyup' or 'notmpcopyup' option can only be set once": ("tmpcopyup", "notmpcopyup"),
    "the 'tmpswap' option can only be set once": ("noswap",),
    "the 'U' option can only be set once": ("U",),
    "only one 'noatime' option can be used": ("noatime",),
}
_NOT_IN_MEMORY = {
    "z": "the 'z' and 'Z' options are not allowed with tmpfs mounts",
    "Z": "the 'z' and 'Z' options are not allowed with tmpfs mounts",
    "bind": "the 'bind' and 'rbind' options are not allowed with tmpfs mounts",
    "rbind": "the 'bind' and 'rbind' options are not allowed with tmpfs mounts",
}


def require_memory_options(options: Sequence[str]) -> None:
    """Raises UsageError for what a tmpfs has no use for, and for two of one kind."""
    seen: set[str] = set()
    for option in options:
        key, equals, _ = option.partition("=")
        if key in _NOT_IN_MEMORY:
            raise UsageError(f"{_NOT_IN_MEMORY[key]}: invalid mount option")
        text = next((text for text, names in _MEMORY_ONCE.items() if key in names), "")
        if not text or bool(equals) != (key in ("size", "mode")):
            raise UsageError(f"unknown mount option {go_quote(option)}: invalid mount option")
        if text in seen:
            raise UsageError(f"{text}: {_BOTH}")
        seen.add(text)


def parse_tmpfs(text: str) -> MountUse:
    """One `--tmpfs DST[:opt,…]`."""
    target, _, rest = text.partition(":")
    target = require_target(target)
    options = rest.split(",") if rest else []
    require_memory_options(options)
    return build(MountKind.TMPFS, "tmpfs", target, options)


def unify(groups: Iterable[Iterable[MountUse]]) -> tuple[MountUse, ...]:
    """All mounts of the user, one per destination; the same one twice is one. Raises UsageError."""
    result: dict[str, MountUse] = {}
    for group in groups:
        for mount in group:
            if result.setdefault(mount.target, mount) != mount:
                raise UsageError(f"{mount.target}: duplicate mount destination")
    return tuple(result.values())


def supersede(*layers: Iterable[MountUse]) -> tuple[MountUse, ...]:
    """Layers from strongest to weakest: user, `--volumes-from`, the image's. A place goes to the first."""
    result: dict[str, MountUse] = {}
    for layer in layers:
        for mount in layer:
            result.setdefault(mount.target, mount)
    return tuple(result.values())


def of_image(paths: Iterable[str], mode: str, container_id: str) -> list[MountUse]:
    """What `VOLUME` in an image becomes, by `--image-volume`."""
    if mode not in ("anonymous", "tmpfs", "ignore", ""):
        raise UsageError(f'invalid image volume mode "{mode}" required value: anonymous, tmpfs, ignore')
    targets = [clean("/" + path) for path in paths]
    if mode == "ignore":
        return []
    if mode == "tmpfs":
        return [
            MountUse(kind=MountKind.TMPFS, source="tmpfs", target=path, options=("rw", "exec"), origin="image")
            for path in targets
        ]
    return [
        anonymous(path, container_id, "image").replace(options=("rprivate", "rw", "nodev", "exec")) for path in targets
    ]


def volumes_from(text: str) -> tuple[str, tuple[str, ...]]:
    """`--volumes-from X[:opt,…]`: the container, and the options. Raises UsageError."""
    name, _, rest = text.partition(":")
    options = tuple(rest.split(",")) if rest else ()
    for option in options:
        if option not in ("ro", "rw", "z"):
            raise UsageError(
                f"invalid option {go_quote(option)} specified - "
                "volumes from another container can only use z,ro,rw options"
            )
    if options.count("z") > 1:
        raise UsageError("cannot set :z more than once in mount options")
    if options.count("ro") + options.count("rw") > 1:
        raise UsageError("cannot set ro or rw options more than once")
    return name, options


def from_others(mounts: Iterable[MountUse], options: Sequence[str]) -> list[MountUse]:
    """Another container's user mounts and volumes, with access and label as `options` say if they do."""
    access = tuple(text for text in options if text in ("ro", "rw"))
    result = []
    for mount in mounts:
        if mount.kind not in (MountKind.BIND, MountKind.VOLUME, MountKind.OVERLAY) or mount.origin == "default":
            continue
        kept = tuple(text for text in mount.options if not access or text not in ("ro", "rw"))
        result.append(
            mount.replace(
                options=access + kept,
                read_only="ro" in access if access else mount.read_only,
                relabel="z" if "z" in options else mount.relabel,
                origin="volumes-from",
                anonymous=False,
            )
        )
    return result
