"""`top` with options of ps(1): the host's ps, in the container's namespaces of processes and users.

It is the host's, with the host's libraries and files: nothing of the container is run, nor read but its /proc. A
container with CAP_SYS_PTRACE could take hold of it, so such a one runs its own ps, as it does where the host has none;
it is what Podman does.
"""

from __future__ import annotations

import os

from sonata.engine.containers.captured import capture
from sonata.host import process
from sonata_core.errors import Conflict, ExternalFailure, ProcessRefused, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.process import Command

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.state.rows import ContainerRow

_LIMIT = 16 << 20
"""Bytes of a list of processes."""
_PTRACE = "CAP_SYS_PTRACE"


def lines(engine: Engine, row: ContainerRow, wanted: tuple[str, ...]) -> list[str]:
    """What ps wrote, without the line of that very ps. Raises UsageError, ExternalFailure, Conflict."""
    words = wanted
    if len(wanted) == 1:
        import shlex

        try:
            words = tuple(shlex.split(wanted[0]))
        except ValueError as error:
            raise UsageError(f"parsing ps args: {str(error).lower()}") from error
    programs = [engine.find_program(name) for name in ("nsenter", "unshare", "ps")]
    if _PTRACE in row.config.security.capabilities.bounding or None in programs:
        text = _own(engine, row, words)
    else:
        text = _hosts(engine, row, [name for name in programs if name], words)
    asked = " ".join(wanted)
    return [line for line in text.decode(errors="replace").splitlines() if asked not in line]


def _hosts(engine: Engine, row: ContainerRow, programs: list[str], words: tuple[str, ...]) -> bytes:
    nsenter, unshare, ps = programs
    names = ["pid"] if row.config.id_mapping is None else ["user", "pid"]
    held: list[int] = []
    try:
        for name in names:
            held.append(os.open(f"/proc/{row.state.pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC))
        if not process.alive(row.state.pid, row.state.pid_start):
            raise FileNotFoundError
        entered = [f"--{name}=/proc/self/fd/{handle}" for name, handle in zip(names, held, strict=True)]
        argv = (nsenter, *entered, "--", unshare, "--mount-proc", *_as_engine(row), "--", ps, *words)
        done = engine.run_command(Command(argv=argv, env={"PATH": engine.facts.path}, pass_fds=tuple(held)))
    except FileNotFoundError as error:
        raise Conflict(f"container {row.config.id} has ended meanwhile", hint="try again") from error
    finally:
        for handle in held:
            os.close(handle)
    if done.code:
        told = done.stderr.decode(errors="replace")
        raise ExternalFailure(f"ps(1) failed with exit code {done.code}: {told}")
    return bytes(done.stdout)


def _as_engine(row: ContainerRow) -> tuple[str, ...]:
    """Have ps be who the engine is: without -e it lists that user's processes, as those of `--userns keep-id` are."""
    mapping = row.config.id_mapping
    if mapping is None:
        return ()
    uid, gid = (
        next((part.container_id for part in parts if part.host_id == 0), 0) for parts in (mapping.uids, mapping.gids)
    )
    return (f"--setgid={gid}", f"--setuid={uid}") if uid else ()


def _own(engine: Engine, row: ContainerRow, words: tuple[str, ...]) -> bytes:
    try:
        done = capture(engine, row, ("ps", *words), limit=_LIMIT)
    except ProcessRefused as error:
        raise ExternalFailure(f"executing ps(1) in container: {error.message}", hint=error.hint) from error
    if done.code:
        told = done.err.decode(errors="replace")
        raise ExternalFailure(f"executing ps(1) in container: ps(1) failed with exit code {done.code}: {told}")
    return done.out
