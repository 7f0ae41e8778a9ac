"""`pod prune`: pods that were started and of which nothing runs any more."""

from __future__ import annotations

from sonata.engine.pods.members import listed, members, status_of
from sonata.engine.pods.remove import remove
from sonata.engine.system import pending
from sonata.state import pods
from sonata_core.errors import NotFound, SonataError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine

_OVER = ("Exited", "Stopped")


def prune(engine: Engine) -> list[str]:
    """Remove them; their ids. One that cannot be removed stays, and that is logged."""
    pending.recover(engine)
    done = []
    for pod in pods.listed(engine.database):
        if status_of(listed(members(engine, pod))) not in _OVER:
            continue
        try:
            troubles = remove(engine, pod)
        except NotFound:
            continue
        except SonataError as error:
            troubles = [error]
        if troubles:
            engine.log.warning("pod_stays", pod=pod.id, error=troubles[0].message)
        else:
            done.append(pod.id)
    return done
