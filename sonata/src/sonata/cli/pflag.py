"""Command lines parsed as pflag (the flag library of Podman and Docker) parses them, from tables.

An option is a tuple `(long, short, kind, default, metavar, help)`, with an optional seventh member:
a dict of what few options have (`OptionExtras` below names the keys). `kind` is the Go type that
pflag uses, because it decides the grammar of the value and the words of the error.

Error texts are pflag's own: scripts and people know them.
"""

from __future__ import annotations

from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Option = tuple[Any, ...]

EXTRAS = (
    "aliases",  # other long names that mean the same
    "bare",  # the value of `--name` without one (pflag's NoOptDefVal)
    "choices",  # words to complete; checked by whoever uses the value, except for kind `choice`
    "complete",  # kind of object to complete: containers, images, networks, volumes, files, …
    "deprecated",  # text after "has been deprecated, "
    "env",  # environment variable that gives the default
    "hidden",  # not shown in help
    "refused",  # known, and refused for good: pair of the reason and what to do instead
)


class FlagError(UsageError):
    """The command line does not parse; the front door adds the line that points to `--help`."""

    code = "bad_option"


class HelpWanted(Exception):
    """`-h` was met where no option has that letter: help is shown at once."""


class Parsed:
    """What a command line said: options by long name, and what was left over."""

    __slots__ = ("_options", "args", "dash", "values", "warnings")

    def __init__(self, options: dict[str, Option]) -> None:
        self._options = options
        self.values: dict[str, Any] = {}
        self.args: list[str] = []
        self.dash = -1
        self.warnings: list[str] = []

    def __getitem__(self, name: str) -> Any:
        """The value given for an option, else its default. KeyError for an option the table lacks."""
        if name in self.values:
            return self.values[name]
        default = self._options[name][3]
        return list(default) if isinstance(default, tuple) else default

    def get(self, name: str, otherwise: Any = None) -> Any:
        """The value given for an option, else `otherwise`, whatever the table's default is."""
        return self.values.get(name, otherwise)

    def changed(self, name: str) -> bool:
        """Was the option on the command line?"""
        return name in self.values

    def option(self, name: str) -> Option:
        """The option's row. KeyError for an option the table lacks."""
        return self._options[name]

    def knows(self, name: str) -> bool:
        """Does this command's table have the option?"""
        return name in self._options


def extras(option: Option) -> dict[str, Any]:
    """What an option has beyond the common six members."""
    return option[6] if len(option) > 6 else {}


