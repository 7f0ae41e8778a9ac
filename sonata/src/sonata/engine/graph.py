"""`GraphDriver` of inspect: where a driver of containers/storage keeps a layer.

Read from the records alone: asking the driver would load it, and inspect is asked often.
"""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata_core.models.ids import LayerId


def graph_driver(engine: Engine, layer: LayerId | None, mountpoint: str = "") -> dict[str, object]:
    """`Name` and `Data`, as Podman shows them."""
    name = engine.driver
    data: dict[str, str] = {}
    if layer is not None and name == "overlay":
        data = _overlay(engine, layer, mountpoint)
    elif layer is not None and name == "vfs":
        data = {"dir": f"{engine.config.storage.graph_root}/vfs/dir/{layer}"}
    return {"Name": name, "Data": data}


def _overlay(engine: Engine, layer: LayerId, mountpoint: str) -> dict[str, str]:
    layers = engine.store.layers()
    if layer not in layers:
        return {}
    home = f"{layers[layer].store}/overlay"
    data = {}
    below = layers[layer].parent
    lower = []
    while below and below in layers:
        lower.append(f"{layers[below].store}/overlay/{below}/diff")
        below = layers[below].parent
    if lower:
        data["LowerDir"] = ":".join(lower)
    if mountpoint:
        data["MergedDir"] = mountpoint
    data["UpperDir"] = f"{home}/{layer}/diff"
    data["WorkDir"] = f"{home}/{layer}/work"
    return data
