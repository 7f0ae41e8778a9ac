"""time.Time, as far as templates meet it."""

from __future__ import annotations

import time

from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_ZERO = -62135596800
_EPOCH_DAYS = 719468


class Time:
    """A moment: nanoseconds since 1970 (which may lie before it) and an offset in seconds with its name."""

    type_name = "time.Time"
    __slots__ = ("name", "nanoseconds", "offset")

    def __init__(self, nanoseconds: int, offset: int = 0, name: str = "UTC") -> None:
        self.nanoseconds = nanoseconds
        self.offset = offset
        self.name = name

    @classmethod
    def parse(cls, text: str) -> Time:
        """From RFC 3339, as JSON has it. Raises ValueError."""
        date, _, rest = text.replace("t", "T").partition("T")
        year, month, day = (int(part) for part in date.split("-"))
        offset, name = 0, "UTC"
        if rest.endswith(("Z", "z")):
            clock = rest[:-1]
        else:
            clock, zone = rest[:-6], rest[-6:]
            hours, minutes = zone[1:].split(":")
            offset = (int(hours) * 3600 + int(minutes) * 60) * (-1 if zone[0] == "-" else 1)
            name = zone.replace(":", "")
        hour, minute, second = clock.split(":")
        whole, _, part = second.partition(".")
        seconds = _days(year, month, day) * 86400 + int(hour) * 3600 + int(minute) * 60 + int(whole) - offset
        made = cls(seconds * 1_000_000_000 + int((part + "000000000")[:9]), offset, name)
        return made.local() if offset else made

    @classmethod
    def zero(cls) -> Time:
        """Go's zero time: the first of January of the year 1."""
        return cls(_ZERO * 1_000_000_000)

    def local(self) -> Time:
        """In this machine's zone."""
        seconds = self.nanoseconds // 1_000_000_000
        try:
            here = time.localtime(seconds)
        except (OverflowError, ValueError, OSError):
            return self
        if self.offset and here.tm_gmtoff != self.offset:
            return self
        return Time(self.nanoseconds, here.tm_gmtoff, here.tm_zone)

    def is_zero(self) -> bool:
        """Whether it is Go's zero time."""
        return self.nanoseconds == _ZERO * 1_000_000_000

    def parts(self) -> tuple[int, int, int, int, int, int, int, int]:
        """Year, month, day, hour, minute, second, weekday (Monday is 0), nanosecond."""
        seconds, nanosecond = divmod(self.nanoseconds, 1_000_000_000)
        days, clock = divmod(seconds + self.offset, 86400)
        year, month, day = _civil(days)
        return year, month, day, clock // 3600, clock // 60 % 60, clock % 60, (days + 3) % 7, nanosecond

    def __str__(self) -> str:
        year, month, day, hour, minute, second, _, nanosecond = self.parts()
        part = f".{nanosecond:09d}".rstrip("0") if nanosecond else ""
        zone = _zone(self.offset, "")
        clock = f"{hour:02d}:{minute:02d}:{second:02d}{part}"
        return f"{year:04d}-{month:02d}-{day:02d} {clock} {zone} {self.name}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Time) and self.nanoseconds == other.nanoseconds and self.offset == other.offset

    def __hash__(self) -> int:
        return hash(self.nanoseconds)

    def rfc3339(self) -> str:
        """As JSON has it."""
        return self.format("2006-01-02T15:04:05.999999999Z07:00")

    def format(self, layout: str) -> str:
        """By Go's reference time, Mon Jan 2 15:04:05 MST 2006."""
        made, rest = [], layout
        while rest:
            for mark, write in _MARKS:
                if rest.startswith(mark) and not (mark == "Jan" and rest.startswith("January")):
                    made.append(write(self))
                    rest = rest[len(mark) :]
                    break
            else:
                taken = _fraction(self, rest)
                made.append(taken[0])
                rest = rest[taken[1] :]
        return "".join(made)

    def methods(self) -> dict[str, Callable[..., Any]]:
        """What a template may call on it."""
        year, month, day, hour, minute, second, weekday, nanosecond = self.parts()
        return {
            "Day": lambda: day,
            "Format": self.format,
            "Hour": lambda: hour,
            "IsZero": self.is_zero,
            "Local": self.local,
            "Minute": lambda: minute,
            "Month": lambda: _MONTHS[month - 1],
            "Nanosecond": lambda: nanosecond,
            "Second": lambda: second,
            "String": lambda: str(self),
            "UTC": lambda: Time(self.nanoseconds),
            "Unix": lambda: self.nanoseconds // 1_000_000_000,
            "UnixNano": lambda: self.nanoseconds,
            "Weekday": lambda: _DAYS[weekday],
            "Year": lambda: year,
        }


