"""Go's fmt: how values print, and what `printf` makes of verbs and flags."""

from __future__ import annotations

from collections.abc import Mapping

from sonata.cli.render.gotemplate.values import MISSING, Duration, Struct, go_type, sorted_items
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ESCAPES = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\"}
_PLAIN = {escape[1]: sign for sign, escape in _ESCAPES.items()} | {'"': '"', "'": "'"}
_CODES = {"x": 2, "u": 4, "U": 8}


def quote(text: str, ascii_only: bool = False, mark: str = '"') -> str:
    """strconv.Quote."""
    return mark + "".join(_quoted(sign, ascii_only, mark) for sign in text) + mark


def _quoted(sign: str, ascii_only: bool, mark: str) -> str:
    if sign == mark:
        return "\\" + sign
    if sign in _ESCAPES:
        return _ESCAPES[sign]
    code = ord(sign)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if sign.isprintable() and (code < 0x80 or not ascii_only):
        return sign
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def unquote(source: str) -> str:
    """strconv.Unquote. Raises ValueError."""
    mark, body = source[0], source[1:-1]
    if mark == "`":
        return body.replace("\r", "")
    made: list[str] = []
    at = 0
    while at < len(body):
        if body[at] != "\\":
            made.append(body[at])
            at += 1
            continue
        letter = body[at + 1 : at + 2]
        taken = _escape(body, at, letter)
        made.append(taken[0])
        at += taken[1]
    text = "".join(made)
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def _escape(body: str, at: int, letter: str) -> tuple[str, int]:
    """One escape sequence: what it means, and its length."""
    if letter in _PLAIN and letter:
        return _PLAIN[letter], 2
    if letter in _CODES and letter:
        digits = body[at + 2 : at + 2 + _CODES[letter]]
        code = int(digits, 16)
        if len(digits) != _CODES[letter]:
            raise ValueError("invalid syntax")
        return _sign(code, letter == "x"), 2 + len(digits)
    return _sign(int(body[at + 1 : at + 4], 8), True), 4


def _sign(code: int, is_byte: bool) -> str:
    return chr(0xDC00 + code) if is_byte and code >= 0x80 else chr(code)


def show(value: Any, plus: bool = False, top: bool = True) -> str:
    """`%v`, or `%+v`: how print writes a value."""
    if isinstance(value, (bool, str)) or value is None:
        return _show_plain(value)
    if value is MISSING:
        return "<no value>" if top else "<nil>"
    if isinstance(value, float):
        return show_float(value)
    if top and hasattr(value, "pointer_text"):  # a String method of the pointer: of what is printed itself alone
        return str(value.pointer_text)
    if isinstance(value, Struct):
        return _show_struct(value, plus)
    if isinstance(value, Mapping):
        inner = " ".join(f"{show(key)}:{show(item, plus, top=False)}" for key, item in sorted_items(value))
        return f"map[{inner}]"
    if isinstance(value, (list, tuple)):
        return "[" + " ".join(show(item, plus, top=False) for item in value) + "]"
    return str(value)


def _show_plain(value: bool | str | None) -> str:
    if value is None:
        return "<nil>"
    return value if isinstance(value, str) else "true" if value else "false"


def _show_struct(value: Struct, plus: bool) -> str:
    text = value.get("String")
    if callable(text):
        return str(text())
    parts = []
    for name in value.shown:
        shown = show(value[name], plus, top=False)
        parts.append(f"{name}:{shown}" if plus else shown)
    return "{" + " ".join(parts) + "}"


def show_float(value: float) -> str:
    """strconv's shortest `%g`, as fmt prints it: an exponent below 1e-4 and from 1e6 on."""
    return _float(value, "g", -1)


def _float(value: float, verb: str, precision: int) -> str:
    if value - value != 0:
        return "NaN" if value != value else "+Inf" if value > 0 else "-Inf"  # noqa: PLR0124
    if verb not in "gG" or precision >= 0:
        return format(value, f".{6 if precision < 0 else precision}{verb}")
    from decimal import Decimal

    shortest = Decimal(repr(value))
    power = shortest.adjusted()
    if -4 <= power < 6 or not value:
        plain = format(shortest, "f")
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    made = f"{_mantissa(repr(value))}e{'-' if power < 0 else '+'}{abs(power):02d}"
    return made.upper() if verb == "G" else made


def _mantissa(digits: str) -> str:
    sign = "-" if digits.startswith("-") else ""
    plain = digits.lstrip("-").partition("e")[0].replace(".", "").strip("0") or "0"
    return sign + plain[0] + ("." + plain[1:] if len(plain) > 1 else "")