def quote(text: str) -> str:
    """`text` as Go's %q prints it."""
    out = ['"']
    for char in text:
        code = ord(char)
        if char in '"\\':
            out.append("\\" + char)
        elif 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, smuggled by surrogateescape
            out.append(f"\\x{code - 0xDC00:02x}")
        elif char.isprintable():
            out.append(char)
        elif char in _ESCAPES:
            out.append(_ESCAPES[char])
        else:
            out.append(f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    out.append('"')
    return "".join(out)


_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\v": "\\v"}


def index(options: Iterable[Option]) -> tuple[dict[str, Option], dict[str, Option]]:
    """Options by long name (aliases too) and by letter."""
    longs: dict[str, Option] = {}
    shorts: dict[str, Option] = {}
    for option in options:
        longs[option[0]] = option
        if option[1]:
            shorts[option[1]] = option
        if len(option) > 6:
            for alias in option[6].get("aliases", ()):
                longs[alias] = option
    return longs, shorts


def bare_value(option: Option) -> str:
    """The value that the option takes when none is written (pflag's NoOptDefVal); empty: it needs one."""
    if option[2] == "bool":
        return "true"
    return str(option[6].get("bare", "")) if len(option) > 6 else ""


def parse(options: Iterable[Option], argv: list[str], *, interspersed: bool = True) -> Parsed:
    """Parse `argv` (without the command's own name) as pflag's FlagSet.Parse does.

    Raises FlagError with pflag's words, or HelpWanted for a free `-h`. With `interspersed` false the
    first positional ends the options, as in `run IMAGE COMMAND -x`.
    """
    longs, shorts = index(options)
    parsed = Parsed(longs)
    rest = list(reversed(argv))  # popped from the end: the next word
    while rest:
        word = rest.pop()
        if len(word) < 2 or word[0] != "-":
            parsed.args.append(word)
            if interspersed:
                continue
            break
        if word == "--":
            parsed.dash = len(parsed.args)
            break
        if word[1] == "-":
            _long(parsed, longs, word, rest)
        else:
            _shorts(parsed, shorts, word[1:], rest)
    parsed.args.extend(reversed(rest))
    return parsed


def _long(parsed: Parsed, longs: dict[str, Option], word: str, rest: list[str]) -> None:
    name, equals, value = word[2:].partition("=")
    if not name or name[0] == "-":
        raise FlagError(f"bad flag syntax: {word}")
    option = longs.get(name)
    if option is None:
        raise FlagError(f"unknown flag: --{name}")
    if not equals:
        value = bare_value(option)
        if not value:
            if not rest:
                raise FlagError(f"flag needs an argument: {word}")
            value = rest.pop()
    _set(parsed, option, value)


def _shorts(parsed: Parsed, shorts: dict[str, Option], letters: str, rest: list[str]) -> None:
    while letters:
        letter = letters[0]
        option = shorts.get(letter)
        if option is None:
            if letter == "h":
                raise HelpWanted
            raise FlagError(f"unknown shorthand flag: '{letter}' in -{letters}")
        bare = bare_value(option)
        if len(letters) > 2 and letters[1] == "=":
            value, letters = letters[2:], ""
        elif bare:
            value, letters = bare, letters[1:]
        elif len(letters) > 1:
            value, letters = letters[1:], ""
        elif rest:
            value, letters = rest.pop(), ""
        else:
            raise FlagError(f"flag needs an argument: '{letter}' in -{letters}")
        _set(parsed, option, value)


def _set(parsed: Parsed, option: Option, text: str) -> None:
    name, kind = option[0], option[2]
    try:
        if kind in _LISTS:
            parsed.values.setdefault(name, []).extend(_LISTS[kind](text))
        elif kind == "stringToString":
            parsed.values.setdefault(name, {}).update(_pairs(text))
        elif kind == "choice":
            parsed.values[name] = _choice(option, text)
        else:
            parsed.values[name] = _SCALARS[kind](text)
    except ValueError as error:
        shown = f"-{option[1]}, --{name}" if option[1] else f"--{name}"
        raise FlagError(f"invalid argument {quote(text)} for {quote(shown)} flag: {error}") from None
    deprecated = extras(option).get("deprecated")
    if deprecated:
        parsed.warnings.append(f"Flag --{name} has been deprecated, {deprecated}")


# --- the grammars of values, as strconv and pflag have them ---

_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


def parse_bool(text: str) -> bool:
    """Go's strconv.ParseBool. Raises ValueError with its text."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f"strconv.ParseBool: parsing {quote(text)}: invalid syntax")


def _underscores_separate_digits(digits: str, prefixed: bool) -> bool:
    before = "0" if prefixed else "_"
    for char in digits:
        if char == "_" and before == "_":
            return False
        before = char
    return before != "_"


def _integer(text: str, bits: int, signed: bool) -> int:
    function = "strconv.ParseInt" if signed else "strconv.ParseUint"
    wrong = ValueError(f"{function}: parsing {quote(text)}: invalid syntax")
    digits = text
    negative = False
    if signed and digits[:1] in ("+", "-"):
        negative = digits[0] == "-"
        digits = digits[1:]
    base = {"0x": 16, "0o": 8, "0b": 2}.get(digits[:2].lower(), 10)
    if base != 10:
        digits, prefixed = digits[2:], True
    else:
        prefixed = len(digits) > 1 and digits[0] == "0"
        if prefixed:
            base = 8
    if not digits.isascii() or not digits.replace("_", "").isalnum():
        raise wrong
    if not _underscores_separate_digits(digits, prefixed):
        raise wrong
    try:
        value = int(digits.replace("_", ""), base)
    except ValueError:
        raise wrong from None
    value = -value if negative else value
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    if not low <= value <= high:
        raise ValueError(f"{function}: parsing {quote(text)}: value out of range")
    return value


def _float(text: str) -> float:
    wrong = f"strconv.ParseFloat: parsing {quote(text)}: invalid syntax"
    plain = text.lower().lstrip("+-")
    if not text.isascii() or text != text.strip() or len(text) - len(plain) > 1:
        raise ValueError(wrong)
    if plain.startswith("0x") and "p" not in plain:
        raise ValueError(wrong)
    try:
        value = float.fromhex(text) if plain.startswith("0x") else float(text)
    except (ValueError, OverflowError):
        raise ValueError(wrong) from None
    if value in (float("inf"), float("-inf")) and not plain.startswith("inf"):
        raise ValueError(f"strconv.ParseFloat: parsing {quote(text)}: value out of range")
    return value


_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}


def parse_duration(text: str) -> int:
    """Go's time.ParseDuration, in nanoseconds. Raises ValueError with its text."""
    wrong = f"time: invalid duration {quote(text)}"
    rest = text
    negative = rest[:1] == "-"
    if rest[:1] in ("+", "-"):
        rest = rest[1:]
    if rest == "0":
        return 0
    if not rest:
        raise ValueError(wrong)
    total = 0
    while rest:
        number = _span(rest, "0123456789.")
        if not number.strip(".") or number.count(".") > 1:
            raise ValueError(wrong)
        rest = rest[len(number) :]
        unit = _span(rest, "".join(char for char in rest if char not in "0123456789."))
        if not unit:
            raise ValueError(f"time: missing unit in duration {quote(text)}")
        if unit not in _UNITS:
            raise ValueError(f"time: unknown unit {quote(unit)} in duration {quote(text)}")
        rest = rest[len(unit) :]
        whole, _, fraction = number.partition(".")
        total += int(whole or "0") * _UNITS[unit]
        total += int(fraction or "0") * _UNITS[unit] // 10 ** len(fraction)
    if total >= 1 << 63:
        raise ValueError(wrong)
    return -total if negative else total


def _span(text: str, chars: str) -> str:
    end = 0
    while end < len(text) and text[end] in chars:
        end += 1
    return text[:end]


def split_csv(text: str) -> list[str]:
    """One CSV record as Go's encoding/csv reads it: `a,"b,c"` is two fields. Raises ValueError with its text."""
    if not text:
        return []
    if '"' not in text and "\n" not in text:
        return text.split(",")
    fields: list[str] = []
    at = 0
    while True:
        field, at = _csv_quoted(text, at + 1) if text[at : at + 1] == '"' else _csv_plain(text, at)
        fields.append(field)
        if at >= len(text) or text[at] == "\n":
            return fields
        at += 1


def _csv_plain(text: str, at: int) -> tuple[str, int]:
    end = at
    while end < len(text) and text[end] not in ",\n":
        if text[end] == '"':
            raise ValueError(f'parse error on line 1, column {end + 1}: bare " in non-quoted-field')
        end += 1
    return text[at:end], end


def _csv_quoted(text: str, at: int) -> tuple[str, int]:
    out: list[str] = []
    while at < len(text):
        if text[at] != '"':
            out.append(text[at])
        elif text[at + 1 : at + 2] == '"':
            out.append('"')
            at += 1
        elif text[at + 1 : at + 2] in ("", ",", "\n"):
            return "".join(out), at + 1
        else:
            raise ValueError(f'parse error on line 1, column {at + 1}: extraneous or missing " in quoted-field')
        at += 1
    raise ValueError(f'parse error on line 1, column {at + 1}: extraneous or missing " in quoted-field')


def _pairs(text: str) -> dict[str, str]:
    pairs = {}
    for field in split_csv(text) if text.count("=") > 1 else [text.strip('"')]:
        key, equals, value = field.partition("=")
        if not equals:
            raise ValueError(f"{field} must be formatted as key=value")
        pairs[key] = value
    return pairs


def _choice(option: Option, text: str) -> str:
    choices = extras(option)["choices"]
    if text not in choices:
        raise ValueError(f"{quote(text)} is not a valid value.  Choose from: {quote(', '.join(choices))}")
    return text


def _ip(text: str) -> str:
    from ipaddress import ip_address

    try:
        return str(ip_address(text.strip()))
    except ValueError:
        raise ValueError(f"failed to parse IP: {quote(text)}") from None


def _ip_field(text: str) -> str:
    from ipaddress import ip_address

    try:
        return str(ip_address(text.strip()))
    except ValueError:
        raise ValueError(f"invalid string being converted to IP address: {text.strip()}") from None


def _decimal(text: str, signed: bool) -> int:
    if not text.isascii() or not text.lstrip("+-" if signed else "").isdigit():
        function = "strconv.Atoi" if signed else "strconv.ParseUint"
        raise ValueError(f"{function}: parsing {quote(text)}: invalid syntax")
    return int(text)


_SCALARS: dict[str, Callable[[str], Any]] = {
    "bool": parse_bool,
    "string": str,
    "int": lambda text: _integer(text, 64, True),
    "int64": lambda text: _integer(text, 64, True),
    "int32": lambda text: _integer(text, 32, True),
    "uint": lambda text: _integer(text, 64, False),
    "uint64": lambda text: _integer(text, 64, False),
    "float64": _float,
    "duration": parse_duration,
    "ip": _ip,
}

_LISTS: dict[str, Callable[[str], list[Any]]] = {
    "stringArray": lambda text: [text],
    "stringSlice": split_csv,
    "uintSlice": lambda text: [_decimal(part, False) for part in text.split(",")],
    "intSlice": lambda text: [_decimal(part, True) for part in text.split(",")],
    "ipSlice": lambda text: [_ip_field(part) for part in split_csv(text.replace('"', ""))],
}
