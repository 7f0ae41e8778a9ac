"""From what a registry or the network answered to an error that says what to do."""

from __future__ import annotations

from sonata_core.errors import Denied, NotFound, RegistryFailure, SonataError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.naming import shown
from sonata_core.record import Record

if TYPE_CHECKING:
    from sonata_transport_registry.address import Origin

_NOT_FOUND = frozenset(("MANIFEST_UNKNOWN", "NAME_UNKNOWN", "BLOB_UNKNOWN", "NOT_FOUND"))
_TEXTS = {
    "MANIFEST_UNKNOWN": "manifest unknown",
    "NAME_UNKNOWN": "repository name not known to registry",
    "BLOB_UNKNOWN": "blob unknown to registry",
    "UNAUTHORIZED": "authentication required",
    "DENIED": "requested access to the resource is denied",
}


class Refusal(Record):
    """An answer that is no success: the codes and the first message of its body, cleaned."""

    status: int
    codes: tuple[str, ...] = ()
    message: str = ""


def read_refusal(status: int, body: bytes) -> Refusal:
    """Take an error body apart (distribution-spec, Error Codes); what is no such body has no codes."""
    import json

    try:
        document = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return Refusal(status=status)
    errors = document.get("errors") if isinstance(document, dict) else None
    items = [item for item in errors if isinstance(item, dict)] if isinstance(errors, list) else []
    codes = tuple(item["code"][:64] for item in items[:16] if isinstance(item.get("code"), str))
    messages = [item["message"] for item in items[:1] if isinstance(item.get("message"), str)]
    return Refusal(status=status, codes=codes, message=shown(messages[0])[1:-1] if messages else "")


def explain(what: str, refusal: Refusal) -> SonataError:
    """The error for a refused request; `what` says what was asked, such as `reading manifest 1 in h/x`."""
    text = _text(refusal)
    details = {"status": refusal.status, "codes": refusal.codes}
    if refusal.status == 404 or _NOT_FOUND.intersection(refusal.codes):
        return NotFound(f"{what}: {text}", hint="check the name and the tag", **details)
    if refusal.status == 401:
        return Denied(f"{what}: {text}", hint="log in to the registry, or give credentials with --creds", **details)
    if refusal.status == 403:
        return Denied(f"{what}: {text}", hint="this user may not do that at the registry", **details)
    temporary = refusal.status == 429 or refusal.status >= 500
    hint = "try again later" if temporary else None
    return RegistryFailure(f"{what}: {text}", hint=hint, temporary=temporary, **details)


def _text(refusal: Refusal) -> str:
    for code in refusal.codes:
        if code in _TEXTS:
            return _TEXTS[code]
    if refusal.status == 401:
        return _TEXTS["UNAUTHORIZED"]
    if refusal.status == 429:
        return "toomanyrequests: too many requests to registry"
    if refusal.message:
        return f"{refusal.message} (HTTP status {refusal.status})"
    return "manifest unknown" if refusal.status == 404 else f"received unexpected HTTP status {refusal.status}"


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
    return RegistryFailure(
        f"{where}: tls: failed to verify certificate: {_why(error) or verify or reason or 'the handshake broke off'}",
        hint=f"put the certificate of its authority into /etc/containers/certs.d/{origin.netloc}/ca.crt, "
        "or use --tls-verify=false",
        temporary=False,
    )


def _why(error: Exception) -> str:
    """What Go's library says of such a certificate; empty for what it has no words for."""
    code = getattr(error, "verify_code", 0)
    if code in (2, 18, 19, 20, 21):  # no issuer, or one that signed itself
        return "x509: certificate signed by unknown authority"
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
