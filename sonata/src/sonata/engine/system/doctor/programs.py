"""Helper programs: which are there, and which are too old or known to be broken."""

from __future__ import annotations

from sonata.engine.system.doctor.finding import Finding, error, note, warning
from sonata_core.errors import SonataError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.process import Command
from sonata_core.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sonata_core.models.process import CommandResult

Version = tuple[int, ...]


class Program(Record):
    """A helper. `oldest`: the first version that works; `feature`: what cannot be used without it."""

    name: str
    package: str
    feature: str
    severity: str = "warning"
    oldest: Version = ()
    option: str = "--version"
    rootless: bool = False
    """Only ordinary users need it."""


PROGRAMS = (
    Program(name="conmon", package="conmon", feature="no container can be run", severity="error", oldest=(2, 0, 24)),
    Program(name="crun", package="crun", feature="the runtime crun cannot be used", severity="runtime", oldest=(1, 5)),
    Program(name="runc", package="runc", feature="the runtime runc cannot be used", severity="runtime", oldest=(1, 1)),
    Program(name="netavark", package="netavark", feature="bridge networks cannot be used", oldest=(1, 2)),
    Program(name="aardvark-dns", package="aardvark-dns", feature="containers cannot find each other by name"),
    Program(name="slirp4netns", package="slirp4netns", feature="--network slirp4netns cannot be used", severity="note"),
    Program(name="catatonit", package="catatonit", feature="--init and pods cannot be used", severity="note"),
    Program(name="gpg", package="gpg", feature="signatures of images cannot be made or checked", severity="note"),
    Program(name="pasta", package="passt", feature="--network pasta cannot be used", rootless=True),
)


class Found(Record):
    """A program on this host. `text` is what it says of its version; `trouble` why it says nothing."""

    program: Program
    path: str = ""
    version: Version = ()
    text: str = ""
    trouble: str = ""


def probe(
    program: Program, find: Callable[[str], str | None], run: Callable[[Command], CommandResult], path: str = ""
) -> Found:
    """Look for it, and ask it for its version. `path` where configuration names one."""
    found = path or find(program.name)
    if not found:
        return Found(program=program)
    if not program.option:
        return Found(program=program, path=found)
    try:
        result = run(Command(argv=(found, program.option), timeout=10.0))
    except SonataError as failure:
        return Found(program=program, path=found, trouble=failure.message)
    text = (result.stdout or result.stderr).decode("utf-8", "replace")
    if result.code:
        return Found(program=program, path=found, trouble=f"{program.option}: exit code {result.code}: {text[:200]}")
    return Found(program=program, path=found, version=version_in(text), text=text.strip().split("\n")[0])


def version_in(text: str) -> Version:
    """The first number with a point in it: `crun version 1.8.1` is (1, 8, 1)."""
    for word in text.replace(",", " ").split():
        parts = word.lstrip("v").split("+")[0].split("-")[0].split("~")[0].split(".")
        if len(parts) > 1 and all(part.isdigit() for part in parts):
            return tuple(int(part) for part in parts)
    return ()


def check(found: Found, rootless: bool) -> Iterator[Finding]:
    """What is wrong with one program."""
    program = found.program
    if program.rootless and not rootless:
        return
    make = {"error": error, "warning": warning, "note": note, "runtime": note}[program.severity]
    install = f"apt-get install {program.package}"
    if not found.path:
        yield make(
            f"program-{program.name}",
            f"{program.name} is missing: {program.feature}",
            f"no {program.name} in the helper folders or in PATH",
            install,
        )
    elif found.trouble:
        yield make(
            f"program-{program.name}",
            f"{program.name} cannot be run: {program.feature}",
            f"{found.path}: {found.trouble}",
            f"apt-get install --reinstall {program.package}",
        )
    elif program.oldest and found.version and found.version < program.oldest:
        wanted = ".".join(str(part) for part in program.oldest)
        yield make(
            f"program-{program.name}-old",
            f"{program.name} is older than {wanted}: {program.feature}",
            f"{found.path}: {found.text}",
            f"apt-get install --only-upgrade {program.package}",
        )
