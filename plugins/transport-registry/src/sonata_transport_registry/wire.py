"""HTTP for one registry endpoint: connections, certificates, redirects, patience."""

from __future__ import annotations

import os

from sonata_core.errors import RegistryFailure, SonataError, UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_transport_registry.address import Origin, follow
from sonata_transport_registry.answer import read_some
from sonata_transport_registry.failures import explain_network
from sonata_transport_registry.patience import Patience, Watch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sonata_core.models.image import Endpoint, TransportOptions
    from sonata_transport_registry.answer import Answer
    from sonata_transport_registry.connection import Pool, Proxy

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 10
_PATIENCE = 5
_LONGEST_WAIT = 60.0
ERROR_LIMIT = 1 << 20


class Wire:
    """Requests to the hosts that one endpoint leads to. Used by several threads at once."""

    def __init__(self, endpoint: Endpoint, options: TransportOptions, patience: Patience | None = None) -> None:
        self.insecure = endpoint.insecure if options.tls_verify is None else not options.tls_verify
        self._endpoint = endpoint
        self._options = options
        self._pools: dict[Origin, Pool] = {}
        self._patience = patience or Patience()
        self._watch = Watch()

    def close(self) -> None:
        """Close every connection."""
        pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            pool.close()
        self._watch.close()

    def once(self, method: str, origin: Origin, target: str, headers: Mapping[str, str], body: object = None) -> Answer:
        """One request, no redirect followed, no retry. Raises RegistryFailure for a broken connection."""
        every = {
            "User-Agent": self._options.user_agent,
            "Docker-Distribution-Api-Version": "registry/2.0",
            "Accept-Encoding": "identity",
            **headers,
        }
        try:
            return self._pool(origin).request(method, target, every, body)
        except OSError as error:
            raise explain_network(origin, method, target, error) from error

    def ask(self, method: str, origin: Origin, target: str, headers: Mapping[str, str]) -> Answer:
        """A request without a body: redirects followed, busy and broken servers asked again.

        `Authorization` stays with the origin that it was meant for.
        """
        import time

        for attempt in range(max(_PATIENCE, self._options.retries + 1)):
            try:
                answer = self._followed(method, origin, target, headers)
            except RegistryFailure as failure:
                if not failure.details.get("temporary") or attempt >= self._options.retries:
                    raise
                time.sleep(self._pause(attempt, ""))
                continue
            wait = self._wait(answer, attempt)
            if wait is None:
                return answer
            discard(answer)
            time.sleep(wait)
        return self._followed(method, origin, target, headers)

    def _wait(self, answer: Answer, attempt: int) -> float | None:
        """Seconds to wait before asking again; None to take the answer as it is."""
        if answer.status == 429 and attempt < _PATIENCE - 1:
            return self._pause(attempt + 1, answer.headers.get("Retry-After", ""))
        if answer.status in (500, 502, 503, 504) and attempt < self._options.retries:
            return self._pause(attempt, answer.headers.get("Retry-After", ""))
        return None

    def _pause(self, attempt: int, wanted: str) -> float:
        """Backoff: `retry_delay` doubling; `Retry-After` in seconds or as a date wins. At most a minute."""
        seconds = wanted_pause(wanted, self._options.retry_delay * float(2**attempt))
        return min(max(seconds, 0.0), _LONGEST_WAIT)

    def _followed(self, method: str, origin: Origin, target: str, headers: Mapping[str, str]) -> Answer:
        at, given = origin, dict(headers)
        for _ in range(_MOST_REDIRECTS):
            answer = self.once(method, at, target, given)
            location = answer.headers.get("Location", "")
            if answer.status not in _REDIRECTS or not location:
                return answer
            discard(answer)
            to, target = follow(at, target, location, insecure=self.insecure)
            if to != at:
                given.pop("Authorization", None)
            at = to
        raise RegistryFailure(
            f'{method.capitalize()} "{at}{target.partition("?")[0]}": stopped after {_MOST_REDIRECTS} redirects',
            hint=f"registry {origin.netloc} redirects without end",
            temporary=False,
        )

    def _pool(self, origin: Origin) -> Pool:
        pool = self._pools.get(origin)
        if pool is None:
            from sonata_transport_registry.connection import Pool

            tls = self._tls() if origin.scheme == "https" else None
            made = Pool(origin, tls, self._proxy(origin), self._watch, self._patience)
            pool = self._pools.setdefault(origin, made)
        return pool

    def _proxy(self, origin: Origin) -> Proxy | None:
        address = proxy_for(origin, self._options.proxies)
        if not address:
            return None
        from urllib.parse import unquote, urlsplit

        from sonata_transport_registry.connection import Proxy

        try:
            parts = urlsplit(address)
            port = parts.port
        except ValueError as error:
            shown = address.rpartition("@")[2]
            raise UsageError(
                f'invalid proxy address "{shown}": {error}', hint="mend HTTPS_PROXY or HTTP_PROXY"
            ) from error
        secure = parts.scheme == "https"
        login = basic(unquote(parts.username), unquote(parts.password or "")) if parts.username is not None else ""
        tls = self._tls(own=False) if secure else None
        return Proxy(parts.hostname or "", port or (443 if secure else 80), login, tls)

    def _tls(self, *, own: bool = True) -> Any:
        """A TLS context: the system's authorities and, for the registry itself, those of certs.d."""
        import ssl

        if self.insecure and own:
            # Who checks nothing has no use for authorities, which take longer to read than all else here.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        else:
            context = ssl.create_default_context()
            _load_folders(context, os.environ.get("SSL_CERT_DIR", ""))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        for folder in self._endpoint.cert_dirs if own else ():
            if _load_certificates(context, folder):
                break
        return context


