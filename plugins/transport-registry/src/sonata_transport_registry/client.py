"""One registry endpoint: found by ping, asked with whatever authorisation it wants."""

from __future__ import annotations

from sonata_core.errors import RegistryFailure, SonataError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.naming import DOCKER_HUB, ImageName, parse_name
from sonata_core.record import Record
from sonata_transport_registry.address import Origin, origin_of, realm, require_password_allowed
from sonata_transport_registry.challenge import Challenge
from sonata_transport_registry.challenge import parse as parse_challenges
from sonata_transport_registry.failures import explain, explain_token, read_refusal
from sonata_transport_registry.patience import Patience
from sonata_transport_registry.wire import ERROR_LIMIT, Wire, basic, discard, read_all

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata_core.models.image import Endpoint, TransportOptions
    from sonata_transport_registry.answer import Answer
    from sonata_transport_registry.failures import Refusal

_HUB_HOST = "registry-1.docker.io"
_SHORTEST_TOKEN = 60.0
_TOKEN_MARGIN = 10.0
_LONGEST_TOKEN = 1 << 16
"""No server takes a header of more."""
_LONGEST_LIFE = 86_400.0
_WITHOUT = "unable to retrieve auth token"


class Settings(Record):
    """The plugin's table of the configuration."""

    trusted_realms: tuple[str, ...] = ()
    patience: Patience = Patience()


