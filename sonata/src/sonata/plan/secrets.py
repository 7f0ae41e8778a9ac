"""The grammar of `--secret [source=]NAME[,type=…,target=…,uid=,gid=,mode=]`."""

from __future__ import annotations

from sonata.model.container import SecretUse
from sonata.plan.values import is_digits
from sonata_core.errors import UsageError

_KEYS = ("gid", "mode", "source", "target", "type", "uid")


def parse(text: str) -> SecretUse:
    """One `--secret`. Raises UsageError."""
    if "," not in text:
        if not text:
            raise UsageError("no secret name given", hint="Use NAME[,type=mount|env][,target=…].")
        return SecretUse(name=text, target=text, mode=0o444)
    fields = _fields(text)
    name, target = fields.get("source", ""), fields.get("target", "")
    if not name:
        raise UsageError(f"no secret name given in {text!r}", hint="Use NAME[,type=mount|env][,target=…].")
    kind = fields.get("type", "mount")
    if kind not in ("mount", "env"):
        raise UsageError(f"type {kind} is invalid: parsing secret")
    mode = fields.get("mode", "0444")
    numbers = fields.get("uid", "0"), fields.get("gid", "0")
    for what, number in zip(("UID", "GID"), numbers, strict=True):
        if not is_digits(number):
            raise UsageError(f"{what} {number} invalid: parsing secret")
    if not is_digits(mode) or set(mode) & set("89"):
        raise UsageError(f"mode {mode} invalid: parsing secret")
    if kind == "env":
        if set(fields) & {"uid", "gid", "mode"}:
            raise UsageError("UID, GID, Mode options cannot be set with secret type env: parsing secret")
        return SecretUse(name=name, env=target or name)
    return SecretUse(name=name, target=target or name, uid=int(numbers[0]), gid=int(numbers[1]), mode=int(mode, 8))


def _fields(text: str) -> dict[str, str]:
    """The options by name; the first word may be the name alone, and a later option goes before an earlier one."""
    first, *rest = text.split(",")
    fields = {"source": first} if "=" not in first else {}
    for word in rest if fields else [first, *rest]:
        key, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"option {word} must be in form option=value: parsing secret")
        if key not in _KEYS:
            raise UsageError(f"option {word} invalid: parsing secret")
        fields[key] = value
    return fields