def _fraction(moment: Time, rest: str) -> tuple[str, int]:
    """`.000` or `.999` as fraction, and how much of the layout that takes; else one character as it is."""
    if rest[0] in ".," and rest[1:2] in ("0", "9"):
        digits = len(rest[1:]) - len(rest[1:].lstrip(rest[1]))
        if not rest[1 + digits : 2 + digits].isdigit():
            part = f"{moment.parts()[7]:09d}"[:digits]
            part = part.rstrip("0") if rest[1] == "9" else part
            return (rest[0] + part if part else ""), 1 + digits
    return rest[0], 1


def _zone(offset: int, colon: str) -> str:
    sign = "-" if offset < 0 else "+"
    return f"{sign}{abs(offset) // 3600:02d}{colon}{abs(offset) // 60 % 60:02d}"


def _part(number: int, form: str) -> Callable[[Time], str]:
    return lambda moment: format(moment.parts()[number], form)


_MARKS: tuple[tuple[str, Callable[[Time], str]], ...] = (
    ("2006", _part(0, "04d")),
    ("January", lambda moment: _MONTHS[moment.parts()[1] - 1]),
    ("Jan", lambda moment: _MONTHS[moment.parts()[1] - 1][:3]),
    ("Monday", lambda moment: _DAYS[moment.parts()[6]]),
    ("Mon", lambda moment: _DAYS[moment.parts()[6]][:3]),
    ("MST", lambda moment: moment.name),
    ("01", _part(1, "02d")),
    ("02", _part(2, "02d")),
    ("03", lambda moment: f"{(moment.parts()[3] + 11) % 12 + 1:02d}"),
    ("04", _part(4, "02d")),
    ("05", _part(5, "02d")),
    ("06", lambda moment: f"{moment.parts()[0] % 100:02d}"),
    ("15", _part(3, "02d")),
    ("PM", lambda moment: "PM" if moment.parts()[3] >= 12 else "AM"),
    ("pm", lambda moment: "pm" if moment.parts()[3] >= 12 else "am"),
    ("Z07:00", lambda moment: _zone(moment.offset, ":") if moment.offset else "Z"),
    ("Z0700", lambda moment: _zone(moment.offset, "") if moment.offset else "Z"),
    ("-07:00", lambda moment: _zone(moment.offset, ":")),
    ("-0700", lambda moment: _zone(moment.offset, "")),
    ("-07", lambda moment: _zone(moment.offset, "")[:3]),
    ("_2", _part(2, "2d")),
    ("1", _part(1, "d")),
    ("2", _part(2, "d")),
    ("3", lambda moment: str((moment.parts()[3] + 11) % 12 + 1)),
    ("4", _part(4, "d")),
    ("5", _part(5, "d")),
)


def _days(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 in the proleptic Gregorian calendar."""
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - _EPOCH_DAYS


def _civil(days: int) -> tuple[int, int, int]:
    """Year, month and day of a number of days from 1970-01-01."""
    era, of_era = divmod(days + _EPOCH_DAYS, 146097)
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    return era * 400 + year + (month <= 2), month, day