class _Spec:
    """One verb with its flags."""

    __slots__ = ("flags", "precision", "verb", "width")

    def __init__(self) -> None:
        self.flags = ""
        self.width = -1
        self.precision = -1
        self.verb = ""

    def has(self, flag: str) -> bool:
        return flag in self.flags

    def pad(self, text: str, numeric: bool = False) -> str:
        """To the width, with zeros where those were asked for and stand left of a number."""
        lack = self.width - len(text)
        if lack <= 0:
            return text
        if self.has("-"):
            return text + " " * lack
        if self.has("0"):
            sign = text[:1] if numeric and text[:1] in ("+", "-", " ") else ""
            return sign + "0" * lack + text[len(sign) :]
        return " " * lack + text


def sprint(values: Sequence[Any]) -> str:
    """fmt.Sprint: blanks only between operands of which neither is a string."""
    made = ""
    for number, value in enumerate(values):
        if number and not isinstance(value, str) and not isinstance(values[number - 1], str):
            made += " "
        made += show(value, top=False)
    return made


def sprintf(form: str, values: Sequence[Any]) -> str:
    """fmt.Sprintf, its complaints included."""
    made: list[str] = []
    at = used = 0
    while at < len(form):
        mark = form.find("%", at)
        if mark < 0:
            made.append(form[at:])
            break
        made.append(form[at:mark])
        spec = _Spec()
        at, used, problem = _scan(form, mark + 1, spec, values, used)
        made.append(problem)
        if not spec.verb:
            made.append("%!(NOVERB)")
        elif spec.verb == "%":
            made.append("%")
        elif used >= len(values):
            made.append(f"%!{spec.verb}(MISSING)")
        else:
            made.append(_verb(spec, values[used]))
            used += 1
    if used < len(values):
        rest = values[used:]
        extra = ", ".join("<nil>" if item is None else f"{go_type(item)}={show(item, top=False)}" for item in rest)
        made.append(f"%!(EXTRA {extra})")
    return "".join(made)


def _scan(form: str, at: int, spec: _Spec, values: Sequence[Any], used: int) -> tuple[int, int, str]:
    """Flags, width, precision and verb from `at` on: where they end, arguments used, a complaint."""
    problem = ""
    while form[at : at + 1] in ("+", "-", "#", " ", "0") and at < len(form):
        spec.flags += form[at]
        at += 1
    at, used, spec.width, bad = _amount(form, at, values, used)
    if bad:
        problem = "%!(BADWIDTH)"
    if spec.width < -1:
        spec.width, spec.flags = -spec.width, spec.flags + "-"
    if form[at : at + 1] == ".":
        at, used, spec.precision, bad = _amount(form, at + 1, values, used)
        problem += "%!(BADPREC)" if bad else ""
        spec.precision = max(spec.precision, 0)
    spec.verb = form[at : at + 1]
    return at + 1, used, problem


def _amount(form: str, at: int, values: Sequence[Any], used: int) -> tuple[int, int, int, bool]:
    if form[at : at + 1] == "*":
        given = values[used] if used < len(values) else None
        good = isinstance(given, int) and not isinstance(given, bool) and abs(given) <= 1_000_000
        return at + 1, used + 1, (int(given) if good and given is not None else -1), not good
    end = at
    while form[end : end + 1].isdigit():
        end += 1
    return end, used, (min(int(form[at:end]), 1_000_000) if end > at else -1), False


def _verb(spec: _Spec, value: Any) -> str:
    verb = spec.verb
    if verb == "T":
        return spec.pad(go_type(value))
    if verb == "v":
        return _verb_v(spec, value)
    if value is None or value is MISSING:
        return f"%!{verb}(<nil>)"
    if isinstance(value, (Duration, Struct)) or hasattr(value, "type_name"):
        if verb in "sqxX":
            return _verb_string(spec, show(value))
        value = int(value) if isinstance(value, Duration) else value
    for kind, formatter in _BY_KIND:
        if isinstance(value, kind):
            return formatter(spec, value)
    return _bad(spec, value)


def _bad(spec: _Spec, value: Any) -> str:
    return f"%!{spec.verb}({go_type(value)}={show(value)})"


def _verb_v(spec: _Spec, value: Any) -> str:
    if spec.has("#"):
        return spec.pad(_go_syntax(value))
    numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
    if numeric and not isinstance(value, Duration):
        plain = _Spec()
        plain.flags, plain.width, plain.precision = spec.flags, spec.width, spec.precision
        plain.verb = "d" if isinstance(value, int) else "g"
        return _verb(plain, value)
    return spec.pad(show(value, plus=spec.has("+"), top=False))


