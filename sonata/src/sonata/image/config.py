"""An image's config, read from its bytes (image-spec config.md, and Docker's additions)."""

from __future__ import annotations

from sonata.image.document import Fields
from sonata.model.image import HealthCheck, HistoryItem, ImageConfig
from sonata.model.times import go_time
from sonata_core.errors import Damaged
from sonata_core.naming import check_digest
from sonata_core.sdk.manifests import load_object


def parse(content: bytes) -> ImageConfig:
    """What a config's bytes say. Raises Damaged for anything malformed."""
    fields = Fields(load_object(content, "image config"), "image config")
    inner = fields.part("config") or Fields({}, "image config")
    history = tuple(_history(Fields(item, "history")) for item in fields.items("history"))
    return ImageConfig(
        os=fields.text("os") or "linux",
        architecture=fields.text("architecture"),
        variant=fields.text("variant"),
        os_version=fields.text("os.version"),
        os_features=fields.texts("os.features"),
        created=go_time(fields.text("created")),
        author=fields.text("author"),
        comment=fields.text("comment"),
        parent=fields.text("parent"),
        docker_version=fields.text("docker_version"),
        diff_ids=_diff_ids(fields),
        history=history,
    ).replace(**_inner(inner))


def _inner(fields: Fields) -> dict[str, object]:
    health = fields.part("Healthcheck")
    timeout = fields.value.get("StopTimeout")
    return {
        "user": fields.text("User"),
        "exposed_ports": fields.keys("ExposedPorts"),
        "env": fields.texts("Env"),
        "entrypoint": fields.optional_texts("Entrypoint"),
        "cmd": fields.optional_texts("Cmd"),
        "volumes": fields.keys("Volumes"),
        "working_dir": fields.text("WorkingDir"),
        "labels": fields.text_map("Labels"),
        "stop_signal": fields.text("StopSignal"),
        "stop_timeout": None if timeout is None else fields.whole("StopTimeout"),
        "args_escaped": fields.flag("ArgsEscaped"),
        "health_check": None if health is None else _health(health),
        "on_build": fields.texts("OnBuild"),
        "shell": fields.texts("Shell"),
        "hostname": fields.text("Hostname"),
        "domainname": fields.text("Domainname"),
    }


def _health(fields: Fields) -> HealthCheck:
    return HealthCheck(
        test=fields.texts("Test"),
        interval=fields.whole("Interval"),
        timeout=fields.whole("Timeout"),
        start_period=fields.whole("StartPeriod"),
        start_interval=fields.whole("StartInterval"),
        retries=fields.whole("Retries"),
    )


def _history(fields: Fields) -> HistoryItem:
    return HistoryItem(
        created=go_time(fields.text("created")),
        created_by=fields.text("created_by"),
        author=fields.text("author"),
        comment=fields.text("comment"),
        empty_layer=fields.flag("empty_layer"),
    )


def _diff_ids(fields: Fields) -> tuple[str, ...]:
    rootfs = fields.part("rootfs")
    if rootfs is None:
        return ()
    return tuple(check_digest(item) for item in rootfs.items("diff_ids"))


def check_layers(config: ImageConfig, layers: int) -> None:
    """Refuse a config that does not describe `layers` layers. Raises Damaged.

    Its history need not fit them: tools that make images without one step for each layer are many.
    """
    if len(config.diff_ids) != layers:
        raise Damaged(f"image config names {len(config.diff_ids)} diff IDs, its manifest {layers} layers")


def check_times(config: ImageConfig) -> None:
    """Refuse a config with a time that is none. Raises Damaged."""
    from sonata.model.times import nanoseconds

    for text in (config.created, *(item.created for item in config.history)):
        try:
            if text:
                nanoseconds(text)
        except ValueError as error:
            raise Damaged(f"parsing image configuration: parsing time {text[:64]!r}: {error}") from error
