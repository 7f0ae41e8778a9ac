"""Pairs of image and policy, and the verdict of Skopeo on each: recorded from 1.22, asked again in the long check.

`{host}` is the registry, `{alice}` and so on the files of public keys, `{place}` the folder of local images. A
signature is `gpg(KEY, NAME)` or `ec(KEY, NAME)`, with what is wrong with it.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Signed(NamedTuple):
    """A signature to make. `digest`: of the image itself, or of another; `hurt`: what is done to it."""

    by: str
    key: str
    name: str
    digest: str = "own"
    hurt: str = ""


class Pair(NamedTuple):
    """An image at `source` with signatures, a policy, and whether it is accepted. `since`: Skopeo's version."""

    id: str
    source: str
    signatures: tuple[Signed, ...]
    policy: Any
    accepted: bool
    since: tuple[int, int] = (1, 9)


APP = "docker://{host}/team/app:1"
BY_DIGEST = "docker://{host}/team/app@{digest}"
NAME = "{host}/team/app:1"
ACCEPT = [{"type": "insecureAcceptAnything"}]
REJECT = [{"type": "reject"}]
NEW = (1, 15)
"""Debian's 1.9 has sigstore switched off."""


def gpg(key: str, name: str = NAME, digest: str = "own", hurt: str = "") -> Signed:
    """A simple signature."""
    return Signed("gpg", key, name, digest, hurt)


def ec(key: str, name: str = NAME, digest: str = "own", hurt: str = "") -> Signed:
    """A sigstore signature by a key pair."""
    return Signed("ec", key, name, digest, hurt)


