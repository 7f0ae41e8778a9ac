"""`--log-opt tag`: a text with places for what `inspect` says of the container, as in `{{.ImageName}}/{{.ID}}`.

Of Go's templates: those that name a member, `{{.Config.Hostname}}`, or a map's entry, `{{index .Config.Labels "a"}}`.
"""

from __future__ import annotations

import re

from sonata.engine.containers.describe import describe
from sonata.state import containers as rows
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata.engine.engine import Engine

_ACTION = re.compile(r"\{\{(-\s)?\s*(.*?)\s*(\s-)?\}\}", re.DOTALL)
_MEMBER = re.compile(r"(?:\.[A-Za-z]\w*)+")
_ENTRY = re.compile(r'index\s+((?:\.[A-Za-z]\w*)+)\s+"([^"\\]*)"')


def tag(engine: Engine, container: str) -> str:
    """A container's tag with its places filled. Raises UsageError for one that cannot be filled, NotFound."""
    row = rows.get(engine.database, container)
    text = row.config.log.tag
    return fill(text, describe(engine, row)) if "{{" in text else text


def fill(text: str, values: dict[str, Any]) -> str:
    """The text with its places filled. Raises UsageError."""
    parts, end = [], 0
    for found in _ACTION.finditer(text):
        before = text[end : found.start()]
        parts += [before.rstrip() if found[1] else before, _value(text, found[2], values)]
        end = found.end()
        if found[3]:
            end += len(text[end:]) - len(text[end:].lstrip())
    if "{{" in text[end:]:
        raise UsageError(f"template parsing error {text}: template: container:1: unclosed action")
    return "".join((*parts, text[end:]))


def _value(text: str, action: str, values: dict[str, Any]) -> str:
    entry = _ENTRY.fullmatch(action)
    if entry:
        found = (_member(entry[1], values) or {}).get(entry[2], "")
    elif _MEMBER.fullmatch(action):
        found = _member(action, values)
    else:
        raise UsageError(
            f"template parsing error {text}: {{{{{action}}}}} is not supported in a log tag",
            hint='name a member, as in {{.Name}}, or an entry of a map, as in {{index .Config.Labels "name"}}',
        )
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, (dict, list)):
        raise UsageError(f"template parsing error {text}: {{{{{action}}}}} is no text", hint="name one of its members")
    return str(found)


def _member(path: str, values: dict[str, Any]) -> Any:
    """A member of a member, by Go's names: they differ from those of JSON in nothing but the case of letters."""
    found: Any = values
    for name in path.split(".")[1:]:
        known = {key.lower(): value for key, value in found.items()} if isinstance(found, dict) else {}
        if name.lower() not in known:
            kind = "*define.InspectContainerData"
            raise UsageError(
                f'template: container: executing "container" at <{path}>: can\'t evaluate field {name} in type {kind}'
            )
        found = known[name.lower()]
    return "" if found is None else found
