"""What a container's image would be and whether it may be pulled: looked up, and nothing fetched."""

from __future__ import annotations

from sonata.engine.images import lookup
from sonata.engine.images.ensure import local_image, policy_named
from sonata.engine.images.facts import image_facts
from sonata.engine.images.platforms import require_platform
from sonata.engine.images.trust import resolved, trust_for
from sonata.image import policy as rules
from sonata.image.reference import drop_tag_of_digest, transport_or_name
from sonata.model.materials import ImageFacts
from sonata_core.errors import NotFound, SonataError
from sonata_core.groups import TRANSPORT
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.naming import parse_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata.engine.engine import Engine
    from sonata.engine.images.trust import Trust
    from sonata.model.image_request import PullOptions
    from sonata.model.request import RunRequest
    from sonata.store.records import ImageRecord
    from sonata_core.models.image import ImageReference


class Foreseen:
    """The image as far as it is known without a pull. `record` None: not in the store, or there is only a root."""

    def __init__(self, given: str) -> None:
        self.given = given
        self.record: ImageRecord | None = None
        self.facts = ImageFacts()
        self.pull_policy = ""
        self.pulls = ""
        """`no`, `yes`, or `if newer`."""
        self.candidates: list[str] = []
        self.references: list[ImageReference] = []
        self.notices: list[str] = []

    def shown(self) -> dict[str, Any]:
        """For people and machines."""
        record = self.record
        return {
            "Given": self.given,
            "Name": self.facts.name,
            "Id": record.id if record else "",
            "Digest": str(record.digest) if record else "",
            "Local": record is not None,
            "PullPolicy": self.pull_policy,
            "Pull": self.pulls,
            "Candidates": self.candidates,
        }


def foresee(engine: Engine, request: RunRequest) -> Foreseen:
    """Find the image as `create` would, but pull none. Raises NotFound where `create` would not pull either."""
    found = Foreseen(request.image)
    if request.rootfs:
        return found
    found.pull_policy = policy_named(request.pull, engine.config.engine.pull_policy)
    if request.platform:
        require_platform(engine, request)
    local = local_image(engine, request.image, request)
    if local is None and found.pull_policy == "never":
        raise NotFound(f"{request.image}: image not known", hint=f"sonata pull {request.image}", name=request.image)
    if local is not None:
        found.record, name = local
        found.facts = image_facts(engine, found.record, name)
    found.pulls = {"always": "yes", "newer": "if newer"}.get(found.pull_policy, "no" if local else "yes")
    found.references = _references(engine, request.image if local is None else local[1] or request.image)
    if local is not None and found.pulls != "no":
        found.notices.append("the image may be pulled anew: what is told is of the one in the store")
    found.candidates = [f"{one.transport}:{one.rest}" for one in found.references]
    if local is None and found.references:
        found.facts = found.facts.replace(name=found.references[0].name)
    return found


def _references(engine: Engine, text: str) -> list[ImageReference]:
    """Where a pull would look, in order. Raises UsageError, Denied."""
    scheme, rest = transport_or_name(text, engine.catalog.names(TRANSPORT))
    if scheme and scheme != "docker":
        return [] if scheme == "containers-storage" else [engine.transport(scheme).hook.transport_parse(text=rest)]
    found = []
    for candidate in lookup.registries(engine).resolve_pull(rest.removeprefix("//")):
        asked = drop_tag_of_digest(parse_name(candidate.reference))
        parsed = engine.transport("docker").hook.transport_parse(text=f"//{asked}")
        found.append(parsed.replace(name=str(asked)))
    return found


def verdicts(engine: Engine, request: RunRequest, found: Foreseen) -> dict[str, Any]:
    """What policy.json says of each place that the image may be pulled from, and which of its rules decides."""
    if request.rootfs:
        return {"File": "", "Asked": False, "Verdicts": []}
    return {"Asked": found.pulls != "no", **judged(engine, request, found.references)}


def judged(engine: Engine, options: PullOptions, asked: Iterable[ImageReference]) -> dict[str, Any]:
    """The policy's file, and its verdict of each reference."""
    try:
        trusted = trust_for(engine, options.signature_policy)
    except SonataError as error:
        return {"File": "", "Verdicts": [], "Error": error.message}
    return {"File": trusted.path, "Verdicts": [_verdict(trusted, reference) for reference in asked]}


def references(engine: Engine, names: Iterable[str]) -> list[ImageReference]:
    """The names of an image as a registry has them."""
    parse = engine.transport("docker").hook.transport_parse
    return [parse(text=f"//{drop_tag_of_digest(parse_name(name))}") for name in names]


def _verdict(trusted: Trust, reference: ImageReference) -> dict[str, Any]:
    """Without the signatures: those of a registry's image are known when its manifest is."""
    meant = resolved(reference)
    scope = rules.deciding_scope(trusted.policy, meant)
    rule = "default" if scope is None else f"transports.{reference.transport}.{scope or '(any)'}"
    told: dict[str, Any] = {"Reference": f"{reference.transport}:{reference.rest}", "Rule": rule}
    kinds = [one.kind for one in rules.requirements_for(trusted.policy, meant)]
    told["Requirements"] = kinds
    try:
        trusted.forbid(reference)
    except SonataError as error:
        return {**told, "Verdict": "rejected", "Reason": error.message}
    wanted = [kind for kind in kinds if kind != "insecureAcceptAnything"]
    if wanted:
        return {**told, "Verdict": "if signed", "Reason": f"needs signatures: {', '.join(wanted)}"}
    return {**told, "Verdict": "accepted", "Reason": ""}
