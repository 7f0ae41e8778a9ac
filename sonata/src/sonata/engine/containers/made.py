"""What a start has made so far, as its steps hand it to each other."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata.model.materials import RuntimeFiles


class Mounted:
    """Where a start finds the root, and for the mounts that the spec makes, the folders behind them."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.entry = root
        """The root by which the runtime enters it."""
        self.sources: dict[str, str] = {}
        """By target; empty: there is nothing to mount."""
        self.unmapped: dict[str, str] = {}
        """For sources that are shown with other owners: the folder itself."""
        self.flags: dict[str, tuple[str, ...]] = {}
        self.shm = ""


class Prepared:
    """What stands ready for the runtime."""

    def __init__(self, spec: dict[str, Any], files: RuntimeFiles, root: int, hostname: str) -> None:
        self.spec = spec
        self.files = files
        self.root = root
        self.hostname = hostname
        self.early_hooks = bool(spec.get("hooks"))
        """Hooks may look at the network, so it must be there before the runtime creates."""
