"""What planning needs to know of an image."""

from __future__ import annotations

from sonata.image import config as image_config
from sonata.model.container import Healthcheck
from sonata.model.materials import ImageFacts
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.image import HealthCheck, ImageConfig
    from sonata.store.records import ImageRecord


def read_config(engine: Engine, image: ImageRecord) -> ImageConfig:
    """The image's config. Raises Damaged, NotFound."""
    return image_config.parse(engine.store.image_data(image, f"sha256:{image.id}"))


def is_list(engine: Engine, image: ImageRecord) -> bool:
    """Whether it is a list of images for several platforms, which has no config of its own."""
    if image.layer is not None or f"sha256:{image.id}" in image.big_data:
        return False
    from sonata.image.manifest import Index, parse_bytes
    from sonata_core.errors import SonataError

    try:
        return isinstance(parse_bytes(engine.store.image_data(image, "manifest")), Index)
    except SonataError:
        return False


def image_facts(engine: Engine, image: ImageRecord, name: str) -> ImageFacts:
    """The facts of an image known as `name`."""
    config = read_config(engine, image)
    return ImageFacts(
        id=image.id,
        name=name,
        env=config.env,
        entrypoint=config.entrypoint or (),
        cmd=config.cmd or (),
        user=config.user,
        working_dir=config.working_dir,
        exposed_ports=config.exposed_ports,
        volumes=config.volumes,
        labels=config.labels,
        stop_signal=config.stop_signal,
        healthcheck=_health(config.health_check),
    )


def _health(check: HealthCheck | None) -> Healthcheck | None:
    if check is None or not check.test:
        return None
    given = {
        "interval": check.interval,
        "timeout": check.timeout,
        "start_period": check.start_period,
        "retries": check.retries,
    }
    return Healthcheck(test=check.test).replace(**{key: value for key, value in given.items() if value})
