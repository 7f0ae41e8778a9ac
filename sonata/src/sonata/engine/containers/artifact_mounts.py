"""`--mount type=artifact`: each start binds the files that the artifact has then, read-only, out of the store.

A file of the store got its name by verifying; that its size is right is checked again here, its content
is not: an artifact may be larger than anybody wants to read at every start.
"""

from __future__ import annotations

import os
import stat

from sonata.engine.artifacts.stored import open_store
from sonata.image.artifact import chosen, file_name
from sonata.model.container import MountKind
from sonata_core.errors import Damaged, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.safepath import open_in_root

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.engine.engine import Engine
    from sonata.image.artifact_store import ArtifactStore
    from sonata.model.container import ContainerConfig, MountUse


def expanded(engine: Engine, config: ContainerConfig, kind_of: Callable[[str], int]) -> ContainerConfig:
    """The container with a bind for every file of its artifacts; `kind_of` tells the file type of a path in its root.

    One blob goes to the very destination unless that is a folder, several into it, each by its title or
    digest, or by the name that was given. Raises NotFound, UsageError, Damaged.
    """
    store = open_store(engine)
    found: list[MountUse] = []
    for use in config.mounts:
        found += _binds(store, use, kind_of(use.target)) if use.kind is MountKind.ARTIFACT else [use]
    places = [use.target for use in found]
    twice = next((place for place in places if places.count(place) > 1), None)
    if twice is not None:
        raise UsageError(f"{twice}: duplicate mount destination")
    return config.replace(mounts=tuple(found))


def _binds(store: ArtifactStore, use: MountUse, kind: int) -> list[MountUse]:
    asked = dict(option.split("=", 1) for option in use.options if "=" in option)
    artifact = store.get(use.source)
    blobs = chosen(artifact, asked.get("digest", ""), asked.get("title", ""))
    as_file = kind not in (0, stat.S_IFDIR)
    if as_file and len(blobs) > 1:
        raise UsageError(
            f'artifact "{use.source}" contains more than one blob and container path "{use.target}" is a file'
        )
    name = asked.get("name", "")
    made: list[MountUse] = []
    for number, (blob, own) in enumerate(blobs):
        if not store.has_blob(blob):
            raise Damaged(
                f"{use.source}: the store of artifacts lacks its blob {blob.digest}",
                hint=f"sonata artifact pull {artifact.name}, or add it again",
            )
        called = file_name(blob, f"{name}-{number}" if name and len(blobs) > 1 else name or own)
        alone = len(blobs) == 1 and kind != stat.S_IFDIR
        target = use.target if alone else f"{use.target.rstrip('/')}/{called}"
        bind = use.replace(kind=MountKind.BIND, source=store.blob_path(blob.digest), target=target)
        made.append(bind.replace(options=("ro", "rprivate", "bind"), read_only=True))
    return made


def kind_in(root: str) -> Callable[[str], int]:
    """For `expanded`: what is at a path of a root filesystem; 0 where there is nothing."""

    def kind_of(path: str) -> int:
        top = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            handle = open_in_root(top, path, os.O_PATH)
        except OSError:
            return 0
        finally:
            os.close(top)
        try:
            return stat.S_IFMT(os.fstat(handle).st_mode)
        finally:
            os.close(handle)

    return kind_of