def _go_syntax(value: Any) -> str:
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, Struct):
        inner = ", ".join(f"{name}:{_go_syntax(value[name])}" for name in value.shown)
        return f"{value.type_name}{{{inner}}}"
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_go_syntax(key)}:{_go_syntax(item)}" for key, item in sorted_items(value))
        return f"{go_type(value)}{{{inner}}}"
    if isinstance(value, (list, tuple)):
        return f"{go_type(value)}{{{', '.join(_go_syntax(item) for item in value)}}}"
    return show(value, top=False)


def _verb_bool(spec: _Spec, value: bool) -> str:
    return spec.pad(show(value)) if spec.verb == "t" else _bad(spec, value)


def _verb_int(spec: _Spec, value: int) -> str:
    verb = spec.verb
    if verb in "cqU":
        return _verb_rune(spec, value)
    forms = {"d": "d", "b": "b", "o": "o", "O": "o", "x": "x", "X": "X"}
    if verb not in forms:
        return _bad(spec, value)
    digits = format(abs(value), forms[verb])
    if spec.precision >= 0:
        digits = digits.rjust(spec.precision, "0") if spec.precision or value else ""
    prefix = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}.get(verb, "") if spec.has("#") else ""
    prefix = "0o" if verb == "O" else prefix
    sign = "-" if value < 0 else "+" if spec.has("+") else " " if spec.has(" ") else ""
    if spec.precision >= 0:
        spec.flags = spec.flags.replace("0", "")
    return spec.pad(sign + prefix + digits, numeric=True)


def _verb_rune(spec: _Spec, value: int) -> str:
    sign = chr(value) if 0 <= value <= 0x10FFFF and not 0xD800 <= value < 0xE000 else "\ufffd"
    if spec.verb == "c":
        return spec.pad(sign)
    if spec.verb == "q":
        return spec.pad(quote(sign, spec.has("+"), "'"))
    return spec.pad(f"U+{value:04X}" + (f" '{sign}'" if spec.has("#") else ""))


def _verb_float(spec: _Spec, value: float) -> str:
    if spec.verb not in "eEfFgG":
        return _bad(spec, value)
    text = _float(value, "f" if spec.verb == "F" else spec.verb, spec.precision)
    if not text.startswith(("-", "+")):
        text = ("+" if spec.has("+") else " " if spec.has(" ") else "") + text
    elif text.startswith("+") and not spec.has("+"):
        text = text if text == "+Inf" else text[1:]
    return spec.pad(text, numeric=True)


def _verb_string(spec: _Spec, value: str) -> str:
    verb = spec.verb
    cut = value if spec.precision < 0 else value[: spec.precision]
    if verb == "s":
        return spec.pad(cut)
    if verb == "q":
        plain = spec.has("#") and "`" not in cut and cut.isprintable()
        return spec.pad(f"`{cut}`" if plain else quote(cut, spec.has("+")))
    if verb in "xX":
        raw = value.encode("utf-8", "surrogateescape")
        raw = raw if spec.precision < 0 else raw[: spec.precision]
        digits = raw.hex(" ") if spec.has(" ") else raw.hex()
        digits = ("0x" if spec.has("#") and digits else "") + digits
        return spec.pad(digits if verb == "x" else digits.upper())
    return _bad(spec, value)


def _verb_many(spec: _Spec, value: Sequence[Any]) -> str:
    return "[" + " ".join(_verb(_copy(spec), item) for item in value) + "]"


def _verb_map(spec: _Spec, value: Mapping[Any, Any]) -> str:
    items = sorted_items(value)
    return "map[" + " ".join(f"{_verb(_copy(spec), key)}:{_verb(_copy(spec), item)}" for key, item in items) + "]"


def _verb_struct(spec: _Spec, value: Struct) -> str:
    return "{" + " ".join(_verb(_copy(spec), value[name]) for name in value.shown) + "}"


def _copy(spec: _Spec) -> _Spec:
    made = _Spec()
    made.flags, made.width, made.precision, made.verb = spec.flags, spec.width, spec.precision, spec.verb
    return made


_BY_KIND: tuple[tuple[Any, Callable[[_Spec, Any], str]], ...] = (
    (bool, _verb_bool),
    (int, _verb_int),
    (float, _verb_float),
    (str, _verb_string),
    ((list, tuple), _verb_many),
    (Struct, _verb_struct),
    (Mapping, _verb_map),
)
