"""Times as Go programs write them, without `datetime`."""

ZERO = "0001-01-01T00:00:00Z"
"""How Go writes a time that never was."""

ZERO_SECONDS = -62135596800
"""The same in seconds since the epoch."""


def nanoseconds(text: str) -> int:
    """RFC 3339 to nanoseconds since the epoch. Raises ValueError."""
    if len(text) < 20 or text[4] + text[7] + text[13] + text[16] != "--::" or text[10] not in "Tt ":
        raise ValueError(f"{text!r} is not a time")
    rest = text[19:]
    fraction = 0
    if rest[0] == ".":
        digits = rest[1:].rstrip("Zz").split("+")[0].split("-")[0]
        fraction = int((digits + "0" * 9)[:9])
        rest = rest[1 + len(digits) :]
    offset = 0
    if rest not in ("Z", "z"):
        if len(rest) != 6 or rest[0] not in "+-" or rest[3] != ":":
            raise ValueError(f"{text!r} is not a time")
        offset = (int(rest[1:3]) * 60 + int(rest[4:6])) * (-60 if rest[0] == "-" else 60)
    days = _days(int(text[0:4]), int(text[5:7]), int(text[8:10]))
    seconds = days * 86400 + int(text[11:13]) * 3600 + int(text[14:16]) * 60 + int(text[17:19]) - offset
    return seconds * 10**9 + fraction


def go_time(text: str) -> str:
    """A time of RFC 3339 as Go's RFC3339Nano writes it again; what is no time stays as it is."""
    try:
        nanoseconds(text)
    except ValueError:
        return text
    fraction, zone = "", text[19:]
    if zone[0] == ".":
        digits = zone[1:].rstrip("Zz").split("+")[0].split("-")[0]
        fraction, zone = digits[:9].rstrip("0"), zone[1 + len(digits) :]
    zone = "Z" if zone in ("+00:00", "-00:00") else zone
    return text[:19] + (f".{fraction}" if fraction else "") + zone


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the Gregorian calendar (Hinnant's days_from_civil)."""
    if not (1 <= month <= 12 and 1 <= day <= 31):
        raise ValueError(f"{year}-{month}-{day} is not a date")
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


def rfc3339(moment: int) -> str:
    """Nanoseconds since the epoch as RFC 3339 in UTC, as Go's RFC3339Nano writes it; 0 is the time that never was."""
    if not moment:
        return ZERO
    from time import gmtime, strftime

    seconds, fraction = divmod(moment, 10**9)
    text = strftime("%Y-%m-%dT%H:%M:%S", gmtime(seconds))
    return text + (f".{fraction:09}".rstrip("0") if fraction else "") + "Z"
