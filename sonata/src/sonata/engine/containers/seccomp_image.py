"""`--seccomp-policy image`: the profile that an image brings in a label, where the user has asked for it."""

from __future__ import annotations

import json

from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata.model.container import ContainerConfig

LABEL = "io.containers.seccomp.profile"


def profile_of(config: ContainerConfig) -> dict[str, Any]:
    """The profile as parsed. Raises UsageError where the image has none, or one that is no JSON object."""
    text = config.labels.get(LABEL, "")
    if not text:
        raise UsageError("no seccomp policy defined by image", hint=f"its label {LABEL} would hold one")
    try:
        profile = json.loads(text)
    except ValueError as error:
        raise UsageError(f"loading seccomp profile of the label {LABEL} failed: {error}") from error
    if not isinstance(profile, dict):
        raise UsageError(f"loading seccomp profile of the label {LABEL} failed: it is no object")
    return profile
