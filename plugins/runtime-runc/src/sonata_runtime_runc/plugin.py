"""Runs containers with runc."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING
from sonata_core.markers import hookimpl
from sonata_core.models.plugin import PluginInfo
from sonata_core.sdk.oci_cli import OciCliRuntime

if TYPE_CHECKING:
    from sonata_core.models.runtime import RuntimeFacts


class RuncRuntime(OciCliRuntime):
    """runc 1.1 or later; id-mapped mounts came with 1.2."""

    program_name = "runc"
    package = "runc"

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        return PluginInfo(name="runc", version="0.1.0", summary="Runs containers with runc", contract="runtime/1.0")

    @hookimpl
    def runtime_facts(self) -> RuntimeFacts:
        facts = OciCliRuntime.runtime_facts(self)
        numbers = [int(part) for part in facts.version.split("-")[0].split("+")[0].split(".")[:2] if part.isdigit()]
        return facts.replace(id_mapped_mounts=numbers >= [1, 2], checkpoint=True)
