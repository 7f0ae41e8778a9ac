"""What conmon has run when a container has ended."""

from __future__ import annotations

from sonata.engine.containers import present, rest
from sonata.plan.lifecycle import Phase
from sonata.state import containers as rows
from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine

_ENDED = (Phase.STOPPED, Phase.EXITED)


def cleanup(
    engine: Engine,
    container: str,
    *,
    remove: bool = False,
    image: bool = False,
    stopped_only: bool = False,
    patient: bool = True,
) -> None:
    """What conmon's exit command does when a container has ended: clean up, then restart or remove.

    With `remove`, and `image`, the image goes too that nothing else uses.
    A container that runs (again), or is gone, is left alone. Not `patient`: another process is started to wait
    until it is time to restart. Raises NotFound only for a name that never was.
    """
    try:
        row = rows.find(engine.database, container)
    except NotFound:
        return
    if row.state.phase == Phase.REMOVING:
        # A killed command was at it; a living one has the lock, and is left to it.
        from sonata.engine.containers.recovery import recover_one

        recover_one(engine, row.config.id)
        return
    with engine.locks.hold(row.config.id) as held:
        try:
            row = present.corrected(engine, rows.get(engine.database, row.config.id))
        except NotFound:
            engine.locks.forget(row.config.id)
            return
        if row.state.phase not in _ENDED and (stopped_only or row.state.phase != Phase.STOPPING):
            return
        ended = rest.finish(engine, row)
        if present.is_awaited(engine, ended):
            from sonata.engine.containers import restarting

            held.release()
            restarting.later(engine, ended) if not patient else restarting.when_due(engine, ended)
            return
        if remove or ended.config.auto_remove:
            from sonata.engine.containers.erasing import remove_ended, remove_image

            remove_ended(engine, ended, volumes=True)
            engine.locks.forget(ended.config.id)
            if image or ended.config.auto_remove_image:
                remove_image(engine, ended.config)
        held.release()
    if ended.config.pod:
        from sonata.engine.pods.ending import member_ended

        member_ended(engine, ended.config)
