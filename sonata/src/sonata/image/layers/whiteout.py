"""What a layer's tar says about deletions, and how each storage format keeps it (image-spec, layer.md).

In a tar, `.wh.NAME` deletes NAME of the layers below, `.wh..wh..opq` hides all that its folder has below.
"""

from __future__ import annotations

from sonata_core.models.storage import LayerFormat

PREFIX = b".wh."
OPAQUE = b".wh..wh..opq"
META_PREFIX = b".wh..wh."
"""Names of AUFS's own data; at the top of a layer they are no content."""

OPAQUE_XATTR = {
    LayerFormat.OVERLAY_TRUSTED: "trusted.overlay.opaque",
    LayerFormat.OVERLAY_USER: "user.overlay.opaque",
}
_FUSE_XATTRS = (*OPAQUE_XATTR.values(), "user.fuseoverlayfs.opaque")
"""fuse-overlayfs takes the first that it may set."""
_OVERLAY_XATTRS = (b"trusted.overlay.", b"user.overlay.", b"user.fuseoverlayfs.")


def opaque_xattrs(layer_format: LayerFormat) -> tuple[str, ...]:
    """The attributes that make a folder of an overlay format opaque."""
    own = OPAQUE_XATTR.get(layer_format)
    return _FUSE_XATTRS if own is None else (own,)


def is_overlay_xattr(name: bytes) -> bool:
    """Whether overlayfs gives this attribute a meaning, so that no layer may bring one along."""
    return name.startswith(_OVERLAY_XATTRS)


def deleted_name(base: bytes) -> bytes:
    """The name that `.wh.NAME` deletes; empty if what follows the prefix can be no name."""
    name = base[len(PREFIX) :]
    return b"" if name in (b".", b"..") else name
