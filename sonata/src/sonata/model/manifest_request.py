"""What a door asks for when it works on lists of images: field names are options' long names."""

from sonata.model.image_request import PullOptions
from sonata.model.signing import Signing
from sonata_core.record import Record


class InstanceChanges(Record):
    """What is to be noted of one instance of a list; empty for what stays as it is. `annotation`: `KEY=VALUE`."""

    annotation: tuple[str, ...] = ()
    arch: str = ""
    features: tuple[str, ...] = ()
    os: str = ""
    os_features: tuple[str, ...] = ()
    os_version: str = ""
    variant: str = ""


class ListCreateRequest(Record):
    """`manifest create`: `images` as typed, with or without transport."""

    name: str
    images: tuple[str, ...] = ()
    all: bool = False
    amend: bool = False
    annotation: tuple[str, ...] = ()
    tls_verify: bool | None = None


class ListAddRequest(InstanceChanges):
    """`manifest add`: `images` as typed; with `artifact` the paths of files that become one artifact."""

    name: str
    images: tuple[str, ...]
    all: bool = False
    artifact: bool = False
    artifact_config: str = ""
    artifact_config_type: str = ""
    artifact_exclude_titles: bool = False
    artifact_layer_type: str = ""
    artifact_subject: str = ""
    artifact_type: str | None = None
    authfile: str = ""
    cert_dir: str = ""
    creds: str = ""
    tls_verify: bool | None = None


class ListAnnotateRequest(InstanceChanges):
    """`manifest annotate`: `instance` is a digest, an image or an artifact's file; empty with `index`."""

    name: str
    instance: str = ""
    index: bool = False
    subject: str = ""


class ListPushRequest(PullOptions):
    """`manifest push`: `destination` as typed. `format`: oci, v2s2, docker, or empty for as it is."""

    name: str
    destination: str
    add_compression: tuple[str, ...] | None = None
    """None: as the configuration says."""
    all: bool = True
    compression_format: str = ""
    compression_level: int | None = None
    force_compression: bool = False
    format: str = ""
    quiet: bool = False
    remove_signatures: bool = False
    rm: bool = False
    signing: Signing = Signing()
