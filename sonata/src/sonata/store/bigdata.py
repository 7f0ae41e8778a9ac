"""Big data: the files beside a record, such as an image's manifest and config."""

from __future__ import annotations

import os
import stat

from sonata.store.names import big_data_file, is_id
from sonata.store.table import trouble, write_file
from sonata_core.errors import Damaged, NotFound
from sonata_core.sdk.folders import make_private
from sonata_core.sdk.trees import remove_tree

MAX_ITEM = 64 << 20
"""Bytes of the largest item that is read: manifests and configs are far smaller."""


def item_path(folder: str, key: str, name: str) -> str:
    """The file of one item. Raises Damaged for an id that is none: it would be a path."""
    if not is_id(key):
        raise Damaged(f"{key!r} in {folder} is no id")
    return os.path.join(folder, key, big_data_file(name))


def read_item(folder: str, key: str, name: str) -> bytes:
    """The content of one item. Raises NotFound, Damaged if it is absurdly large."""
    path = item_path(folder, key, name)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"{key[:12]} has no item {name!r}") from None
    except OSError as error:
        raise Damaged(f"{path}: {error.strerror}", hint="run `sonata system check --repair`") from error
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise Damaged(f"{path} is no file", hint="run `sonata system check --repair`")
        with open(fd, "rb", closefd=False) as file:
            data = file.read(MAX_ITEM + 1)
    finally:
        os.close(fd)
    if len(data) > MAX_ITEM:
        raise Damaged(f"{path} is larger than {MAX_ITEM} bytes")
    return data


def write_item(folder: str, key: str, name: str, data: bytes) -> None:
    """Write one item, replacing an older one whole. Raises Unavailable (disk full), Denied."""
    path = item_path(folder, key, name)
    try:
        make_private(os.path.dirname(path))
        write_file(path, data, durable=True)
    except OSError as error:
        raise trouble(error, f"writing {path}") from error


def remove_items(folder: str, key: str) -> None:
    """Remove all items of a record. Absent is success."""
    if is_id(key):
        remove_tree(os.path.join(folder, key))
