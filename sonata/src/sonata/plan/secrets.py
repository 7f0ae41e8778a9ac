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
        raise UsageError(f"{sorted(unknown)[0]}: invalid secret option")
    kind, target = fields.get("type", "mount"), fields.get("target", "")
    if kind == "env":
        if set(fields) & {"uid", "gid", "mode"}:
            raise UsageError("UID, GID, Mode options cannot be set with secret type env")
        return SecretUse(name=first, env=target or first)
    if kind != "mount":
        raise UsageError(f"type {kind} is invalid: parsing secret option")
    mode = fields.get("mode", "0444")
    numbers = fields.get("uid", "0"), fields.get("gid", "0")
    if not all(is_digits(number) for number in numbers) or not is_digits(mode) or set(mode) & set("89"):
        raise UsageError(f"uid, gid and mode of secret {first} must be numbers, the mode an octal one")
    return SecretUse(name=first, target=target or first, uid=int(numbers[0]), gid=int(numbers[1]), mode=int(mode, 8))
