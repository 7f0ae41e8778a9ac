"""The hooks of the hooks group, a fan-out: any number take part. Clauses: docs/contract/hooks.md."""

from sonata_core.hookspecs.plugin import PluginHooks
from sonata_core.lite import TYPE_CHECKING, Mapping, Protocol
from sonata_core.markers import hookspec

if TYPE_CHECKING:
    from sonata_core.models.hooks import ContainerEvent, OciHook, RuntimeSpec, SpecAdjustment


class OciHooks(PluginHooks, Protocol):
    """A participant that adds hooks of the runtime specification."""

    @hookspec(firstresult=False)
    def oci_hooks(self, spec: "RuntimeSpec", annotations: Mapping[str, str]) -> "tuple[OciHook, ...]":
        """H-01, H-02, H-03, H-04. Hooks that this container is to have, in order."""


class SpecAdjust(Protocol):
    """Optional: changes to the spec."""

    @hookspec(firstresult=False)
    def oci_adjust(self, spec: "RuntimeSpec", annotations: Mapping[str, str]) -> "SpecAdjustment | None":
        """H-02, H-03, H-05. What this container's spec is to gain; None for nothing."""


class ContainerEvents(Protocol):
    """Optional: hearing what happens."""

    @hookspec(firstresult=False)
    def container_event(self, event: "ContainerEvent") -> None:
        """H-06. Something happened. What is raised here is logged and goes no further."""
