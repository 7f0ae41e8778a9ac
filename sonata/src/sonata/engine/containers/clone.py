"""`container clone`: another container decided as the first one was, with a name of its own."""

from __future__ import annotations

from sonata.engine.containers import lookup, materials
from sonata.engine.containers.make import make
from sonata.engine.containers.update import given_limits, merged_limits
from sonata.engine.system import pending
from sonata.model.request import RunRequest
from sonata.plan import lifecycle
from sonata.plan.lifecycle import Phase, Verb
from sonata.plan.values import require_name
from sonata.state import containers as rows
from sonata_core import interrupts
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig
    from sonata.model.container_request import CloneRequest
    from sonata.store.records import ImageRecord


def clone(engine: Engine, container: str, request: CloneRequest, limits: RunRequest) -> str:
    """Make a container like another one, with those limits changed that were given; the new one's id.

    Its root filesystem is fresh; named and anonymous volumes are the original's, and what names one container
    alone (`--rm`, `--cidfile`, `--pidfile`) is left out. Raises NotFound, UsageError, AlreadyExists, Conflict.
    """
    if request.force and not request.destroy:
        raise UsageError("cannot set --force without --destroy: invalid argument")
    pending.recover(engine)
    row = lookup.load(engine, container)
    if request.destroy and not request.force:
        lifecycle.require(Phase(row.state.phase), Verb.REMOVE, row.config.id)
    config = copied(engine, row.config, request.name or free_name(engine, row.config.name))
    config = config.replace(resources=merged_limits(config.resources, given_limits(engine, config, limits)))
    if request.pod:
        from sonata.engine.pods.moving import into

        config = into(engine, config, request.pod)
    image: ImageRecord | None = None
    if not config.rootfs:
        image, name = _image(engine, config, request)
        config = config.replace(image=name, image_id=image.id)
    with interrupts.Shield():
        made = make(engine, config, image)
        if request.destroy:
            from sonata.engine.containers.remove import remove

            remove(engine, row.config.id, force=request.force)
        if request.run:
            from sonata.engine.containers.start import start

            start(engine, made.config.id)
    return made.config.id


def free_name(engine: Engine, name: str) -> str:
    """`NAME-clone`, or with the first number behind it that is free."""

    def taken(text: str) -> bool:
        return rows.name_owner(engine.database, text) is not None

    if "-clone" not in name and not taken(f"{name}-clone"):
        return f"{name}-clone"
    base = name[: name.index("-clone")] if "-clone" in name else name
    number = 1
    while taken(f"{base}-clone{number}"):
        number += 1
    return f"{base}-clone{number}"


def copied(engine: Engine, config: ContainerConfig, name: str) -> ContainerConfig:
    """The same container with an identity of its own."""
    require_name(name, "running container create option: ")
    fresh = materials.gather(engine, RunRequest(image=config.image, name=name))
    log = config.log.replace(path=config.log.path.replace(config.id, fresh.id))
    return config.replace(
        id=fresh.id,
        name=name,
        created=fresh.created,
        log=log,
        auto_remove=False,
        auto_remove_image=False,
        cid_file="",
        pid_file="",
        conmon_pid_file="",
    )


def _image(engine: Engine, config: ContainerConfig, request: CloneRequest) -> tuple[ImageRecord, str]:
    if request.image:
        from sonata.engine.images.ensure import ensure

        with interrupts.Window():
            return ensure(engine, request.image, "missing", RunRequest(image=request.image))
    image = image_of(engine, config)
    assert image is not None, "asked for containers with an image only"
    return image, config.image


def image_of(engine: Engine, config: ContainerConfig) -> ImageRecord | None:
    """The image that the container was made from; None for a root filesystem. Raises UsageError where it is gone."""
    if config.rootfs:
        return None
    image = engine.store.find_image(config.image_id)
    if image is None:
        raise UsageError(
            f"the image {config.image_id} of container {config.name} is not there",
            hint="name another one to clone with",
        )
    return image
