"""`--cpu-profile FILE` and `--memory-profile FILE`: where a command's time and memory went.

The first is written as Python's `pstats` reads it, the second as text: the places that hold most, in bytes.
"""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

_PLACES = 100


class Profile:
    """`with Profile(cpu, memory):`; an empty path profiles nothing. A command that fails is written of too."""

    def __init__(self, cpu: str, memory: str) -> None:
        self._cpu = cpu
        self._memory = memory
        self._profiler: Any = None

    def __enter__(self) -> None:
        if self._memory:
            import tracemalloc

            tracemalloc.start()
        if self._cpu:
            import cProfile

            self._profiler = cProfile.Profile()
            self._profiler.enable()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._profiler is not None:
            self._profiler.disable()
            self._profiler.dump_stats(self._cpu)
        if self._memory:
            self._write_memory()

    def _write_memory(self) -> None:
        import tracemalloc

        held, most = tracemalloc.get_traced_memory()
        found = tracemalloc.take_snapshot().statistics("lineno")[:_PLACES]
        tracemalloc.stop()
        with open(self._memory, "w", encoding="utf-8") as out:
            out.write(f"held {held} bytes, {most} at most\n")
            out.writelines(f"{one.size:>10} {one.count:>7} {one.traceback[0]}\n" for one in found)
