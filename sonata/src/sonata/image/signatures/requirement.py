"""The requirements that a policy may name, read strictly (containers-policy.json(5), "Policy Requirements").

A member that is unknown, doubled, missing or of another type is an error: a policy is never guessed at.
"""

from collections.abc import Callable, Mapping

from sonata_core.errors import UsageError
from sonata_core.naming import parse_name, shown
from sonata_core.record import Record

_KEY_TYPES = ("GPGKeys", "signedByGPGKeys", "X509Certificates", "signedByX509CAs")
_PLAIN_MATCHES = ("matchExact", "matchRepoDigestOrExact", "matchRepository")


class Material(Record):
    """Keys or certificates: files to read when they are needed, or what the policy holds itself."""

    paths: tuple[str, ...] = ()
    data: tuple[bytes, ...] = ()


class Match(Record):
    """`signedIdentity`: which signed name is the name of the image. `prefix` and `signed_prefix`: remapIdentity."""

    kind: str = "matchRepoDigestOrExact"
    reference: str = ""
    prefix: str = ""
    signed_prefix: str = ""


class Fulcio(Record):
    """A certificate authority that gives short-lived certificates to people who logged in."""

    authority: Material
    issuer: str
    email: str


class Pki(Record):
    """An ordinary certificate authority."""

    roots: Material
    intermediates: Material = Material()
    email: str = ""
    hostname: str = ""


class Requirement(Record):
    """One requirement. What a kind does not have is empty."""

    kind: str
    key_type: str = ""
    keys: Material | None = None
    fulcio: Fulcio | None = None
    pki: Pki | None = None
    rekor: Material | None = None
    match: Match = Match()


def parse_requirement(value: object) -> Requirement:
    """One member of a list of requirements. Raises UsageError with what is wrong, without the policy's name."""
    if not isinstance(value, dict):
        raise UsageError("a policy requirement is not an object")
    kind = value.get("type")
    parse = _PARSERS.get(kind) if isinstance(kind, str) else None
    if parse is None:
        raise UsageError(f"Unknown policy requirement type {shown(kind)}")
    return parse(_Members(value))


class _Members:
    """An object whose members are taken one by one."""

    def __init__(self, value: object, what: str = "the object") -> None:
        if not isinstance(value, dict):
            raise UsageError(f"{what} is not an object")
        self._left = dict(value)
        self._what = what
        self.taken = ""

    def has(self, name: str) -> bool:
        return name in self._left

    def take(self, name: str) -> object:
        if name not in self._left:
            raise UsageError(f'Key "{name}" missing in a JSON object')
        self.taken = name
        return self._left.pop(name)

    def text(self, name: str, default: str | None = None) -> str:
        if default is not None and name not in self._left:
            return default
        value = self.take(name)
        if not isinstance(value, str):
            raise UsageError(f'"{name}" is not a string')
        return value

    def done(self) -> None:
        if self._left:
            raise UsageError(f"Unknown key {shown(min(self._left))}")

    def material(self, path: str, data: str, *, several: bool) -> Material | None:
        """The one of `xPath`, `xPaths`, `xData`, `xDatas` that is there. Raises UsageError for more than one."""
        forms = [path, data, *([f"{path}s", f"{data}s"] if several else [])]
        found = [name for name in forms if name in self._left]
        if len(found) > 1:
            raise UsageError(f"only one of {', '.join(forms)} can be used, and here are {' and '.join(found)}")
        if not found:
            return None
        name = found[0]
        if name == path:
            value = self.text(name)
            if not value:
                raise UsageError(f'"{name}" is empty')
            return Material(paths=(value,))
        if name == data:
            return Material(data=(_unbase64(name, self.take(name)),))
        values = self.take(name)
        if not isinstance(values, list):
            raise UsageError(f'"{name}" is not a list')
        if name == f"{path}s":
            if not all(isinstance(one, str) and one for one in values):
                raise UsageError(f'"{name}" is not a list of paths')
            return Material(paths=tuple(values))
        return Material(data=tuple(_unbase64(name, one) for one in values))


def _unbase64(name: str, value: object) -> bytes:
    import base64

    if not isinstance(value, str):
        raise UsageError(f'"{name}" is not a string')
    try:
        return base64.b64decode(value.replace("\r", "").replace("\n", ""), validate=True)
    except ValueError as error:
        raise UsageError(f'"{name}" is not base64: {error}') from error


def _bare(members: _Members) -> Requirement:
    found = Requirement(kind=members.text("type"))
    members.done()
    return found


def _signed_by(members: _Members) -> Requirement:
    kind = members.text("type")
    key_type = members.text("keyType", "")
    if key_type not in _KEY_TYPES:
        raise UsageError(f"invalid keyType {shown(key_type)}")
    if members.has("keyDatas"):
        raise UsageError('Unknown key "keyDatas"')
    keys = members.material("keyPath", "keyData", several=True)
    if keys is None:
        raise UsageError("Exactly one of keyPath, keyPaths and keyData must be specified, none of them present")
    found = Requirement(kind=kind, key_type=key_type, keys=keys, match=_match_of(members))
    members.done()
    return found


