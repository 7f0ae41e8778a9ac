"""Versions, and ranges of them, as tags of images have them (semver.org; ranges as Masterminds/semver reads them)."""

import re

from sonata_core.errors import UsageError

Version = tuple[int, int, int, str]

_VERSION = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")
_PART = re.compile(r"(=|!=|>=|<=|>|<|~|\^|)\s*v?(\d+|[xX*])(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?(?:-([0-9A-Za-z.-]+))?")


def version_of(tag: str) -> Version | None:
    """A tag as a version; None where it is none."""
    found = _VERSION.fullmatch(tag) if len(tag) <= 128 else None
    if found is None:
        return None
    major, minor, patch, before = found.groups()
    return int(major), int(minor or 0), int(patch or 0), before or ""


class Range:
    """`>= 1.2, < 2 || ~3.1`: what is joined by commas or spaces must all hold, of what `||` parts one.

    A version with a suffix (`-rc1`) is in the range only if the range names one too. Raises UsageError.
    """

    def __init__(self, text: str) -> None:
        self._any: list[list[tuple[str, list[int], str]]] = []
        for alternative in text.split("||"):
            parts = list(_PART.finditer(alternative))
            rest = _PART.sub("", alternative).replace(",", "").strip()
            if not parts or rest:
                raise UsageError(f"{text!r} is no range of versions", hint='such as ">= 1.2, < 2"')
            self._any.append([_part(found) for found in parts])

    def holds(self, version: Version) -> bool:
        """Whether a version is in the range."""
        return any(all(_within(part, version) for part in every) for every in self._any)


def _part(found: "re.Match[str]") -> tuple[str, list[int], str]:
    numbers = []
    for text in found.groups()[1:4]:
        if text is None or text in "xX*":
            break
        numbers.append(int(text))
    return found.group(1), numbers, found.group(5) or ""


def _key(version: Version) -> tuple[object, ...]:
    """Sorts versions; one with a suffix comes before the one without."""
    before = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in version[3].split("."))
    return (*version[:3], not version[3], before)


def _within(part: tuple[str, list[int], str], version: Version) -> bool:
    sign, numbers, before = part
    if version[3] and not before:
        return False
    if not numbers:
        return sign != "!="
    low = _whole(numbers, before)
    if sign == "~":
        return _key(low) <= _key(version) < _key(_next(numbers, min(len(numbers), 2)))
    if sign == "^":
        first = next((place for place, number in enumerate(numbers) if number), len(numbers) - 1)
        return _key(low) <= _key(version) < _key(_next(numbers, first + 1))
    high = _key(_next(numbers, len(numbers))) if len(numbers) < 3 else None
    return _compared(sign, _key(version), _key(low), high)


def _compared(sign: str, key: tuple[object, ...], low: tuple[object, ...], high: tuple[object, ...] | None) -> bool:
    """`high` is where what a shortened version stands for ends: 1.2 is every 1.2.x."""
    same = key == low if high is None else low <= key < high
    answers = {
        "": same,
        "=": same,
        "!=": not same,
        ">": key > low and not same,
        ">=": key >= low,
        "<": key < low,
        "<=": key <= low or same,
    }
    return answers[sign]


def _whole(numbers: list[int], before: str) -> Version:
    major, minor, patch = [*numbers, 0, 0][:3]
    return major, minor, patch, before


def _next(numbers: list[int], kept: int) -> Version:
    """The first version whose first `kept` numbers are greater."""
    return _whole([*numbers[: kept - 1], numbers[kept - 1] + 1], "")
