"""Compiled seccomp filters, kept from one container to the next.

crun leaves the filter that it compiled beside its state, and takes one from the annotation
`run.oci.seccomp_bpf_data`. A poisoned entry would mean a container without seccomp: the folder must be
ours and closed to others, and each entry carries a digest of its key and content. It is BLAKE2, which Python
has without OpenSSL, whose loading takes 3 ms.
"""

from __future__ import annotations

import binascii
import os
import stat
from _blake2 import blake2b

from sonata_core import json_text as json
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.hooks import SpecAdjustment
from sonata_core.sdk.oci_cli import keep_privately

if TYPE_CHECKING:
    from sonata_core.context import PluginContext
    from sonata_core.lite import Any
    from sonata_core.models.hooks import RuntimeSpec

ANNOTATION = "run.oci.seccomp_bpf_data"
_LIMIT = 8 * 65536
"""BPF allows 65536 instructions of 8 bytes (the kernel takes 4096)."""
_DIGEST = 32


def profile_of(spec: RuntimeSpec) -> Any | None:
    """The seccomp object of a spec, if it is one that a cached filter can stand for.

    One with a listener is not: its filter hands out a descriptor to a socket.
    """
    profile = (spec.get("linux") or {}).get("seccomp")
    if not profile or profile.get("listenerPath") or ANNOTATION in (spec.get("annotations") or {}):
        return None
    return profile


def key(profile: Any, version: str) -> str:
    """What a filter depends on: the profile, the compiler, the machine."""
    text = json.dumps([profile, version, os.uname().machine], sort_keys=True)
    return blake2b(text.encode(), digest_size=_DIGEST).hexdigest()


def adjustment(context: PluginContext, name: str) -> SpecAdjustment | None:
    """The annotation that hands crun the filter kept as `name`; None if there is none to trust."""
    program = load(_folder(context), name)
    if program is None:
        return None
    data = binascii.b2a_base64(program, newline=False).decode()
    return SpecAdjustment(origin="crun", annotations={ANNOTATION: data})


def learn(context: PluginContext, name: str, compiled: str) -> None:
    """Keep the filter that crun left at `compiled`. Never raises: without it the next create is only slower."""
    folder = _folder(context)
    if os.path.exists(f"{folder}/{name}"):
        return
    program = _read(compiled)
    if program is None or not _plausible(program):
        return
    keep_privately(folder, name, _digest(name, program) + program)


def load(folder: str, name: str) -> bytes | None:
    """The filter kept as `name`: folder and file ours and closed to others, digest right; else None."""
    try:
        status = os.lstat(folder)
    except OSError:
        return None
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        return None
    content = _read(f"{folder}/{name}")
    if content is None:
        return None
    digest, program = content[:_DIGEST], content[_DIGEST:]
    if digest != _digest(name, program) or not _plausible(program):
        return None
    return program


def _folder(context: PluginContext) -> str:
    return f"{context.cache}/seccomp"


def _plausible(program: bytes) -> bool:
    return bool(program) and len(program) % 8 == 0


def _digest(name: str, program: bytes) -> bytes:
    return blake2b(name.encode() + b"\0" + program, digest_size=_DIGEST).digest()


def _read(path: str) -> bytes | None:
    """A regular file of ours that no one else can write, or None."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
            return None
        content = os.read(descriptor, _LIMIT + _DIGEST + 1)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return content if len(content) <= _LIMIT + _DIGEST else None
