"""What killed commands left behind, of whatever kind. Looking for it is one query of a table that is mostly empty."""

from __future__ import annotations

from sonata.engine.containers.recovery import finish_container, recover_one
from sonata.state import intents
from sonata_core.errors import SonataError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata.engine.engine import Engine


def recover_pending(engine: Engine) -> list[str]:
    """Finish or take back everything that a killed command left; the ids that were dealt with.

    What a living command is at is left alone. Trouble with one does not stop the others: it is logged.
    """
    found = []
    for ident in dict.fromkeys(intent.id for intent in intents.pending(engine.database)):
        try:
            if recover_any(engine, ident):
                found.append(ident)
        except SonataError as error:
            engine.log.warning("recovery_failed", id=ident, error=error.message)
    return found


def recover_any(engine: Engine, ident: str) -> bool:
    """As `recover_one`, of a volume or a pod too."""
    return recover_one(engine, ident, _finish)


def _finish(engine: Engine, ident: str, begun: Mapping[str, intents.Intent]) -> None:
    if intents.VOLUME in begun:
        _forget_volume(engine, begun[intents.VOLUME])
    elif intents.POD in begun:
        from sonata.engine.pods.recover import finish

        finish(engine, ident)
    else:
        finish_container(engine, ident, begun)


def _forget_volume(engine: Engine, intent: intents.Intent) -> None:
    """A volume that was being made or removed: its folder goes unless its row says that it is whole."""
    from sonata.state import objects
    from sonata_core.sdk.trees import remove_tree

    name = str(intent.detail["name"])
    if objects.volume_named(engine.database, name) is None:
        if intent.detail.get("storage"):
            from sonata.engine import storage

            storage.delete_container(engine, str(intent.detail["storage"]))
        remove_tree(f"{engine.config.paths.volume_path}/{name}")
        engine.locks.forget(intent.id)
    intents.forget(engine.database, intent.id)
