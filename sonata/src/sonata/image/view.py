"""What `image inspect`, `history` and `images` show, derived from a stored manifest and config."""

from collections.abc import Mapping, Sequence

from sonata.image.config import parse as parse_config
from sonata.image.manifest import LegacyManifest, Manifest, parse
from sonata.model.image import HealthCheck, HistoryItem, ImageConfig
from sonata_core.errors import UsageError
from sonata_core.models.image import ManifestBytes
from sonata_core.naming import parse_name
from sonata_core.record import Record
from sonata_core.sdk.manifests import load_object

MISSING = "<missing>"


class ImageView(Record):
    """An image of the store as it is shown. `digests`: of all its manifests; `size` in bytes."""

    id: str
    names: tuple[str, ...]
    names_history: tuple[str, ...]
    digest: str
    digests: tuple[str, ...]
    media_type: str
    annotations: Mapping[str, str]
    config: ImageConfig
    size: int
    absent: frozenset[str] = frozenset()
    """`labels`, `history`: those of which the config says nothing, not even that there are none."""

    @property
    def repo_tags(self) -> tuple[str, ...]:
        """Its names that have a tag."""
        return tuple(name for name in self.names if "@" not in name)

    @property
    def repo_digests(self) -> tuple[str, ...]:
        """Each repository that it is named in, with each of its digests, sorted."""
        found: set[str] = set()
        for name in self.names:
            repository = _repository(name)
            for digest in self.digests or (self.digest,):
                if repository and digest:
                    found.add(f"{repository}@{digest}")
        return tuple(sorted(found))


class StoredImage(Record):
    """What the store keeps of an image, as far as showing it needs."""

    id: str
    manifest: ManifestBytes
    config: bytes
    names: tuple[str, ...] = ()
    names_history: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    size: int = 0


def view(image: StoredImage) -> ImageView:
    """Derive what is shown. Raises Damaged for a manifest or config that makes no sense."""
    document = parse(image.manifest)
    if isinstance(document, LegacyManifest) and not image.config:
        config = ImageConfig(architecture=document.architecture)
    else:
        config = parse_config(image.config)
    return ImageView(
        absent=absent(image.config),
        id=image.id,
        names=image.names,
        names_history=image.names_history,
        digest=image.manifest.digest,
        digests=image.digests,
        media_type=document.media_type,
        annotations=document.annotations if isinstance(document, Manifest) else {},
        config=config,
        size=image.size,
    )


def absent(config: bytes) -> frozenset[str]:
    """`labels`, `history`: those of which the config says nothing, not even that there are none."""
    raw = load_object(config, "image config") if config else {}
    inner = raw.get("config")
    given = {"labels": inner.get("Labels") if isinstance(inner, dict) else None, "history": raw.get("history")}
    return frozenset(key for key, value in given.items() if value is None)


def inspect(image: ImageView, graph_driver: Mapping[str, object] | None, parent: str = "") -> dict[str, object]:
    """The object of `image inspect`, with Podman's keys in Podman's order.

    `graph_driver`: `Name` and `Data`; `parent` is the id of the image that this one was built upon.
    """
    config = image.config
    shown: dict[str, object] = {
        "Id": image.id,
        "Digest": image.digest,
        "RepoTags": list(image.repo_tags),
        "RepoDigests": list(image.repo_digests),
        "Parent": parent,
        "Comment": _comment(image),
        "Created": config.created or None,
        "Config": container_config(config),
        "Version": config.docker_version,
        "Author": config.author,
        "Architecture": config.architecture,
        "Os": config.os,
        "Size": image.size,
        "VirtualSize": image.size,
        "GraphDriver": graph_driver,
        "RootFS": {"Type": "layers", "Layers": list(config.diff_ids)},
        "Labels": None if "labels" in image.absent else dict(sorted(config.labels.items())),
        "Annotations": dict(sorted(image.annotations.items())),
        "ManifestType": image.media_type,
        "User": config.user,
        "History": None if "history" in image.absent else [history_entry(item) for item in config.history],
        "NamesHistory": list(image.names_history) or None,
    }
    # OCI's config has none: Docker's alone is shown, as by Podman.
    if config.health_check is not None and ".docker." in image.media_type:
        shown["Healthcheck"] = health_check(config.health_check)
    return shown


def container_config(config: ImageConfig) -> dict[str, object]:
    """The `Config` object: what is empty is left out."""
    values: tuple[tuple[str, object], ...] = (
        ("User", config.user),
        ("ExposedPorts", {port: {} for port in config.exposed_ports}),
        ("Env", list(config.env)),
        ("Entrypoint", list(config.entrypoint or ())),
        ("Cmd", list(config.cmd or ())),
        ("Volumes", {path: {} for path in config.volumes}),
        ("WorkingDir", config.working_dir),
        ("Labels", dict(sorted(config.labels.items()))),
        ("StopSignal", config.stop_signal),
        ("ArgsEscaped", config.args_escaped),
    )
    return {key: value for key, value in values if value}


def health_check(check: HealthCheck) -> dict[str, object]:
    """Docker's health check object: what is empty is left out."""
    values: tuple[tuple[str, object], ...] = (
        ("Test", list(check.test)),
        ("StartPeriod", check.start_period),
        ("StartInterval", check.start_interval),
        ("Interval", check.interval),
        ("Timeout", check.timeout),
        ("Retries", check.retries),
    )
    return {key: value for key, value in values if value}


def history_entry(item: HistoryItem) -> dict[str, object]:
    """A step of the history as configs and `image inspect` write it: what is empty is left out."""
    values: tuple[tuple[str, object], ...] = (
        ("created", item.created),
        ("created_by", item.created_by),
        ("author", item.author),
        ("comment", item.comment),
        ("empty_layer", item.empty_layer),
    )
    return {key: value for key, value in values if value}


def _comment(image: ImageView) -> str:
    """Docker's configs have one. OCI's have none that counts: Podman shows that of the oldest step."""
    if ".oci." not in image.media_type:
        return image.config.comment
    return image.config.history[0].comment if image.config.history else ""


class LayerUse(Record):
    """A layer of the chain: its size in bytes, and the images whose top it is (`image_id` the nearest)."""

    size: int
    image_id: str = ""
    tags: tuple[str, ...] = ()


class HistoryRow(Record):
    """A row of `history`."""

    id: str
    created: str
    created_by: str
    size: int
    comment: str
    tags: tuple[str, ...]


def history(image: ImageView, layers: Sequence[LayerUse]) -> tuple[HistoryRow, ...]:
    """The steps of an image, newest first. `layers` is its chain, base first."""
    items = image.config.history
    at = len(layers) - 1
    rows: list[HistoryRow] = []
    used: set[str] = set()
    for item in reversed(items):
        layer = layers[at] if at >= 0 else LayerUse(size=0)
        row_id = layer.image_id if layer.image_id and layer.image_id not in used else ""
        used.add(row_id)
        rows.append(
            HistoryRow(
                id=row_id or (MISSING if rows else image.id),
                created=item.created,
                created_by=item.created_by,
                size=0 if item.empty_layer else layer.size,
                comment=item.comment,
                tags=layer.tags,
            )
        )
        if not item.empty_layer:
            at -= 1
    return tuple(rows)


def _repository(name: str) -> str:
    try:
        return parse_name(name).repository
    except UsageError:
        return ""