def _signed_base_layer(members: _Members) -> Requirement:
    found = Requirement(kind=members.text("type"), match=parse_match(members.take("baseLayerIdentity")))
    members.done()
    return found


def _sigstore_signed(members: _Members) -> Requirement:
    kind = members.text("type")
    keys = members.material("keyPath", "keyData", several=True)
    if keys is not None and not (keys.paths or keys.data):
        raise UsageError(f'"{members.taken}" contains no entries')
    fulcio = _fulcio(_Members(members.take("fulcio"), "fulcio")) if members.has("fulcio") else None
    pki = _pki(_Members(members.take("pki"), "pki")) if members.has("pki") else None
    if sum(one is not None for one in (keys, fulcio, pki)) != 1:
        raise UsageError("exactly one of keyPath, keyPaths, keyData, keyDatas, fulcio, and pki must be specified")
    rekor = members.material("rekorPublicKeyPath", "rekorPublicKeyData", several=True)
    if rekor is not None and not (rekor.paths or rekor.data):
        raise UsageError(f'"{members.taken}" contains no entries')
    if fulcio is not None and rekor is None:
        raise UsageError(
            "At least one of rekorPublicKeyPath and rekorPublicKeyData must be specified if fulcio is used"
        )
    if pki is not None and rekor is not None:
        raise UsageError("rekorPublicKeyPath and rekorPublicKeyData are not supported for pki")
    found = Requirement(kind=kind, keys=keys, fulcio=fulcio, pki=pki, rekor=rekor, match=_match_of(members))
    members.done()
    return found


def _fulcio(members: _Members) -> Fulcio:
    authority = members.material("caPath", "caData", several=False)
    if authority is None:
        raise UsageError("At least one of caPath and caData must be specified")
    found = Fulcio(authority=authority, issuer=members.text("oidcIssuer", ""), email=members.text("subjectEmail", ""))
    if not found.issuer or not found.email:
        raise UsageError("oidcIssuer and subjectEmail must be specified")
    members.done()
    return found


def _pki(members: _Members) -> Pki:
    roots = members.material("caRootsPath", "caRootsData", several=False)
    if roots is None:
        raise UsageError("At least one of caRootsPath and caRootsData must be specified")
    found = Pki(
        roots=roots,
        intermediates=members.material("caIntermediatesPath", "caIntermediatesData", several=False) or Material(),
        email=members.text("subjectEmail", ""),
        hostname=members.text("subjectHostname", ""),
    )
    if not found.email and not found.hostname:
        raise UsageError("At least one of subjectEmail and subjectHostname must be specified")
    members.done()
    return found


def _match_of(members: _Members) -> Match:
    return parse_match(members.take("signedIdentity")) if members.has("signedIdentity") else Match()


def parse_match(value: object) -> Match:
    """A `signedIdentity`. Raises UsageError."""
    members = _Members(value, "signedIdentity")
    kind = members.text("type", "")
    if kind in _PLAIN_MATCHES:
        found = Match(kind=kind)
    elif kind == "exactReference":
        found = Match(kind=kind, reference=members.text("dockerReference"))
        name = parse_name(found.reference)
        if not name.tag and not name.digest:
            raise UsageError(f"dockerReference {shown(found.reference)} contains neither a tag nor digest")
    elif kind == "exactRepository":
        found = Match(kind=kind, reference=members.text("dockerRepository"))
        parse_name(found.reference)
    elif kind == "remapIdentity":
        found = Match(kind=kind, prefix=members.text("prefix"), signed_prefix=members.text("signedPrefix"))
        for prefix in (found.prefix, found.signed_prefix):
            _check_prefix(prefix)
    else:
        raise UsageError(f"Unknown policy reference match type {shown(kind)}")
    members.done()
    return found


def _check_prefix(prefix: str) -> None:
    """A host, or a host and the beginning of a path. Raises UsageError."""
    try:
        name = parse_name(prefix if "/" in prefix else f"{prefix}/x")
        plain = not name.tag and not name.digest
    except UsageError:
        plain = False
    _, port, number = prefix.rpartition(":")
    if not plain or ("/" not in prefix and ("_" in prefix or (port and not number.isdecimal()))):
        raise UsageError(f"prefix {shown(prefix)} is not valid")


_PARSERS: Mapping[str, Callable[[_Members], Requirement]] = {
    "insecureAcceptAnything": _bare,
    "reject": _bare,
    "signedBy": _signed_by,
    "signedBaseLayer": _signed_base_layer,
    "sigstoreSigned": _sigstore_signed,
}
