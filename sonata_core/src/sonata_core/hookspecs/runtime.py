"""The hooks of an OCI runtime. Clauses: docs/contract/runtime.md."""

from sonata_core.hookspecs.plugin import PluginHooks
from sonata_core.lite import TYPE_CHECKING, Protocol
from sonata_core.markers import hookspec

if TYPE_CHECKING:
    from sonata_core.models.hooks import RuntimeSpec, SpecAdjustment
    from sonata_core.models.runtime import (
        ContainerRef,
        Launch,
        LaunchRequest,
        LaunchVerb,
        Resources,
        RuntimeFacts,
        RuntimeFailure,
        RuntimeState,
    )


class RuntimeHooks(PluginHooks, Protocol):
    """A runtime that speaks the OCI command line.

    The monitor runs `create` and `exec`, because it must be the parent of what it supervises: for
    these the plugin describes the invocation. All other verbs it carries out itself.
    """

    @hookspec()
    def runtime_facts(self) -> "RuntimeFacts":
        """R-10. The program and what it can do. Raises HostLacks when it cannot run on this host, with its reason."""

    @hookspec()
    def runtime_launch(self, request: "LaunchRequest") -> "Launch":
        """R-01, R-08, R-09. How to invoke the runtime for `create`, `exec` or `restore`. Pure."""

    @hookspec()
    def runtime_start(self, ref: "ContainerRef") -> None:
        """R-02. Release the created init. Raises ProcessRefused or its kinds, Conflict if not created."""

    @hookspec()
    def runtime_state(self, ref: "ContainerRef") -> "RuntimeState":
        """R-01. Status and pid as the runtime sees them; `absent` for one it does not know."""

    @hookspec()
    def runtime_kill(self, ref: "ContainerRef", signal: int, everyone: bool) -> None:
        """R-06, R-07. Signal the init process, or all if `everyone`. Raises Conflict if it has exited."""

    @hookspec()
    def runtime_delete(self, ref: "ContainerRef", force: bool) -> None:
        """R-03, R-04, R-14. Remove the runtime's state and cgroup, of a half-made container too.

        Absent is success; running without `force` is Conflict.
        """

    @hookspec()
    def runtime_explain(self, verb: "LaunchVerb", log_lines: tuple[str, ...], message: str) -> "RuntimeFailure":
        """R-05. What a failed create or exec means. Pure.

        `log_lines` are those of the runtime's JSON log, `message` comes from the monitor.
        """


class RuntimeTune(Protocol):
    """Optional: what only this runtime knows of how to run a spec faster."""

    @hookspec()
    def runtime_adjust(self, spec: "RuntimeSpec") -> "SpecAdjustment | None":
        """R-11. Called last, with the final spec; may add annotations only."""

    @hookspec()
    def runtime_created(self, ref: "ContainerRef", spec: "RuntimeSpec") -> None:
        """R-11. Called after a successful create with the same spec, to learn from it. Never raises."""


class RuntimePause(Protocol):
    """Optional: freezing."""

    @hookspec()
    def runtime_pause(self, ref: "ContainerRef") -> None:
        """R-12. Freeze all processes. Raises Conflict if not running."""

    @hookspec()
    def runtime_resume(self, ref: "ContainerRef") -> None:
        """R-12. Thaw them. Raises Conflict if not paused."""


class RuntimeUpdate(Protocol):
    """Optional: new limits for a running container."""

    @hookspec()
    def runtime_update(self, ref: "ContainerRef", resources: "Resources") -> None:
        """R-13. Apply `resources` now."""
