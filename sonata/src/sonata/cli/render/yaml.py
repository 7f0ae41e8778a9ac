"""YAML as Go's sigs.k8s.io/yaml writes it: sorted keys, lists not indented, quotes only where they are needed."""

from __future__ import annotations

from sonata_core.lite import Any

_RESERVED = frozenset(("", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", ".nan", ".inf", "-.inf"))
_LEADING = "-?:,[]{}#&*!|>'\"%@` "


def dump(value: Any, indent: str = "") -> str:
    """The document for a value of dictionaries, lists and scalars; ends in a newline."""
    if isinstance(value, dict):
        return "".join(_entry(str(key), value[key], indent) for key in sorted(value, key=str)) or f"{indent}{{}}\n"
    if isinstance(value, (list, tuple)):
        return "".join(_item(item, indent) for item in value) or f"{indent}[]\n"
    return f"{indent}{scalar(value, indent)}\n"


def _entry(key: str, value: Any, indent: str) -> str:
    head = f"{indent}{_text(key)}:"
    if isinstance(value, dict) and value:
        return f"{head}\n{dump(value, indent + '  ')}"
    if isinstance(value, (list, tuple)) and value:
        return f"{head}\n{dump(value, indent)}"
    return f"{head} {scalar(value, indent)}\n"


def _item(value: Any, indent: str) -> str:
    if isinstance(value, (dict, list, tuple)) and value:
        inner = dump(value, indent + "  ")
        return f"{indent}- {inner[len(indent) + 2 :]}"
    return f"{indent}- {scalar(value, indent)}\n"


def scalar(value: Any, indent: str = "") -> str:
    """One value on its line; longer texts as a block below it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, (list, tuple)):
        return "[]"
    return _block(str(value), indent) if "\n" in str(value) else _text(str(value))


def _block(text: str, indent: str) -> str:
    mark = "|" if text.endswith("\n") else "|-"
    lines = text.rstrip("\n").split("\n")
    return mark + "".join(f"\n{indent}  {line}" if line else "\n" for line in lines)


def _text(text: str) -> str:
    if _is_plain(text):
        return text
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'" if not _reads_as_other(text) else f'"{text}"'
    import json

    return json.dumps(text, ensure_ascii=False)


def _is_plain(text: str) -> bool:
    if _reads_as_other(text) or not text.isprintable():
        return False
    if text[0] in _LEADING and not (text[0] in "-?:" and len(text) > 1 and text[1] != " "):
        return False
    return not (": " in text or " #" in text or text.endswith((":", " ")))


def _reads_as_other(text: str) -> bool:
    """Would the plain word be taken for null, a truth value or a number?"""
    if text.lower() in _RESERVED:
        return True
    try:
        float(text.replace("_", ""))
    except ValueError:
        return text.startswith(("0x", "0o")) and text[2:].isalnum()
    return True
