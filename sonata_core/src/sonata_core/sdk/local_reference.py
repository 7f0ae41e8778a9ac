"""References to images in files and folders: `path[:selector]`."""

from __future__ import annotations

import os

from sonata_core.errors import UsageError
from sonata_core.models.image import ImageReference
from sonata_core.naming import shown


def parse_local(transport: str, text: str) -> ImageReference:
    """Split `path[:name|:@index]` at the first colon. `path` of the result is absolute. Raises UsageError."""
    path, _, selector = text.partition(":")
    if not path or "\0" in text:
        raise UsageError(f"{transport}: {shown(text)} has no path", hint=f"write {transport}:PATH[:NAME]")
    if selector.startswith("@"):
        index = selector[1:]
        if not (index.isascii() and index.isdigit() and len(index) < 10):
            raise UsageError(f"{transport}: {shown(selector)} is no index of an image", hint="write :@0 for the first")
    return ImageReference(transport=transport, rest=text, path=os.path.abspath(path), selector=selector)


def index_of(selector: str) -> int | None:
    """The number of an `@index` selector, None for a name."""
    return int(selector[1:]) if selector.startswith("@") else None
