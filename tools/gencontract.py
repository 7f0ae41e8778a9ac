"""Write docs/contract/golden/*.txt: every hook's signature and every model's fields, from the live specs.

`tools/gencontract.py` writes, `tools/gencontract.py --check` says what differs and exits with 1. A change
that takes a line away breaks the contract (docs/plugin-author.md, Versions).
"""

from __future__ import annotations

import inspect
import sys
import types
from pathlib import Path
from typing import Any

from sonata_core.context import PluginContext
from sonata_core.groups import GROUPS, Group
from sonata_core.lite import StrEnum
from sonata_core.markers import SPEC
from sonata_core.models import hooks, host, image, mount, net, plugin, process, runtime, storage
from sonata_core.record import Record, defaults_of, fields_of

GOLDEN = Path(__file__).resolve().parent.parent / "docs/contract/golden"
_MODELS = {
    "runtime": (runtime,),
    "net": (net,),
    "storage": (storage, mount),
    "transport": (image,),
    "hooks": (hooks,),
    "plugin": (plugin, process, host),
}


def hook_lines(spec: type, kind: str) -> list[str]:
    """The lines of one hookspec class."""
    lines = [f"{kind} {spec.__name__}"]
    for name, function in vars(spec).items():
        if hasattr(function, SPEC):
            mode = "one" if getattr(function, SPEC)["firstresult"] else "all"
            lines.append(f"  {mode} {name}{signature(function)}")
    return lines


def signature(function: Any) -> str:
    """Parameters and result as they are written, without `self`."""
    found = inspect.signature(function)
    given = [f"{each.name}: {annotation(each.annotation)}" for each in list(found.parameters.values())[1:]]
    return f"({', '.join(given)}) -> {annotation(found.return_annotation)}"


def annotation(kind: Any) -> str:
    """An annotation in the words of the source."""
    if isinstance(kind, str):
        return kind
    if isinstance(kind, types.GenericAlias | types.UnionType):
        text = str(kind)
    else:
        text = "None" if kind is None else getattr(kind, "__name__", str(kind))
    for module in ("sonata_core.models.", "collections.abc."):
        while module in text:
            start = text.index(module)
            end = start + len(module)
            rest = text[end:]
            skip = rest.split(".", 1) if module.startswith("sonata") else ["", rest]
            text = text[:start] + skip[1]
    return text


def model_lines(module: Any) -> list[str]:
    """The lines of one module's records, choices and open handles."""
    lines: list[str] = []
    for name, cls in vars(module).items():
        if not isinstance(cls, type) or cls.__module__ != module.__name__ or name.startswith("_"):
            continue
        if issubclass(cls, Record):
            lines += record_lines(cls)
        elif issubclass(cls, StrEnum):
            lines += [f"choice {name}", *(f"  {member.name} = {member.value!r}" for member in cls)]
        else:
            lines.append(f"handle {name}")
            lines += [
                f"  {each}{signature(function)}"
                for each, function in vars(cls).items()
                if inspect.isfunction(function) and (not each.startswith("_") or each in ("__enter__", "__exit__"))
            ]
    return lines


def record_lines(cls: type[Record]) -> list[str]:
    """The lines of one record: its fields, with their defaults."""
    defaults = defaults_of(cls)
    lines = [f"model {cls.__name__}"]
    for name, kind in fields_of(cls).items():
        default = f" = {defaults[name]!r}" if name in defaults else ""
        lines.append(f"  {name}: {annotation(kind)}{default}")
    return lines


def group_text(group: Group) -> str:
    """The golden file of one group."""
    lines = [f"contract {group.contract}", f"entry points {group.entry_points}", ""]
    lines += hook_lines(group.required, "required")
    for capability in group.optional:
        lines += ["", *hook_lines(capability, "optional")]
    for module in _MODELS[group.name]:
        lines += ["", *model_lines(module)]
    return "\n".join(lines) + "\n"


def plugin_text() -> str:
    """The golden file of what all groups share."""
    from sonata_core.hookspecs.plugin import PluginHooks

    lines = hook_lines(PluginHooks, "required")
    for module in _MODELS["plugin"]:
        lines += ["", *model_lines(module)]
    lines += ["", *record_lines(PluginContext)]
    return "\n".join(lines) + "\n"


def texts() -> dict[str, str]:
    """Every golden file: its name, and what should be in it."""
    found = {f"{name}.v{group.major}.txt": group_text(group) for name, group in GROUPS.items()}
    return {**found, "plugin.v1.txt": plugin_text()}


def main() -> int:
    """Write, or with --check compare."""
    differing = []
    for name, text in texts().items():
        file = GOLDEN / name
        if "--check" in sys.argv[1:]:
            if not file.exists() or file.read_text() != text:
                differing.append(name)
        else:
            GOLDEN.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    if differing:
        print(f"docs/contract/golden differs from the hookspecs: {', '.join(differing)}; run tools/gencontract.py")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
