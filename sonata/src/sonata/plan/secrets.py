"""The grammar of `--secret NAME[,type=…,target=…,uid=,gid=,mode=]`."""

from __future__ import annotations

from sonata.model.container import SecretUse
from sonata.plan.values import is_digits
from sonata_core.errors import UsageError


def parse(text: str) -> SecretUse:
    """One `--secret`. Raises UsageError."""
    first, *rest = text.split(",")
    if not first or "=" in first:
        raise UsageError(f"no secret name given in {text!r}", "Use NAME[,type=mount|env][,target=…].")
    fields = dict(part.partition("=")[::2] for part in rest)
    unknown = set(fields) - {"type", "target", "uid", "gid", "mode"}
    if unknown:
        name = sorted(unknown)[0]
        raise UsageError(f"option {name}={fields[name]} invalid: parsing secret")
    kind, target = fields.get("type", "mount"), fields.get("target", "")
    if kind == "env":
        if set(fields) & {"uid", "gid", "mode"}:
            raise UsageError("UID, GID, Mode options cannot be set with secret type env: parsing secret")
        return SecretUse(name=first, env=target or first)
    if kind != "mount":
        raise UsageError(f"type {kind} is invalid: parsing secret")
    mode = fields.get("mode", "0444")
    numbers = fields.get("uid", "0"), fields.get("gid", "0")
    for what, number in zip(("UID", "GID"), numbers, strict=True):
        if not is_digits(number):
            raise UsageError(f"{what} {number} invalid: parsing secret")
    if not is_digits(mode) or set(mode) & set("89"):
        raise UsageError(f"mode {mode} invalid: parsing secret")
    return SecretUse(name=first, target=target or first, uid=int(numbers[0]), gid=int(numbers[1]), mode=int(mode, 8))