def _load_folders(context: object, folders: str) -> None:
    """Load every file of SSL_CERT_DIR, as Go's programs do; OpenSSL itself looks for names made of hashes there."""
    import ssl

    assert isinstance(context, ssl.SSLContext)
    for folder in filter(None, folders.split(":")):
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        for name in names:
            try:
                context.load_verify_locations(cafile=f"{folder}/{name}")
            except (OSError, ssl.SSLError):
                continue  # a key, a note, a folder


def _load_certificates(context: object, folder: str) -> bool:
    """Load `*.crt` as authorities and each `*.cert` with its `*.key` as ours. False if there is no such folder."""
    import ssl

    assert isinstance(context, ssl.SSLContext)
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UsageError(f"open {folder}: {(error.strerror or '').lower()}") from error
    for name in names:
        path = f"{folder}/{name}"
        try:
            if name.endswith(".crt") and os.path.exists(path):  # a link that leads nowhere is no authority
                context.load_verify_locations(cafile=path)
            elif name.endswith(".cert"):
                context.load_cert_chain(path, _partner(folder, name, ".cert", ".key", names))
            elif name.endswith(".key"):
                _partner(folder, name, ".key", ".cert", names)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(f"{path} cannot be used as a certificate: {error}") from error
    return True


def _partner(folder: str, name: str, own: str, other: str, names: Iterable[str]) -> str:
    partner = name.removesuffix(own) + other
    if partner not in names:
        if other == ".key":
            note = "Note that CA certificates should use the extension .crt"
            told = f"missing key {partner} for client certificate {name}. {note}"
        else:
            told = f"missing client certificate {partner} for key {name}"
        raise UsageError(told, hint=f"in {folder}")
    return f"{folder}/{partner}"


def proxy_for(origin: Origin, proxies: Mapping[str, str]) -> str:
    """The proxy for an origin, by Go's rules. `proxies` has the keys `http`, `https` and `no`, as of the environment.

    Raises UsageError for a proxy that speaks something else than HTTP.
    """
    if origin.host in ("localhost", "::1") or origin.host.startswith("127."):
        return ""
    if any(_is_excepted(origin, entry.strip().lower()) for entry in proxies.get("no", "").split(",")):
        return ""
    proxy = proxies.get(origin.scheme, "")
    if proxy and "://" not in proxy:
        proxy = f"http://{proxy}"
    if proxy and not proxy.startswith(("http://", "https://")):
        raise UsageError(
            f"proxy of scheme {proxy.partition(':')[0]} for {origin.netloc}: only http and https proxies are spoken to",
            hint="change HTTPS_PROXY and HTTP_PROXY, or put the registry into NO_PROXY",
        )
    return proxy


def _is_excepted(origin: Origin, entry: str) -> bool:
    """Whether an entry of NO_PROXY means this origin: `*`, a name and those below it, an address, a range, a port."""
    from ipaddress import ip_address, ip_network

    if not entry or entry == "*":
        return bool(entry)
    try:
        return ip_address(origin.host) in ip_network(entry, strict=False)
    except ValueError:  # one of them is a name
        pass
    host, _, port = entry.removeprefix("*").partition(":")
    if not host or (port and port != str(origin.port)):
        return False
    return origin.host == host.lstrip(".") or origin.host.endswith("." + host.lstrip("."))


def basic(username: str, password: str) -> str:
    """The value of an Authorization header."""
    import base64

    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def wanted_pause(text: str, usual: float) -> float:
    """Seconds that a `Retry-After` asks for, maybe below zero; `usual` where it makes no sense."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    if not text:
        return usual
    import time
    from email.utils import mktime_tz, parsedate_tz

    try:
        when = parsedate_tz(text[:100])
        return mktime_tz(when) - time.time() if when else usual
    except (ValueError, OverflowError, LookupError):  # a date that no calendar has
        return usual


def read_all(answer: Answer, limit: int, what: str) -> bytes:
    """The whole body, of at most `limit` bytes. Raises RegistryFailure for more, or for one that broke off."""
    found = bytearray()
    try:
        while True:
            chunk = read_some(answer, min(65536, limit + 1 - len(found)), what)
            if not chunk:
                break
            found += chunk
            if len(found) > limit:
                raise RegistryFailure(f"{what}: the answer has more than the {limit} bytes that are accepted")
    except OSError as error:
        answer.close()
        raise RegistryFailure(f"{what}: the connection broke", temporary=True) from error
    except RegistryFailure:
        answer.close()
        raise
    return bytes(found)


def discard(answer: Answer) -> None:
    """Be done with an answer: its connection is used again if the rest of the body is short."""
    try:
        read_all(answer, ERROR_LIMIT, "answer")
    except SonataError:
        answer.close()