class Client:
    """An endpoint and the repository that a name means there. Used by several threads at once."""

    def __init__(self, endpoint: Endpoint, options: TransportOptions, settings: Settings) -> None:
        from threading import Lock

        self.name: ImageName = parse_name(endpoint.reference)
        self.endpoint = endpoint
        self.keeps_signatures = False
        """Whether the registry said that it keeps signatures itself; known once `origin` was asked."""
        self.credentials = endpoint.credentials
        self.options = options
        self.wire = Wire(endpoint, options, settings.patience)
        self._trusted = settings.trusted_realms
        self._lock = Lock()
        self._origin: Origin | None = None
        self._challenges: tuple[Challenge, ...] = ()
        self._tokens: dict[str, tuple[str, float]] = {}

    @property
    def base(self) -> str:
        """The path that requests about the repository begin with."""
        return f"/v2/{self.name.path}"

    def close(self) -> None:
        """Close every connection."""
        self.wire.close()

    def origin(self) -> Origin:
        """The registry's scheme and host, by asking: https, then http where that is allowed."""
        with self._lock:
            if self._origin is None:
                self._origin = self._ping()
            return self._origin

    def _ping(self) -> Origin:
        domain = _HUB_HOST if self.name.domain == DOCKER_HUB else self.name.domain
        origin = origin_of("https", domain)
        try:
            first = self.wire.once if self.wire.insecure else self.wire.ask
            answer = first("GET", origin, "/v2/", {})
        except SonataError:
            if not self.wire.insecure:
                raise
            origin = origin_of("http", domain)
            answer = self.wire.ask("GET", origin, "/v2/", {})
        self._challenges = parse_challenges(answer.headers.getlist("WWW-Authenticate"))
        self.keeps_signatures = answer.headers.get("X-Registry-Supports-Signatures", "") == "1"
        if answer.status not in (200, 401):
            raise self.failure(f"pinging container registry {origin.netloc}", answer)
        discard(answer)
        return origin

    def get(self, method: str, target: str, headers: Mapping[str, str], scope: str = "pull") -> Answer:
        """A request without a body for an absolute path, authorised for `scope`: `pull`, `pull,push`, or none."""
        origin = self.origin()
        held = scope in self._tokens
        answer = self.wire.ask(method, origin, target, {**headers, **self.authorization(scope)})
        if answer.status != 401:
            return answer
        more = _insufficient(answer)
        if not more and not held:
            return answer
        discard(answer)
        if not more:  # a token from the cache that the registry no longer takes: one more, and no loop
            self.forget(scope)
        return self.wire.ask(method, origin, target, {**headers, **self.authorization(scope, more)})

    def read(self, target: str, headers: Mapping[str, str], limit: int, what: str) -> tuple[Answer, bytes]:
        """A small answer with its body; asked again where the line breaks in its midst. Raises what it means."""
        from time import sleep

        left = self.options.retries
        while True:
            answer = self.get("GET", target, headers)
            if answer.status != 200:
                raise self.failure(what, answer)
            try:
                return answer, read_all(answer, limit, what)
            except RegistryFailure as error:
                if left <= 0 or not error.details.get("temporary"):
                    raise
            left -= 1
            sleep(self.options.retry_delay)

    def forget(self, scope: str) -> None:
        """Keep the token for `scope` no longer: the registry does not take it."""
        with self._lock:
            self._tokens.pop(scope, None)

    def failure(self, what: str, answer: Answer) -> SonataError:
        """The error that an unwelcome answer means."""
        return explain(what, _refusal(answer, what))

    def authorization(self, scope: str, more: str = "") -> dict[str, str]:
        """The header that the registry's first known challenge asks for; `more` is a second scope."""
        for challenge in self._challenges:
            if challenge.scheme == "basic":
                return self._basic()
            if challenge.scheme == "bearer":
                return {"Authorization": f"Bearer {self._token(challenge, scope, more)}"}
        return {}

    def _basic(self) -> dict[str, str]:
        if self.credentials is None or not self.credentials.username:
            return {}
        return {"Authorization": basic(self.credentials.username, self.credentials.password)}

    def _token(self, challenge: Challenge, scope: str, more: str) -> str:
        import time

        key = f"{scope} {more}".strip()
        with self._lock:
            held = self._tokens.get(key)
            if held is not None and held[1] > time.monotonic():
                return held[0]
            token, seconds = self._fetch_token(challenge, scope, more)
            self._tokens[key] = (token, time.monotonic() + seconds - _TOKEN_MARGIN)
            return token

    def _fetch_token(self, challenge: Challenge, scope: str, more: str) -> tuple[str, float]:
        from urllib.parse import urlencode

        assert self._origin is not None
        named = challenge.parameters.get("realm", "")
        if not named:
            raise RegistryFailure("missing realm in bearer auth challenge", temporary=False)
        server, target = realm(self._origin, named, insecure=self.wire.insecure)
        scopes = [*([f"repository:{self.name.path}:{scope}"] if scope else []), *([more] if more else [])]
        service = challenge.parameters.get("service", "")
        known = (
            self.credentials
            if self.credentials and (self.credentials.username or self.credentials.identity_token)
            else None
        )
        if known is not None:
            require_password_allowed(self._origin, server, self._trusted)
        if known is not None and known.identity_token:
            return self._refresh(server, target, scopes, service)
        query = [("account", known.username)] if known else []
        query += [("scope", item) for item in sorted(scopes)]
        query += [("service", service)] if service else []
        headers = {"Authorization": basic(known.username, known.password)} if known else {}
        separator = "&" if "?" in target else "?"
        answer = self.wire.ask("GET", server, target + separator + urlencode(query), headers)
        return self._read_token(answer)

    def _refresh(self, server: Origin, target: str, scopes: list[str], service: str) -> tuple[str, float]:
        from urllib.parse import urlencode

        assert self.credentials is not None
        form = {
            "client_id": "containers/image",
            "grant_type": "refresh_token",
            "refresh_token": self.credentials.identity_token,
            "scope": " ".join(scopes),
            "service": service,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._read_token(self.wire.once("POST", server, target, headers, urlencode(form).encode()))

    def _read_token(self, answer: Answer) -> tuple[str, float]:
        if answer.status != 200:
            raise explain_token(_refusal(answer, _WITHOUT))
        return token_of(read_all(answer, ERROR_LIMIT, _WITHOUT))


def _refusal(answer: Answer, what: str) -> Refusal:
    """What an unwelcome answer says."""
    challenges = parse_challenges(answer.headers.getlist("WWW-Authenticate"))
    try:
        body = read_all(answer, ERROR_LIMIT, what)
    except SonataError:
        body = b""
    return read_refusal(answer.status, body, challenges)


def token_of(body: bytes) -> tuple[str, float]:
    """The token that a token server's answer holds, and for how many seconds it is good. Raises RegistryFailure."""
    import json

    try:
        document = json.loads(body.decode("utf-8"))
        token = document.get("token") or document.get("access_token")
        seconds = document.get("expires_in") or 0
    except (ValueError, RecursionError, AttributeError) as error:
        raise RegistryFailure(f"{_WITHOUT}: its answer is not a token") from error
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or len(token) > _LONGEST_TOKEN:
        raise RegistryFailure(f"{_WITHOUT}: its answer is not a token")
    return token, float(min(max(seconds if isinstance(seconds, int) else 0, _SHORTEST_TOKEN), _LONGEST_LIFE))


def _insufficient(answer: Answer) -> str:
    """The scope that a 401 asks for beyond what was given."""
    for challenge in parse_challenges(answer.headers.getlist("WWW-Authenticate")):
        if challenge.scheme == "bearer" and challenge.parameters.get("error") == "insufficient_scope":
            return challenge.parameters.get("scope", "")
    return ""
