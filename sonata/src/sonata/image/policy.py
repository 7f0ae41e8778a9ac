"""policy.json: whether an image from a place may be used at all (containers-policy.json(5)).

Pure: documents and identities in, a verdict out. What is not understood is refused.
"""

from collections.abc import Mapping

from sonata_core.errors import Denied, Unsupported, UsageError
from sonata_core.models.image import ImageReference
from sonata_core.naming import ImageName, parse_name, shown
from sonata_core.record import Record

_LIMIT = 4 << 20
_KNOWN = ("insecureAcceptAnything", "reject", "signedBy", "signedBaseLayer", "sigstoreSigned")
Requirements = tuple[str, ...]


class Policy(Record):
    """A policy: requirement types for each scope of each transport, and the default."""

    default: Requirements
    transports: Mapping[str, Mapping[str, Requirements]] = {}


def parse_policy(content: bytes, source: str) -> Policy:
    """Read a policy file. Raises UsageError for unknown, doubled or missing members: a policy is never guessed at."""
    import json

    if len(content) > _LIMIT:
        raise UsageError(f"invalid policy in {shown(source)}: it has {len(content)} bytes")
    try:
        document = json.loads(content.decode("utf-8"), object_pairs_hook=_no_doubles)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"invalid policy in {shown(source)}: {error}", hint="see containers-policy.json(5)") from error
    members = _members(document, source, "the policy", {"default", "transports"})
    if "default" not in members:
        raise _invalid(source, "it has no default")
    transports = _members(members.get("transports", {}), source, "transports", None)
    return Policy(
        default=_requirements(members["default"], source, "default"),
        transports={
            name: {
                scope: _requirements(items, source, f"{name}: {scope}")
                for scope, items in _members(scopes, source, name, None).items()
            }
            for name, scopes in transports.items()
        },
    )


def _no_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member appears twice")
    return found


def _members(value: object, source: str, what: str, known: set[str] | None) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _invalid(source, f"{what} is not an object")
    if known is not None and not known.issuperset(value):
        raise _invalid(source, f"{what} has the unknown member {shown(min(set(value) - known))}")
    return value


def _requirements(value: object, source: str, scope: str) -> Requirements:
    if not isinstance(value, list) or not value:
        raise _invalid(source, f"the list of requirements of {shown(scope)} is empty or no list")
    found: list[str] = []
    for item in value:
        kind = item.get("type") if isinstance(item, dict) else None
        if not isinstance(kind, str) or kind not in _KNOWN:
            raise _invalid(source, f"unknown policy requirement type {shown(kind)} in {shown(scope)}")
        if kind in ("insecureAcceptAnything", "reject"):
            _members(item, source, kind, {"type"})
        found.append(kind)
    return tuple(found)


def _invalid(source: str, why: str) -> UsageError:
    return UsageError(f"invalid policy in {shown(source)}: {why}", hint="see containers-policy.json(5)")


def require(policy: Policy, reference: ImageReference) -> None:
    """Raise Denied if the policy rejects the image, Unsupported for a requirement that cannot be checked yet."""
    for kind in requirements_for(policy, reference):
        if kind == "reject":
            raise Denied(
                f"Source image rejected: Running image {reference.transport}:{reference.rest} is rejected by policy.",
                hint="policy.json decides; see containers-policy.json(5)",
            )
        if kind != "insecureAcceptAnything":
            raise Unsupported(
                f"Source image rejected: {kind} is not checked yet, so {reference.transport}:{reference.rest} "
                "cannot be accepted",
                hint="the policy asks for a signature; nothing is taken that was not verified",
            )


def requirements_for(policy: Policy, reference: ImageReference) -> Requirements:
    """The one list that applies: the most specific scope of the transport, else the default."""
    scope = deciding_scope(policy, reference)
    return policy.default if scope is None else policy.transports[reference.transport][scope]


def deciding_scope(policy: Policy, reference: ImageReference) -> str | None:
    """The scope of the reference's transport whose list applies; None: the policy's default."""
    scopes = policy.transports.get(reference.transport, {})
    return next((scope for scope in scopes_of(reference) if scope in scopes), None)


def scopes_of(reference: ImageReference) -> tuple[str, ...]:
    """The identity of an image and its namespaces, most specific first, then the empty scope."""
    if reference.transport in ("docker", "atomic"):
        return (*_docker_scopes(parse_name(reference.name).with_default_tag()), "")
    if reference.transport in ("oci", "dir", "oci-archive", "sif"):
        return (*_path_scopes(reference), "")
    return ("",)


def _docker_scopes(name: ImageName) -> tuple[str, ...]:
    exact = f"{name.repository}@{name.digest}" if name.digest else f"{name.repository}:{name.tag}"
    found = [exact, name.repository]
    path = name.path
    while "/" in path:
        path = path.rpartition("/")[0]
        found.append(f"{name.domain}/{path}")
    found.append(name.domain)
    host = name.domain.partition(":")[0]
    while "." in host:
        host = host.partition(".")[2]
        found.append(f"*.{host}")
    return tuple(found)


def _path_scopes(reference: ImageReference) -> tuple[str, ...]:
    found = [f"{reference.path}:{reference.selector}"] if reference.selector and reference.transport != "dir" else []
    path = reference.path
    while path and path != "/":
        found.append(path)
        path = path.rpartition("/")[0]
    return tuple(found)
