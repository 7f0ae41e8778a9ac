"""From what a registry or the network answered to an error that says what to do."""

from __future__ import annotations

from sonata_core.errors import Denied, NotFound, RegistryFailure, SonataError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.record import Record
from sonata_transport_registry.answer import Refused

if TYPE_CHECKING:
    from sonata_transport_registry.address import Origin
    from sonata_transport_registry.challenge import Challenge

_NOT_FOUND = frozenset(("MANIFEST_UNKNOWN", "NAME_UNKNOWN", "BLOB_UNKNOWN", "NOT_FOUND"))
_USUAL = {
    "UNKNOWN": "unknown error",
    "UNSUPPORTED": "The operation is unsupported.",
    "UNAUTHORIZED": "authentication required",
    "DENIED": "requested access to the resource is denied",
    "UNAVAILABLE": "service unavailable",
    "TOOMANYREQUESTS": "too many requests",
    "DIGEST_INVALID": "provided digest did not match uploaded content",
    "SIZE_INVALID": "provided length did not match content length",
    "RANGE_INVALID": "invalid content range",
    "NAME_INVALID": "invalid repository name",
    "TAG_INVALID": "manifest tag did not match URI",
    "NAME_UNKNOWN": "repository name not known to registry",
    "MANIFEST_UNKNOWN": "manifest unknown",
    "MANIFEST_INVALID": "manifest invalid",
    "MANIFEST_UNVERIFIED": "manifest failed signature verification",
    "MANIFEST_BLOB_UNKNOWN": "blob unknown to registry",
    "BLOB_UNKNOWN": "blob unknown to registry",
    "BLOB_UPLOAD_UNKNOWN": "blob upload unknown to registry",
    "BLOB_UPLOAD_INVALID": "blob upload invalid",
    "PAGINATION_NUMBER_INVALID": "invalid number of results requested",
}
"""What every registry says with a code (distribution-spec, Error Codes): where it says that, the code adds nothing."""
_LONGEST_TEXT = 1000
_LONGEST_BODY = 50
_LATER = "try again later"


class Refusal(Record):
    """An answer that is no success: the codes of its body, and what Podman would say of it."""

    status: int
    codes: tuple[str, ...] = ()
    text: str = ""


def read_refusal(status: int, body: bytes, challenges: tuple[Challenge, ...] = ()) -> Refusal:
    """Take an error's body apart (distribution-spec, Error Codes), in the words of containers/image.

    What a bearer challenge says of a token (RFC 6750, 3.1) goes before the body.
    """
    if not 400 <= status < 500:
        return Refusal(status=status, text=status_text(status))
    items = _items(body)
    codes = tuple(item["code"][:64] for item in items[:16])
    said = _of_challenge(challenges) if status == 401 else ""
    if not said and items:
        said = _of_item(items[0])
    if not said and (details := _details(body)):
        code = {401: "UNAUTHORIZED", 429: "TOOMANYREQUESTS"}.get(status, "UNKNOWN")
        codes, said = (code,), _words(code, details)
    if not said and status == 401:
        said = _USUAL["UNAUTHORIZED"]
    return Refusal(status=status, codes=codes, text=said or f"StatusCode: {status}, {_quoted(body)}")


def status_text(status: int) -> str:
    """What is said of a status that nothing else is known of."""
    from http import HTTPStatus

    try:
        phrase = f" {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = ""
    return f"received unexpected HTTP status: {status}{phrase}"


def _document(body: bytes) -> dict[str, Any]:
    import json

    try:
        document = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _items(body: bytes) -> list[dict[str, Any]]:
    errors = _document(body).get("errors")
    items = errors if isinstance(errors, list) else []
    return [item for item in items if isinstance(item, dict) and isinstance(item.get("code"), str)]


def _details(body: bytes) -> str:
    found = _document(body).get("details")
    return found if isinstance(found, str) else ""


def _of_item(item: dict[str, Any]) -> str:
    code = item["code"] if item["code"] in _USUAL else "UNKNOWN"
    message = item.get("message")
    if not isinstance(message, str) or not message or (message == _USUAL[code] and item.get("detail") is None):
        return _lower(code)
    return _words(code, message)


def _of_challenge(challenges: tuple[Challenge, ...]) -> str:
    for challenge in challenges:
        error = challenge.parameters.get("error", "") if challenge.scheme == "bearer" else ""
        code = {"invalid_token": "UNAUTHORIZED", "insufficient_scope": "DENIED"}.get(error)
        if code:
            return _words(code, challenge.parameters.get("error_description") or _USUAL[code])
    return ""


def _words(code: str, message: str) -> str:
    """A code and its message; the message alone where it is the usual one."""
    said = "".join(sign if sign.isprintable() else "?" for sign in message[:_LONGEST_TEXT])
    return said if said == _USUAL[code] else f"{_lower(code)}: {said}"


def _lower(code: str) -> str:
    return code.replace("_", " ").lower()


def _quoted(body: bytes) -> str:
    text = body[:_LONGEST_BODY].decode("utf-8", "replace")
    text = "".join(sign if sign.isprintable() else "?" for sign in text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}{"..." if len(body) > _LONGEST_BODY else ""}"'


def explain(what: str, refusal: Refusal) -> SonataError:
    """The error for a refused request; `what` says what was asked, such as `reading manifest 1 in h/x`."""
    text, status = f"{what}: {refusal.text}", refusal.status
    details = {"status": status, "codes": refusal.codes}
    if status == 404 or _NOT_FOUND.intersection(refusal.codes):
        return NotFound(text, hint="check the name and the tag", **details)
    if status == 401:
        return Denied(text, hint="log in to the registry, or give credentials with --creds", **details)
    if status == 403:
        return Denied(text, hint="this user may not do that at the registry", **details)
    temporary = status == 429 or status >= 500
    return RegistryFailure(text, hint=_LATER if temporary else None, temporary=temporary, **details)


