"""Whatever a registry writes into its headers and answers: a value or an error of ours, soon."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonata_core.errors import RegistryFailure, SonataError
from sonata_transport_registry.address import Origin, follow, may_have_password, realm, split
from sonata_transport_registry.blob import covers
from sonata_transport_registry.challenge import Challenge, parse
from sonata_transport_registry.client import token_of
from sonata_transport_registry.failures import explain, read_refusal
from sonata_transport_registry.pages import next_link
from sonata_transport_registry.wire import wanted_pause

pytestmark = pytest.mark.heavy
LONG = bool(os.environ.get("SONATA_LONG"))
fuzz = settings(max_examples=2_000 if LONG else 150, derandomize=not LONG, deadline=None, database=None)

HOME = Origin(scheme="https", host="r.example", port=443)
HEADER = st.text(st.characters(max_codepoint=255), max_size=200)


def made_of(*pieces: str) -> st.SearchStrategy[str]:
    """Texts of a grammar's own pieces, in any order, with anything in between."""
    return st.lists(st.sampled_from(pieces) | st.text(st.characters(max_codepoint=255), max_size=3)).map("".join)


CHALLENGES = made_of("Bearer ", "Basic ", "realm", "scope", "=", '"', "\\", ",", " ", "\t", "https://r.example/t")
LINKS = made_of("<", ">", ";", "rel", "=", '"next"', "next", ",", "//", "[", "]", "/v2/_catalog?n=1", "https://", "\\")
ADDRESSES = made_of(
    *(
        "http",
        "s",
        "://",
        "//",
        "[",
        "]",
        ":",
        "@",
        "/",
        "?",
        "#",
        "%",
        "r.example",
        "169.254.169.254",
        "0x7f.1",
        "::1",
    ),
    *("2852039166", "99999", "..", "\\", "v1.x"),
)
TOKENS = st.text("abcdefghijklmnopqrstuvwxyz!#$%&'*+-.^_`|~0123456789", min_size=1, max_size=8)
PARAMETERS = st.dictionaries(TOKENS, st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12))


@fuzz
@given(st.lists(HEADER | CHALLENGES, max_size=3))
def test_any_challenge(headers: list[str]) -> None:
    for found in parse(headers):
        assert found.scheme == found.scheme.lower() != ""
        try:
            realm(HOME, found.parameters.get("realm", ""), insecure=False)
        except SonataError:
            continue


@fuzz
@given(st.lists(st.tuples(TOKENS, PARAMETERS), max_size=3))
def test_a_challenge_comes_back_as_it_was_written(challenges: list[tuple[str, dict[str, str]]]) -> None:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    lines = [f"{scheme} " + ", ".join(f"{key}={quoted(value)}" for key, value in p.items()) for scheme, p in challenges]
    assert parse(lines) == tuple(Challenge(scheme=scheme, parameters=p) for scheme, p in challenges)
    if all(p for _, p in challenges):
        assert parse([", ".join(lines)]) == parse(lines)


@fuzz
@given(HEADER | LINKS | ADDRESSES.map(lambda text: f'<{text}>; rel="next"'), st.booleans())
def test_any_link_is_followed_or_refused(header: str, insecure: bool) -> None:
    link = next_link(header)
    try:
        origin, target = follow(HOME, "/v2/x/tags/list", link, insecure=insecure)
    except SonataError:
        return
    assert target.startswith("/")
    assert insecure or origin.scheme == "https"


@fuzz
@given(st.text("abc/?=&%", max_size=20), st.sampled_from(["<{}>; rel=next", '</old>; rel="prev", <{}>; rel="next"']))
def test_a_link_comes_back_as_it_was_written(target: str, form: str) -> None:
    assert next_link(form.format(target)) == target


@fuzz
@given(ADDRESSES)
def test_any_address_is_taken_apart_or_refused(url: str) -> None:
    try:
        origin, target = split(url)
    except RegistryFailure:
        return
    assert may_have_password(HOME, origin, ()) in (True, False)
    assert split(f"{origin}{target}")[1] == target


def test_headers_without_end_are_read_in_no_time() -> None:
    began = time.process_time()
    for piece in ("<>", "<a>; ", "<", ">,", '<a>; rel="next'):
        next_link(piece * (6_000_000 // len(piece)))
    parse([f"a{number}=," * 2000 for number in range(100)])
    assert time.process_time() - began < 20


@fuzz
@given(HEADER | made_of("Mon, ", "01 ", "Jan ", "99999999999999999999 ", "00:00:00 ", "GMT", "+9999", ":", "-", "²"))
def test_any_retry_after(text: str) -> None:
    found = wanted_pause(text, 1.5)
    assert abs(found) < float("inf")  # and no NaN
    assert wanted_pause("7", 1.5) == 7.0


@fuzz
@given(made_of("bytes ", "0", "9", "-", "/", "*", "²", "00", "1" * 5000), st.integers(-1, 12), st.integers(0, 12))
def test_any_content_range(text: str, size: int, offset: int) -> None:
    assert covers(text, size, offset) in (True, False)
    assert covers(f"bytes {offset}-{offset + 6}/{offset + 7}", -1, offset)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.just(10**400) | st.text(st.characters(), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
ANSWERS = st.binary(max_size=60) | st.dictionaries(
    st.sampled_from(["token", "access_token", "expires_in", "errors", "code", "message"]), JSON
).map(lambda value: json.dumps(value).encode())


@fuzz
@given(ANSWERS)
def test_any_answer_of_a_token_server(body: bytes) -> None:
    try:
        token, seconds = token_of(body)
    except RegistryFailure:
        return
    assert token.isascii()
    assert 0 < seconds < float("inf")


@fuzz
@given(st.integers(300, 599), ANSWERS | JSON.map(lambda value: json.dumps({"errors": [value]}).encode()))
def test_any_refusal(status: int, body: bytes) -> None:
    assert explain("pulling", read_refusal(status, body)).message.isprintable()
