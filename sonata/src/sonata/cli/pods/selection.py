"""Which pods the command line means."""

from __future__ import annotations

from sonata.model.pod import PodSelection
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.pflag import Parsed


def selection(parsed: Parsed) -> PodSelection:
    """As `pod start`, `stop`, `rm` and others take it."""
    return PodSelection(
        names=tuple(parsed.args),
        all=bool(parsed.get("all")),
        latest=bool(parsed.get("latest")),
        pod_id_file=tuple(parsed.get("pod-id-file", ())),
    )
