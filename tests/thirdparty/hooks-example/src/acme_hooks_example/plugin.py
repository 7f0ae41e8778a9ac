"""The participant: what it adds to a container, and what it writes down."""

from __future__ import annotations

import os

from sonata_core.hookspecs.hooks import ContainerEvents, OciHooks, SpecAdjust
from sonata_core.lite import TYPE_CHECKING
from sonata_core.markers import hookimpl
from sonata_core.models.hooks import SpecAdjustment
from sonata_core.models.plugin import PluginInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata_core.context import PluginContext
    from sonata_core.models.hooks import ContainerEvent, OciHook, RuntimeSpec

ANNOTATION = "org.acme.example"
ORIGIN = "acme-hooks-example"


class ExampleHooks(OciHooks, SpecAdjust, ContainerEvents):
    """Adds a variable and a mount where the annotation asks for them."""

    def __init__(self, context: PluginContext) -> None:
        self._context = context

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        return PluginInfo(name="example", version="0.2.0", summary="a variable and a folder", contract="hooks/1.0")

    @hookimpl
    def oci_hooks(self, spec: RuntimeSpec, annotations: Mapping[str, str]) -> tuple[OciHook, ...]:
        return ()

    @hookimpl
    def oci_adjust(self, spec: RuntimeSpec, annotations: Mapping[str, str]) -> SpecAdjustment | None:
        value = annotations.get(ANNOTATION)
        if value is None:
            return None
        scratch = {
            "destination": "/acme",
            "type": "tmpfs",
            "source": "tmpfs",
            "options": ["nosuid", "nodev", "size=1m"],
        }
        return SpecAdjustment(origin=ORIGIN, env=(f"ACME_EXAMPLE={value}",), mounts=(scratch,))

    @hookimpl
    def container_event(self, event: ContainerEvent) -> None:
        os.makedirs(self._context.root, mode=0o700, exist_ok=True)
        line = f"{event.status} {event.container[:12]} {event.name}\n"
        with open(f"{self._context.root}/events", "a", encoding="utf-8") as file:
            file.write(line)
