"""What is said of a registry's refusals: the words of containers/image, which Podman 5.8 prints of them too."""

from __future__ import annotations

import json

import pytest

from sonata_core.errors import Denied, NotFound, RegistryFailure
from sonata_transport_registry.address import Origin, follow
from sonata_transport_registry.challenge import parse
from sonata_transport_registry.failures import explain, explain_token, read_refusal


def errors(code: str, message: str, **more: object) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message, **more}]}).encode()


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (404, errors("MANIFEST_UNKNOWN", "manifest unknown"), "manifest unknown"),
        (404, errors("MANIFEST_UNKNOWN", "my own words"), "manifest unknown: my own words"),
        (404, errors("NAME_UNKNOWN", "repository name not known to registry"), "name unknown"),
        (404, errors("NAME_UNKNOWN", "repository name not known to registry", detail={"name": "x"}),
         "repository name not known to registry"),
        (403, errors("DENIED", "requested access to the resource is denied"), "denied"),
        (403, errors("DENIED", "no\n\x1b[31mway"), "denied: no??[31mway"),
        (401, errors("UNAUTHORIZED", "authentication required"), "unauthorized"),
        (401, errors("UNAUTHORIZED", "authentication required", detail=[]), "authentication required"),
        (400, errors("WHATEVER", "some words"), "unknown: some words"),
        (403, errors("WHATEVER", ""), "unknown"),
        (429, errors("TOOMANYREQUESTS", "You have reached your pull rate limit."),
         "toomanyrequests: You have reached your pull rate limit."),
        (429, b'{"details": "slower"}', "toomanyrequests: slower"),
        (401, b'{"details": "who?"}', "unauthorized: who?"),
        (401, b"<html>", "authentication required"),
        (403, b"", 'StatusCode: 403, ""'),
        (404, b"<a>" + b"x" * 60, f'StatusCode: 404, "<a>{"x" * 47}..."'),
        (403, b'{"errors":[]}', 'StatusCode: 403, "{\\"errors\\":[]}"'),
        (500, errors("MANIFEST_UNKNOWN", "my own words"), "received unexpected HTTP status: 500 Internal Server Error"),
        (307, b"", "received unexpected HTTP status: 307 Temporary Redirect"),
        (599, b"", "received unexpected HTTP status: 599"),
    ],
)  # fmt: skip
def test_texts(status: int, body: bytes, told: str) -> None:
    assert explain("asking", read_refusal(status, body)).message == f"asking: {told}"


def test_a_token_that_is_not_taken() -> None:
    body = errors("DENIED", "requested access to the resource is denied")
    for header, told in (
        ('Bearer realm="x",error="insufficient_scope"', "requested access to the resource is denied"),
        ('Bearer realm="x",error="invalid_token",error_description="too old"', "unauthorized: too old"),
        ('Bearer realm="x"', "denied"),
    ):
        assert read_refusal(401, body, parse([header])).text == told


def test_kinds() -> None:
    assert isinstance(explain("x", read_refusal(400, errors("MANIFEST_UNKNOWN", ""))), NotFound)
    assert isinstance(explain("x", read_refusal(401, b"")), Denied)
    broken = explain("x", read_refusal(500, errors("MANIFEST_UNKNOWN", "")))
    assert isinstance(broken, RegistryFailure)
    assert broken.details["temporary"]
    wrong = explain_token(read_refusal(401, errors("X", "y")))
    assert wrong.message == "unable to retrieve auth token: invalid username/password: unknown: y"
    assert wrong.details["status"] == 401
    assert explain_token(read_refusal(429, b"")).message == "too many requests to registry"
    other = explain_token(read_refusal(403, b""))
    assert isinstance(other, Denied)
    assert other.message == "Requesting bearer token: received unexpected HTTP status: 403 Forbidden"


def test_an_address_of_version_6_is_followed_from() -> None:
    base = Origin(scheme="http", host="::1", port=5000)
    assert str(base) == "http://[::1]:5000"
    assert follow(base, "/v2/a", "../x?y=1", insecure=True) == (base, "/x?y=1")
