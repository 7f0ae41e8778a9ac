"""`sonata login`."""

from __future__ import annotations

import sys

from sonata.cli.request import fill
from sonata.model.image_request import LoginRequest
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.image import Credentials

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.engine.images.login import Known

_LONGEST = 1 << 16


def to_request(parsed: Parsed) -> LoginRequest:
    """The request that the command line makes."""
    return fill(LoginRequest, parsed, registry=parsed.args[0] if parsed.args else "")


def command(parsed: Parsed, call: Call) -> int:
    """Try credentials at a registry, and keep them where it takes them."""
    from sonata.engine.images.login import keep, known, log_in

    request = to_request(parsed)
    _refuse_two_passwords(parsed)
    place = known(call.engine, request)
    if parsed["get-login"]:
        if place.credentials is None:
            raise UsageError(f"not logged into {place.key}", hint=f"sonata login {place.key}")
        print(place.credentials.username)
        return 0
    if _wants_nothing_new(parsed) and place.credentials is not None and place.credentials.username:
        print(f"Authenticating with existing credentials for {place.key}", flush=True)
        if _still_good(call, request, place):
            print(f"Existing credentials are valid. Already logged in to {place.host}")
            return 0
        print("Existing credentials are invalid, please enter valid username and password", flush=True)
    credentials = _credentials(parsed, call, request, place)
    log_in(call.engine, request, place, credentials)
    where = keep(call.engine, request, place, credentials)
    if parsed["verbose"]:
        print("Used: ", where)
    print("Login Succeeded!")
    return 0


def _refuse_two_passwords(parsed: Parsed) -> None:
    given, piped, secret = bool(parsed["password"]), bool(parsed["password-stdin"]), bool(parsed["secret"])
    if secret and piped:
        raise UsageError("--secret can not be used with --password-stdin options")
    if secret and given:
        raise UsageError("--secret can not be used with --password options")
    if piped and given:
        raise UsageError("can't specify both --password-stdin and --password")
    if piped and not parsed["username"]:
        raise UsageError("must provide --username with --password-stdin")


def _wants_nothing_new(parsed: Parsed) -> bool:
    return not any(parsed[name] for name in ("username", "password", "password-stdin", "secret"))


def _still_good(call: Call, request: LoginRequest, place: Known) -> bool:
    from sonata.engine.images.login import log_in
    from sonata_core.errors import Denied

    assert place.credentials is not None
    try:
        log_in(call.engine, request, place, place.credentials)
    except Denied as error:
        if error.message.startswith("authenticating"):
            raise
        return False
    return True


def _credentials(parsed: Parsed, call: Call, request: LoginRequest, place: Known) -> Credentials:
    from sonata.engine.images.login import password_of

    user, password = request.username, request.password
    if request.secret:
        user, password = password_of(call.engine, request)
    elif parsed["password-stdin"]:
        password = sys.stdin.buffer.read(_LONGEST).decode(errors="replace").rstrip("\r\n")
    if not user:
        user = _ask_user(place.credentials.username if place.credentials else "")
    if not password:
        password = _ask_password()
    return Credentials(username=user, password=password)


def _ask_user(known: str) -> str:
    print(f"Username ({known}): " if known else "Username: ", end="", flush=True)
    line = sys.stdin.readline()
    if not line:
        raise UsageError("getting username and password: reading username: EOF", hint="give --username")
    return line.strip() or known


def _ask_password() -> str:
    if not sys.stdin.isatty():
        print("Password: ", end="", flush=True)
        raise UsageError(
            "getting username and password: reading password: inappropriate ioctl for device",
            hint="give --password-stdin",
        )
    from getpass import getpass

    return getpass("Password: ")
