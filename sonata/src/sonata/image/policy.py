"""policy.json: whether an image from a place may be used at all (containers-policy.json(5)).

Pure: documents and identities in, requirements out. What is not understood is refused.
"""

from collections.abc import Mapping

from sonata.image.signatures.requirement import Requirement, parse_requirement
from sonata_core.errors import Denied, UsageError
from sonata_core.models.image import ImageReference
from sonata_core.naming import ImageName, is_digest, parse_name, shown
from sonata_core.record import Record

_LIMIT = 4 << 20
_PATHS = ("oci", "dir", "oci-archive", "sif")
_SCOPELESS = ("docker-archive", "tarball")
Requirements = tuple[Requirement, ...]


class Policy(Record):
    """A policy: requirements for each scope of each transport, and the default."""

    default: Requirements
    transports: Mapping[str, Mapping[str, Requirements]] = {}


def parse_policy(content: bytes, source: str) -> Policy:
    """Read a policy file. Raises UsageError for unknown, doubled or missing members: a policy is never guessed at."""
    from sonata.image.signatures.strict_json import loads

    try:
        document = loads(content, _LIMIT)
    except ValueError as error:
        raise UsageError(f"invalid policy in {shown(source)}: {error}", hint="see containers-policy.json(5)") from error
    members = _members(document, source, "the policy", {"default", "transports"})
    if "default" not in members:
        raise _invalid(source, "Default policy is missing")
    transports = _members(members.get("transports", {}), source, "transports", None)
    return Policy(
        default=_requirements(members["default"], source, "default"),
        transports={name: _scopes(scopes, source, name) for name, scopes in transports.items()},
    )


def _members(value: object, source: str, what: str, known: set[str] | None) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _invalid(source, f"{what} is not an object")
    if known is not None and not known.issuperset(value):
        raise _invalid(source, f"{what} has the unknown member {shown(min(set(value) - known))}")
    return value


def _scopes(value: object, source: str, transport: str) -> dict[str, Requirements]:
    found = {}
    for scope, items in _members(value, source, transport, None).items():
        trouble = scope_trouble(transport, scope)
        if trouble:
            raise _invalid(source, f"scope {shown(scope)} of {transport}: {trouble}")
        found[scope] = _requirements(items, source, f"{transport}: {scope}")
    return found


def scope_trouble(transport: str, scope: str) -> str:
    """Why a transport can have no such scope; empty where it can, and for transports that are not known here."""
    if not scope:
        return ""
    if transport in _SCOPELESS:
        return "the transport has no scopes but the empty one"
    if transport in _PATHS:
        return _path_trouble(scope)
    if transport == "docker-daemon" and is_digest(scope):
        return "an id is no scope"
    if transport == "atomic":
        return _atomic_trouble(scope)
    if transport == "containers-storage":
        return _storage_trouble(scope)
    return ""


def _path_trouble(scope: str) -> str:
    import posixpath

    if not scope.startswith("/"):
        return "must be an absolute path"
    if scope == "/":
        return 'use the generic default scope ""'
    return "" if posixpath.normpath(scope) == scope and scope[:2] != "//" else "uses a non-canonical format"


def _atomic_trouble(scope: str) -> str:
    """HOST[/NAMESPACE[/STREAM[:TAG]]]."""
    _, *rest = scope.split("/")
    if len(rest) > 2 or any(":" in one for one in rest[:1]) or any(one.count(":") > 1 for one in rest):
        return "must be HOST, or HOST/NAMESPACE, or HOST/NAMESPACE/STREAM[:TAG]"
    return ""


def _storage_trouble(scope: str) -> str:
    spec, bracket, _ = scope[1:].partition("]")
    if scope[0] != "[" or not bracket:
        return "must begin with [DRIVER@GRAPHROOT]"
    driver, at, root = spec.rpartition("@")
    if at and not driver:
        return "the driver before @ is missing"
    return "" if root.startswith("/") else "the graph root must be an absolute path"


def _requirements(value: object, source: str, scope: str) -> Requirements:
    if not isinstance(value, list) or not value:
        raise _invalid(source, f"the list of requirements of {shown(scope)} is empty or no list")
    try:
        return tuple(parse_requirement(item) for item in value)
    except UsageError as error:
        raise _invalid(source, f"{error.message}, in {shown(scope)}") from error


def _invalid(source: str, why: str) -> UsageError:
    return UsageError(f"invalid policy in {shown(source)}: {why}", hint="see containers-policy.json(5)")


def forbid(policy: Policy, reference: ImageReference) -> None:
    """Raise Denied if the policy rejects the image whatever signatures it may have: before anybody asks for it."""
    for one in requirements_for(policy, reference):
        if one.kind == "reject":
            raise rejected(f"Running image {reference.transport}:{reference.rest} is rejected by policy.")
        if one.kind == "signedBaseLayer":
            raise rejected("signedBaseLayer not implemented yet!")


def rejected(why: str) -> Denied:
    """The error for an image that the policy does not accept."""
    return Denied(f"Source image rejected: {why}", hint="policy.json decides; see containers-policy.json(5)")


def requirements_for(policy: Policy, reference: ImageReference) -> Requirements:
    """The one list that applies: the most specific scope of the transport, else the default."""
    scope = deciding_scope(policy, reference)
    return policy.default if scope is None else policy.transports[reference.transport][scope]


def deciding_scope(policy: Policy, reference: ImageReference) -> str | None:
    """The scope of the reference's transport whose list applies; None: the policy's default."""
    scopes = policy.transports.get(reference.transport, {})
    return next((scope for scope in scopes_of(reference) if scope in scopes), None)


def scopes_of(reference: ImageReference) -> tuple[str, ...]:
    """The identity of an image and its namespaces, most specific first, then the empty scope.

    The path of a local reference is taken as it is: who can have symbolic links in it resolves them before. Of
    `containers-storage`, `path` is `DRIVER@GRAPHROOT` and `selector` the id.
    """
    if reference.transport in ("docker", "atomic"):
        return (*docker_scopes(parse_name(reference.name).with_default_tag()), "")
    if reference.transport == "docker-daemon":
        return (*(docker_scopes(parse_name(reference.name)) if reference.name else ()), "")
    if reference.transport in _PATHS:
        return (*_path_scopes(reference.path), "")
    if reference.transport == "containers-storage":
        return (*_storage_scopes(reference), "")
    return ("",)


def docker_scopes(name: ImageName) -> tuple[str, ...]:
    """What policy.json and registries.d may say a name by, most specific first."""
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


def _path_scopes(path: str) -> tuple[str, ...]:
    found = []
    while path and path != "/":
        found.append(path)
        path = path.rpartition("/")[0]
    return tuple(found)


def _storage_scopes(reference: ImageReference) -> tuple[str, ...]:
    spec = f"[{reference.path}]"
    ident = reference.selector.removeprefix("@")
    found = [f"{spec}{reference.name}@{ident}"] if ident else []
    if reference.name:
        name = parse_name(reference.name).with_default_tag()
        found.append(f"{spec}{name}")
        if name.tag and name.digest:
            found.append(f"{spec}{name.repository}:{name.tag}")
        parts = name.repository.split("/")
        found += [f"{spec}{'/'.join(parts[:count])}" for count in range(len(parts), 0, -1)]
    return (*found, spec, f"[{reference.path.rpartition('@')[2]}]")
