"""Documents from strangers, checked on their way in. The only module that imports pydantic."""

from __future__ import annotations

from sonata_core.errors import Damaged
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.record import Record, defaults_of, fields_of

if TYPE_CHECKING:
    from typing import TypeVar

    R = TypeVar("R", bound=Record)

_models: dict[type, Any] = {}


def admit(cls: type[R], content: bytes, what: str) -> R:
    """A record from JSON that somebody else wrote; `what` names the document in errors.

    Types are checked strictly, unknown keys passed over. Raises Damaged that names the place.
    """
    import pydantic

    model = _model(cls)
    try:
        checked = model.model_validate_json(content, strict=False)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the document"
        raise Damaged(f"{what}: {place}: {first['msg']}") from error
    return _record(cls, checked)


def _model(cls: type[Record]) -> Any:
    known = _models.get(cls)
    if known is not None:
        return known
    import pydantic

    defaults = defaults_of(cls)
    fields = {name: (_admitted(kind), defaults.get(name, ...)) for name, kind in fields_of(cls).items()}
    config = pydantic.ConfigDict(extra="ignore")
    known = _models[cls] = pydantic.create_model(cls.__name__, __config__=config, **fields)  # type: ignore[call-overload]
    return known


def _admitted(kind: Any) -> Any:
    import types

    if isinstance(kind, type) and issubclass(kind, Record):
        return _model(kind)
    if isinstance(kind, types.UnionType):
        parts = [_admitted(part) for part in kind.__args__]
        found = parts[0]
        for part in parts[1:]:
            found = found | part
        return found
    origin = getattr(kind, "__origin__", None)
    if origin is not None:
        return origin[tuple(_admitted(part) if part is not Ellipsis else ... for part in kind.__args__)]
    return kind


def _record(cls: type[R], checked: Any) -> R:
    from sonata_core.codec import thaw

    return thaw(cls, checked.model_dump(mode="python", exclude_unset=True))