def explain_token(refusal: Refusal) -> SonataError:
    """The error for a token server that gives no token."""
    status = refusal.status
    if status == 401:
        return Denied(
            f"unable to retrieve auth token: invalid username/password: {refusal.text}",
            hint="log in to the registry, or give credentials with --creds",
            status=status,
        )
    if status == 429:
        return RegistryFailure("too many requests to registry", hint=_LATER, temporary=True, status=status)
    text = f"Requesting bearer token: {status_text(status)}"
    if status == 403:
        return Denied(text, hint="this user may not do that at the registry", status=status)
    return RegistryFailure(text, hint=_LATER if status >= 500 else None, temporary=status >= 500, status=status)


def explain_network(origin: Origin, method: str, target: str, error: BaseException) -> SonataError:
    """The error for a connection that did not come about or broke: host, cause and way out."""
    import ssl
    from errno import ECONNREFUSED, EHOSTUNREACH, ENETUNREACH
    from socket import gaierror

    causes = _chain(error)
    where = f'{method.capitalize()} "{origin}{target.partition("?")[0]}"'
    if target == "/v2/":
        where = f"pinging container registry {origin.netloc}: {where}"
    for cause in causes:
        if isinstance(cause, Refused):
            return RegistryFailure(
                f"{where}: {cause}", hint="the proxy is named by HTTPS_PROXY or HTTP_PROXY", temporary=False
            )
        if isinstance(cause, ssl.SSLError):
            return _explain_tls(where, origin, cause)
        if isinstance(cause, gaierror):
            return RegistryFailure(
                f"{where}: dial tcp: lookup {origin.host}: no such host",
                hint="check the name of the registry, and this host's DNS",
                temporary=False,
            )
        if isinstance(cause, TimeoutError):
            return RegistryFailure(f"{where}: i/o timeout", hint="the registry did not answer in time", temporary=True)
        if isinstance(cause, OSError) and cause.errno in (ECONNREFUSED, EHOSTUNREACH, ENETUNREACH):
            text = "connection refused" if cause.errno == ECONNREFUSED else str(cause.strerror).lower()
            return RegistryFailure(
                f"{where}: dial tcp {origin.host}:{origin.port}: connect: {text}",
                hint="nothing listens there: is the registry running, and are host and port right?",
                temporary=False,
                refused=True,
            )
    return RegistryFailure(f"{where}: {type(causes[-1]).__name__}: the connection broke", temporary=True)


def _explain_tls(where: str, origin: Origin, error: Exception) -> SonataError:
    reason = str(getattr(error, "reason", "") or "")
    verify = str(getattr(error, "verify_message", "") or "")
    if not verify and reason in (
        "WRONG_VERSION_NUMBER",
        "RECORD_LAYER_FAILURE",
        "HTTP_REQUEST",
        "PACKET_LENGTH_TOO_LONG",
    ):
        return RegistryFailure(
            f"{where}: http: server gave HTTP response to HTTPS client",
            hint=f"{origin.netloc} speaks plain HTTP: use --tls-verify=false, or insecure = true in registries.conf",
            temporary=False,
        )
    if "_ALERT_" in reason:
        return _explain_alert(where, origin, reason.partition("_ALERT_")[2])
    authority = f"put the certificate of its authority into /etc/containers/certs.d/{origin.netloc}/ca.crt"
    hint = "ask for a name that its certificate has" if _is_of_others(error) else authority
    return RegistryFailure(
        f"{where}: tls: failed to verify certificate: "
        f"{_why(error, origin) or verify or reason or 'the handshake broke off'}",
        hint=f"{hint}, or use --tls-verify=false",
        temporary=False,
    )


def _explain_alert(where: str, origin: Origin, alert: str) -> SonataError:
    """What the other side has against our handshake (RFC 8446, 6.2), in the words of Go's library."""
    said = {"PROTOCOL_VERSION": "protocol version not supported", "UNKNOWN_CA": "unknown certificate authority"}
    hint = f"client.cert and client.key belong into /etc/containers/certs.d/{origin.netloc}/"
    return RegistryFailure(
        f"{where}: remote error: tls: {said.get(alert) or alert.replace('_', ' ').lower()}",
        hint=hint if "CERT" in alert or alert == "UNKNOWN_CA" else None,
        temporary=False,
    )


def _is_of_others(error: Exception) -> bool:
    """Whether the certificate is good, for another host or another address."""
    return getattr(error, "verify_code", 0) in (62, 64)


def _why(error: Exception, origin: Origin) -> str:
    """What Go's library says of such a certificate; empty for what it has no words for."""
    code = getattr(error, "verify_code", 0)
    if code in (2, 18, 19, 20, 21):  # no issuer, or one that signed itself
        return "x509: certificate signed by unknown authority"
    if _is_of_others(error):
        return f"x509: certificate is valid for other names, not {origin.host}"
    return "x509: certificate has expired or is not yet valid" if code in (9, 10) else ""


def _chain(error: BaseException) -> list[BaseException]:
    """An exception and what it came from."""
    found: list[BaseException] = []
    todo: list[object] = [error]
    while todo and len(found) < 16:
        item = todo.pop(0)
        if isinstance(item, BaseException) and item not in found:
            found.append(item)
            todo += [getattr(item, "reason", None), item.__cause__, item.__context__, *item.args]
    return found
