"""Creating containers: a request is decided, written down, and given a writable layer."""

from __future__ import annotations

from sonata.engine.containers.decide import decide
from sonata.engine.containers.make import make
from sonata.engine.images.ensure import ensure, policy_named
from sonata.engine.images.facts import image_facts
from sonata.engine.system import pending
from sonata.model.materials import ImageFacts
from sonata.plan import network as plan_network
from sonata.plan import ports as plan_ports
from sonata.state.rows import ContainerRow
from sonata_core import interrupts, trace
from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.request import RunRequest
    from sonata.store.records import ImageRecord


def create(engine: Engine, request: RunRequest) -> ContainerRow:
    """Create a container: afterwards it is `created`, and nothing of it runs.

    Raises UsageError, NotFound (image, network, another container), AlreadyExists (its name), and
    what a pull raises. A failed create leaves nothing behind.
    """
    with interrupts.Shield():
        if request.pod or request.pod_id_file or request.init_ctr:
            from sonata.engine.pods import joining

            return joining.create_member(engine, request, _create)
        return _create(engine, request)


def _create(engine: Engine, request: RunRequest) -> ContainerRow:
    pending.recover(engine)
    if request.name:
        from sonata.engine.containers.abandoned import settle_owner

        settle_owner(engine, request.name)
    image: ImageRecord | None = None
    facts = ImageFacts()
    if not request.rootfs:
        policy = policy_named(request.pull, engine.config.engine.pull_policy)
        plan_ports.parse_all(request.publish)  # nobody should wait for a pull to be told of these
        plan_network.require_alike(request)
        with trace.span("image"), interrupts.Window():
            image, name = ensure(engine, request.image, policy, request)
            facts = image_facts(engine, image, name)
    with trace.span("plan"):
        config = decide(engine, request, facts)
    for notice in config.notices:
        engine.notify(notice)
    if request.replace_existing and request.name:
        _remove_named(engine, request.name)
    return make(engine, config, image)


def _remove_named(engine: Engine, name: str) -> None:
    from sonata.engine.containers.remove import remove

    try:
        remove(engine, name, force=True)
    except NotFound:
        return
