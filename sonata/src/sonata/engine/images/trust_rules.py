"""`image trust`: the policy shown and changed."""

from __future__ import annotations

import json
import os

from sonata.config.policy import load_policy, policy_path
from sonata.image.policy import parse_policy
from sonata.model.trust import TrustRule
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sonata.config.registries_d import RegistriesD
    from sonata.engine.engine import Engine

_WORDS = {"insecureAcceptAnything": "accept", "signedBy": "signed"}
_KINDS = {"accept": "insecureAcceptAnything"}
_SIGNED = ("signedBy", "sigstoreSigned")
_CHOICES = ("accept", "insecureAcceptAnything", "reject", *_SIGNED)


def policy_text(engine: Engine, given: str = "") -> str:
    """The policy's file as it is, also one that makes no sense. Raises UsageError where there is none."""
    path = policy_path(engine.config, given)
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(4 << 20)
    except OSError as error:
        raise UsageError(f"open {path}: {error.strerror}") from error


def rules(engine: Engine, given: str = "", folder: str = "", registry: str = "") -> list[TrustRule]:
    """The policy's rules: the default, then each transport's by scope; with `registry` those that concern it.

    `folder` stands in for registries.d. Raises UsageError for a policy or configuration that makes no sense.
    """
    from sonata.config.registries_d import folder_of, load_registries_d

    document, path = load_policy(engine.config, given)
    parse_policy(json.dumps(document).encode(), path)
    stores = load_registries_d(folder or folder_of(engine.config.places))
    default = TrustRule(transport="all", kind="", name="* (default)", scope="default")
    found = list(_described(engine, document["default"], default, _store(stores, "")))
    for transport, scopes in sorted(document.get("transports", {}).items()):
        for scope, items in sorted(scopes.items()):
            if registry and not _concerns(scope, registry):
                continue
            shown = "repository" if transport == "docker" else transport
            rule = TrustRule(transport=shown, kind="", name=scope, scope=scope)
            found += _described(engine, items, rule, _store(stores, scope))
    return found


def _concerns(scope: str, registry: str) -> bool:
    """Whether a scope is the registry, in it, or around it."""
    if not scope or scope == registry or scope.startswith(f"{registry}/") or registry.startswith(f"{scope}/"):
        return True
    if scope.startswith("*."):
        return registry.partition("/")[0].partition(":")[0].endswith(scope[1:])
    return "/" in registry and scope.startswith((f"{registry}:", f"{registry}@"))


def _store(stores: RegistriesD, scope: str) -> str:
    """The lookaside for a scope or what it is in, or the default one."""
    at = scope
    while at not in stores.docker and "/" in at:
        at = at.rpartition("/")[0]
    found = stores.docker.get(at) or stores.default
    return found.lookaside if found is not None else ""


def _described(engine: Engine, items: list[Any], rule: TrustRule, store: str) -> Iterator[TrustRule]:
    for item in items:
        kind = item["type"]
        keys = _key_names(engine, item) if kind == "signedBy" else "N/A" if kind == "sigstoreSigned" else ""
        yield rule.replace(kind=_WORDS.get(kind, kind), keys=keys, store=store)


def _key_names(engine: Engine, item: dict[str, Any]) -> str:
    """Whose keys these are: their e-mail addresses, or what else they call themselves."""
    import base64

    from sonata.image.signatures.gpg import key_owners

    contents = []
    for path in (*([item["keyPath"]] if "keyPath" in item else []), *item.get("keyPaths", ())):
        try:
            with open(path, "rb") as file:
                contents.append(file.read(4 << 20))
        except OSError as error:
            engine.notify(f"Getting key identity: open {path}: {error.strerror}")
    if "keyData" in item:
        contents.append(base64.b64decode(item["keyData"]))
    program = engine.find_program("gpg")
    return ", ".join(name for content in contents for name in key_owners(engine.run_command, program, content))


def change(engine: Engine, given: str, scope: str, kind: str, keys: tuple[str, ...]) -> None:
    """Give the policy a rule for a scope (`default`, a registry, or a part of one), in place of the one it had.

    Raises UsageError. The file is replaced at once, and never by one that makes no sense.
    """
    if kind not in _CHOICES:
        raise UsageError(f"invalid choice: {kind} (choose from 'accept', 'reject', 'signedBy', 'sigstoreSigned')")
    _check_scope(scope)
    new = _new_rule(kind, keys)
    path, document = _existing(engine, given)
    if scope == "default":
        document["default"] = new
    elif "default" not in document:
        raise UsageError("default trust policy must be set", hint="sonata image trust set --type reject default")
    else:
        transports = document.setdefault("transports", {})
        owner = next((name for name in sorted(transports) if scope in transports[name]), "docker")
        transports.setdefault(owner, {})[scope] = new
    document = {"default": document["default"], **_sorted(document)}
    content = json.dumps(document, indent=4, ensure_ascii=False).encode()
    parse_policy(content, path)
    _write(path, content)


def _sorted(document: dict[str, Any]) -> dict[str, Any]:
    transports = document.get("transports", {})
    found = {name: dict(sorted(transports[name].items())) for name in sorted(transports)}
    return {"transports": found} if found else {}


def _new_rule(kind: str, keys: tuple[str, ...]) -> list[dict[str, str]]:
    full = _KINDS.get(kind, kind)
    if full not in _SIGNED:
        if keys:
            raise UsageError(f"{len(keys)} public keys unexpectedly provided for trust type {kind}")
        return [{"type": full}]
    if not keys:
        raise UsageError(f"at least one public key must be defined for type '{kind}'", hint="--pubkeysfile")
    extra = {"keyType": "GPGKeys"} if full == "signedBy" else {}
    return [{"type": full, **extra, "keyPath": path} for path in keys]


def _check_scope(scope: str) -> None:
    """A registry, or one and a path. Raises UsageError."""
    host, _, path = scope.partition("/")
    fit = host and all(one.isascii() and (one.isalnum() or one in "-_.:*") for one in host)
    if not fit or not all(one.isascii() and (one.isalnum() or one in "-_./:@") for one in path):
        raise UsageError(f"invalid image uri: {scope}", hint="default, registry.example, or registry.example/path")


def _existing(engine: Engine, given: str) -> tuple[str, dict[str, Any]]:
    """The file to change and what it holds: nothing, where there is none yet."""
    places = engine.config.places
    try:
        document, path = load_policy(engine.config, given)
    except UsageError:
        path = given or f"{places.user if places.uid else places.etc}/policy.json"
        if os.path.lexists(path):
            raise
        return path, {}
    parse_policy(json.dumps(document).encode(), path)
    return path, document


def _write(path: str, content: bytes) -> None:
    from sonata_core.sdk.content import file_error, store_bytes

    try:
        store_bytes(os.path.realpath(path), content)
    except OSError as error:
        raise file_error(f"write {path}", error) from error
