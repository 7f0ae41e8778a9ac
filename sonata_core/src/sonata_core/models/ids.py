"""Identifiers. At run time they are plain strings."""

from sonata_core.lite import NewType

ContainerId = NewType("ContainerId", str)
"""64 hexadecimal digits."""

ImageId = NewType("ImageId", str)
"""64 hexadecimal digits: the hex part of the config's digest."""

LayerId = NewType("LayerId", str)
"""64 hexadecimal digits."""

Digest = NewType("Digest", str)
"""`algorithm:hex`."""