def signed_by(key: str = "{alice}", **more: Any) -> list[dict[str, Any]]:
    """One requirement of a simple signature."""
    return [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": key, **more}]


def sigstore(key: str = "{first}", **more: Any) -> list[dict[str, Any]]:
    """One requirement of a sigstore signature."""
    return [{"type": "sigstoreSigned", "keyPath": key, **more}]


def scoped(scopes: dict[str, Any], default: Any = None, transport: str = "docker") -> dict[str, Any]:
    """A policy that rejects what its scopes do not say."""
    return {"default": REJECT if default is None else default, "transports": {transport: scopes}}


def only(requirements: Any) -> dict[str, Any]:
    """A policy for everything."""
    return {"default": requirements}


def match(kind: str, **more: str) -> dict[str, Any]:
    """A signedIdentity."""
    return {"signedIdentity": {"type": kind, **more}}


ONE = (gpg("alice"),)
EC = (ec("first"),)
REMAP = {"prefix": "{host}/team", "signedPrefix": "vendor.example/released"}
TABLE = (
    # the two that need no signature, and scopes
    Pair("accept", APP, (), only(ACCEPT), True),
    Pair("reject", APP, (), only(REJECT), False),
    Pair("reject-signed", APP, ONE, only(REJECT), False),
    Pair("accept-and-reject", APP, (), only([*ACCEPT, *REJECT]), False),
    Pair("scope-tag", APP, (), scoped({"{host}/team/app:1": ACCEPT}), True),
    Pair("scope-other-tag", APP, (), scoped({"{host}/team/app:2": ACCEPT}), False),
    Pair("scope-repository", APP, (), scoped({"{host}/team/app": ACCEPT}), True),
    Pair("scope-namespace", APP, (), scoped({"{host}/team": ACCEPT}), True),
    Pair("scope-half-a-name", APP, (), scoped({"{host}/tea": ACCEPT}), False),
    Pair("scope-host", APP, (), scoped({"{host}": ACCEPT}), True),
    Pair("scope-host-without-port", APP, (), scoped({"localhost": ACCEPT}), False),
    Pair("scope-all-of-transport", APP, (), scoped({"": ACCEPT}), True),
    Pair("scope-other-transport", APP, (), scoped({"": ACCEPT}, transport="dir"), False),
    Pair("scope-nearest", APP, (), scoped({"{host}/team/app": REJECT, "{host}": ACCEPT}), False),
    Pair("scope-nearest-accepts", APP, (), scoped({"{host}/team/app": ACCEPT, "{host}": REJECT}), True),
    Pair("scope-not-merged", APP, (), scoped({"{host}/team": ACCEPT}, default=signed_by()), True),
    Pair("scope-digest", BY_DIGEST, (), scoped({"{host}/team/app@{digest}": ACCEPT}), True),
    Pair("scope-tag-for-digest", BY_DIGEST, (), scoped({"{host}/team/app:1": ACCEPT}), False),
    Pair("scope-folder", "dir:{place}/image", (), scoped({"{place}/image": ACCEPT}, transport="dir"), True),
    Pair("scope-folder-parent", "dir:{place}/image", (), scoped({"{place}": ACCEPT}, transport="dir"), True),
    Pair("scope-folder-half", "dir:{place}/image", (), scoped({"{place}/im": ACCEPT}, transport="dir"), False),
    Pair("scope-folder-link", "dir:{place}/link", (), scoped({"{place}/link": ACCEPT}, transport="dir"), False),
    Pair("scope-layout", "oci:{place}/layout:box", (), scoped({"{place}/layout": ACCEPT}, transport="oci"), True),
    Pair(
        "scope-layout-name",
        "oci:{place}/layout:box",
        (),
        scoped({"{place}/layout:box": ACCEPT}, transport="oci"),
        False,
    ),
    # simple signing
    Pair("signed", APP, ONE, only(signed_by()), True),
    Pair("unsigned", APP, (), only(signed_by()), False),
    Pair("signed-by-another", APP, (gpg("bob"),), only(signed_by()), False),
    Pair("second-signature-counts", APP, (gpg("bob"), gpg("alice")), only(signed_by()), True),
    Pair("both-must-sign", APP, ONE, only([*signed_by(), *signed_by("{bob}")]), False),
    Pair("both-signed", APP, (gpg("bob"), gpg("alice")), only([*signed_by(), *signed_by("{bob}")]), True),
    Pair("key-inline", APP, ONE, only([{"type": "signedBy", "keyType": "GPGKeys", "keyData": "{alice_data}"}]), True),
    Pair(
        "keys",
        APP,
        ONE,
        only([{"type": "signedBy", "keyType": "GPGKeys", "keyPaths": ["{bob}", "{alice}"]}]),
        True,
        NEW,
    ),
    Pair("key-missing", APP, ONE, only(signed_by("{place}/none.gpg")), False),
    Pair("key-is-none", APP, ONE, only(signed_by("{place}/image/version")), False),
    Pair("other-digest", APP, (gpg("alice", digest="other"),), only(signed_by()), False),
    Pair("broken", APP, (gpg("alice", hurt="flip"),), only(signed_by()), False),
    Pair("cut-short", APP, (gpg("alice", hurt="cut"),), only(signed_by()), False),
    Pair("extra-member", APP, (gpg("alice", hurt="member"),), only(signed_by()), False),
    Pair("doubled-member", APP, (gpg("alice", hurt="double"),), only(signed_by()), False),
    Pair("other-type", APP, (gpg("alice", hurt="type"),), only(signed_by()), False),
    Pair("expired-key", APP, (gpg("carol"),), only(signed_by("{carol}")), False),
    Pair("revoked-key", APP, (gpg("dave"),), only(signed_by("{dave}")), False),
    # whose name was signed
    Pair("name-other-tag", APP, (gpg("alice", "{host}/team/app:2"),), only(signed_by()), False),
    Pair("name-of-digest", BY_DIGEST, (gpg("alice", "{host}/team/app:2"),), only(signed_by()), True),
    Pair("name-exact-of-digest", BY_DIGEST, ONE, only(signed_by(**match("matchExact"))), False),
    Pair("name-exact", APP, ONE, only(signed_by(**match("matchExact"))), True),
    Pair(
        "name-repository", APP, (gpg("alice", "{host}/team/app:2"),), only(signed_by(**match("matchRepository"))), True
    ),
    Pair("name-no-tag", APP, (gpg("alice", "{host}/team/app"),), only(signed_by()), False),
    Pair("name-of-folder", "dir:{place}/image", ONE, only(signed_by()), False),
    Pair(
        "name-given-for-folder",
        "dir:{place}/image",
        ONE,
        only(signed_by(**match("exactReference", dockerReference=NAME))),
        True,
    ),
    Pair(
        "repository-given",
        APP,
        (gpg("alice", "vendor.example/x:9"),),
        only(signed_by(**match("exactRepository", dockerRepository="vendor.example/x"))),
        True,
    ),
    Pair(
        "remapped",
        APP,
        (gpg("alice", "vendor.example/released/app:1"),),
        only(signed_by(**match("remapIdentity", **REMAP))),
        True,
    ),
    Pair("remapped-unsigned-name", APP, ONE, only(signed_by(**match("remapIdentity", **REMAP))), False),
    # sigstore
    Pair("sigstore", APP, EC, only(sigstore()), True, NEW),
    Pair("sigstore-unsigned", APP, (), only(sigstore()), False),
    Pair("sigstore-by-another", APP, (ec("second"),), only(sigstore()), False),
    Pair("sigstore-not-simple", APP, ONE, only(sigstore()), False),
    Pair("simple-not-sigstore", APP, EC, only(signed_by()), False),
    Pair("sigstore-other-digest", APP, (ec("first", digest="other"),), only(sigstore()), False),
    Pair("sigstore-broken", APP, (ec("first", hurt="flip"),), only(sigstore()), False),
    Pair("sigstore-other-name", APP, (ec("first", "{host}/team/app:2"),), only(sigstore()), False),
    Pair(
        "sigstore-repository",
        APP,
        (ec("first", "{host}/team/app"),),
        only(sigstore(**match("matchRepository"))),
        True,
        NEW,
    ),
    Pair(
        "sigstore-keys",
        APP,
        (ec("second"),),
        only([{"type": "sigstoreSigned", "keyPaths": ["{first}", "{second}"]}]),
        True,
        NEW,
    ),
    Pair("sigstore-wants-log", APP, EC, only(sigstore(rekorPublicKeyPath="{second}")), False),
    Pair("both-kinds", APP, (gpg("alice"), ec("first")), only([*signed_by(), *sigstore()]), True, NEW),
    # policies that make no sense
    Pair("no-default", APP, (), {"transports": {}}, False),
    Pair("empty-list", APP, (), only([]), False),
    Pair("unknown-type", APP, (), only([{"type": "acceptAnything"}]), False),
    Pair("unknown-member", APP, (), only([{"type": "insecureAcceptAnything", "note": "x"}]), False),
    Pair("unknown-member-at-top", APP, (), {"default": ACCEPT, "defaults": ACCEPT}, False),
    Pair("no-key-type", APP, ONE, only([{"type": "signedBy", "keyPath": "{alice}"}]), False),
    Pair("two-keys", APP, ONE, only(signed_by(keyData="{alice_data}")), False),
    Pair("bad-scope", APP, (), {"default": ACCEPT, "transports": {"dir": {"relative": ACCEPT}}}, False),
    Pair("scope-of-archive", APP, (), {"default": ACCEPT, "transports": {"docker-archive": {"/x": ACCEPT}}}, False),
    Pair("unknown-transport", APP, (), {"default": ACCEPT, "transports": {"pigeon": {"x": REJECT}}}, True),
    Pair("fulcio-without-log", APP, EC, only([{"type": "sigstoreSigned", "fulcio": {"caPath": "/x"}}]), False),
)


SIGNED_NAMES = {
    "tag": NAME,
    "other-tag": "{host}/team/app:2",
    "none": "{host}/team/app",
    "digest": "{host}/team/app@{digest}",
    "both": "{host}/team/app:1@{digest}",
    "other": "{host}/team/ap",
    "longer": "{host}/team/app/x:1",
    "short": "team/app:1",
    "upper": "{host}/Team/app:1",
    "empty": "",
    "other-digest": "{host}/team/app@sha256:" + "0" * 64,
}
_OF_REPOSITORY = {"tag", "other-tag", "none", "digest", "both", "other-digest"}
_ACCEPTED = {
    ("matchExact", APP): {"tag"},
    ("matchExact", BY_DIGEST): {"digest"},
    ("matchRepoDigestOrExact", APP): {"tag"},
    ("matchRepoDigestOrExact", BY_DIGEST): _OF_REPOSITORY - {"none"},
    ("matchRepository", APP): _OF_REPOSITORY,
    ("matchRepository", BY_DIGEST): _OF_REPOSITORY,
}
NAMES = tuple(
    Pair(
        f"{make.__name__}-{kind}-{'digest' if source == BY_DIGEST else 'tag'}-{word}",
        source,
        (make("alice" if make is gpg else "first", name),),
        only(policy(**match(kind))),
        word in accepted,
        (1, 9) if make is gpg else NEW,
    )
    for make, policy in ((gpg, signed_by), (ec, sigstore))
    for (kind, source), accepted in _ACCEPTED.items()
    for word, name in SIGNED_NAMES.items()
)
"""Every rule on names with every signed name."""
