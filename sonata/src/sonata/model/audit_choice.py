"""Which findings of `image audit` are wanted: checks by id or kind, and a list of those that are known and accepted."""

from sonata.model.audit_checks import CHECKS, KINDS, LEVELS
from sonata.model.image_audit import Finding
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable


def checks_named(words: "Iterable[str]", option: str, *, levels: bool = False) -> frozenset[str]:
    """The ids of checks that words name: ids, kinds, `any`, and with `levels` a severity with all above it.

    Raises UsageError.
    """
    found: set[str] = set()
    for word in words:
        if word in CHECKS:
            found.add(word)
        elif word == "any":
            found.update(CHECKS)
        elif levels and word in LEVELS:
            found.update(one.id for one in CHECKS.values() if LEVELS.index(one.level) >= LEVELS.index(word))
        elif word in KINDS:
            found.update(one.id for one in CHECKS.values() if one.kind == word)
        else:
            known = [*(("any", *LEVELS) if levels else ()), *KINDS]
            raise UsageError(
                f"--{option} {word}: there is no such check{', kind or severity' if levels else ' or kind'}",
                hint=f"{', '.join(known)}, or a check that docs/image-audit.md lists",
            )
    return frozenset(found)


class Accepted(Record):
    """A line of an ignore list. `check` and `path` are patterns of shells; `text` is the line as it was written."""

    check: str
    path: str
    text: str

    def takes(self, one: Finding) -> bool:
        """Whether a finding is meant."""
        from fnmatch import fnmatchcase

        return fnmatchcase(one.id, self.check) and fnmatchcase(one.path, self.path)


def parse_accepted(text: str, today: str) -> tuple[Accepted, ...]:
    """The lines of an ignore list: `CHECK [PATH] [until=YYYY-MM-DD] [# why]`.

    `today` is a date as ISO 8601 writes it; lines whose time has run out take nothing any more. Raises UsageError.
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        until = [word.removeprefix("until=") for word in words if word.startswith("until=")]
        words = [word for word in words if not word.startswith("until=")]
        if not words and not until:
            continue
        _check_line(words, until, number)
        if not until or until[0] >= today:
            path = words[1].lstrip("/") or "/" if len(words) > 1 else "*"
            found.append(Accepted(check=words[0], path=path, text=" ".join(words)))
    return tuple(found)


def _check_line(words: list[str], until: list[str], number: int) -> None:
    from fnmatch import fnmatchcase
    from re import fullmatch

    if not 1 <= len(words) <= 2 or len(until) > 1:
        raise UsageError(f"line {number} of the ignore list is not understood", hint="CHECK [PATH] [until=YYYY-MM-DD]")
    if not any(fnmatchcase(name, words[0]) for name in CHECKS):
        raise UsageError(f"line {number} of the ignore list: there is no check {words[0]}")
    if until and not fullmatch(r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])", until[0]):
        raise UsageError(f"line {number} of the ignore list: {until[0]} is no date", hint="until=2030-12-31")


class AuditRequest(Record):
    """What `image audit` is asked. `wanted` are ids of checks."""

    wanted: frozenset[str] = frozenset(CHECKS)
    accepted: tuple[Accepted, ...] = ()


class Sieve:
    """Keeps the findings that are wanted, so many of each check as are listed, and counts the others."""

    def __init__(self, request: AuditRequest, most: int) -> None:
        self._request = request
        self._most = most
        self._counts: dict[str, int] = {}
        self._used: set[Accepted] = set()
        self.kept: list[Finding] = []
        self.ignored = 0

    def add(self, found: "Iterable[Finding]") -> None:
        """Take what is wanted."""
        for one in found:
            if one.id not in self._request.wanted:
                continue
            taking = next((line for line in self._request.accepted if line.takes(one)), None)
            if taking is not None:
                self.ignored += 1
                self._used.add(taking)
                continue
            self._counts[one.id] = self._counts.get(one.id, 0) + 1
            if self._counts[one.id] <= self._most:
                self.kept.append(one)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The worst first."""
        return tuple(sorted(self.kept, key=lambda one: (-one.rank, one.id, one.path, one.layer)))

    @property
    def omitted(self) -> dict[str, int]:
        """How many of each check are not listed."""
        return {name: count - self._most for name, count in sorted(self._counts.items()) if count > self._most}

    @property
    def unused(self) -> tuple[str, ...]:
        """Lines of the ignore list that took nothing."""
        return tuple(line.text for line in self._request.accepted if line not in self._used)
