"""Manifests of every kind, and those that are refused."""

import base64
import hashlib
import json

import pytest

from sonata.image import config as image_config
from sonata.image.legacy_config import from_legacy
from sonata.image.manifest import Index, LegacyManifest, Manifest, check_matches, detect, parse_bytes
from sonata_core.errors import Damaged
from sonata_core.models.ids import Digest
from sonata_core.models.image import ManifestBytes
from sonata_core.models.media import (
    DOCKER_CONFIG,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    SCHEMA1,
    SCHEMA1_SIGNED,
)
from sonata_core.sdk.manifests import digest_of

D = "sha256:" + "a" * 64
E = "sha256:" + "b" * 64


def encode(value: object) -> bytes:
    return json.dumps(value).encode()


def oci(**more: object) -> dict[str, object]:
    config = {"mediaType": OCI_CONFIG, "digest": D, "size": 2}
    return {"schemaVersion": 2, "config": config, "layers": [{"mediaType": "x", "digest": E, "size": 3}], **more}


@pytest.mark.parametrize(
    ("document", "claimed", "found"),
    [
        (oci(), "", OCI_MANIFEST),
        (oci(mediaType=OCI_MANIFEST), "application/json", OCI_MANIFEST),
        (oci(), OCI_MANIFEST + "; charset=utf-8", OCI_MANIFEST),
        (oci(config={"mediaType": DOCKER_CONFIG, "digest": D, "size": 2}), "", DOCKER_MANIFEST),
        (oci(config={"mediaType": "application/x-artifact", "digest": D, "size": 2}), "", OCI_MANIFEST),
        ({"schemaVersion": 2, "manifests": [{"digest": D, "size": 1}]}, "", OCI_INDEX),
        ({"schemaVersion": 2, "manifests": [{"digest": D, "size": 1}]}, DOCKER_LIST, DOCKER_LIST),
        ({"schemaVersion": 2, "manifests": [], "mediaType": OCI_INDEX}, "", OCI_INDEX),
        ({"schemaVersion": 1}, "", SCHEMA1),
        ({"schemaVersion": 1, "signatures": [{}]}, SCHEMA1, SCHEMA1_SIGNED),
    ],
)
def test_kinds_are_detected(document: object, claimed: str, found: str) -> None:
    assert detect(encode(document), claimed) == found


@pytest.mark.parametrize(
    ("document", "claimed"),
    [
        ({"schemaVersion": 3}, ""),
        ({}, ""),
        ([], ""),
        (oci(manifests=[{"digest": D, "size": 1}]), ""),
        (oci(manifests=[]), ""),
        (oci(Manifests=[{"digest": D, "size": 1}]), OCI_MANIFEST),
        (oci(fsLayers=[]), ""),
        (oci(Layers=[]), ""),
        (oci(mediaType=OCI_MANIFEST), OCI_INDEX),
        (oci(mediaType=DOCKER_LIST), DOCKER_MANIFEST),
        (oci(), SCHEMA1),
        ({"schemaVersion": 2, "manifests": [{"digest": D, "size": 1}], "layers": []}, OCI_INDEX),
        ({"schemaVersion": 1, "fsLayers": [], "history": [], "config": {}}, ""),
        (oci(config=None), ""),
        (oci(config={"digest": D, "size": -1}), ""),
        (oci(config={"digest": D, "size": True}), ""),
        (oci(config={"digest": D, "size": "2"}), ""),
        (oci(config={"digest": D, "size": 1 << 70}), ""),
        (oci(config={"digest": "sha256:../../x", "size": 1}), ""),
        (oci(layers={}), ""),
        (oci(layers=[{"digest": D.upper(), "size": 1}]), ""),
        (oci(layers=[3]), ""),
        (oci(subject={"digest": "x", "size": 1}), ""),
        (oci(annotations={"a": 1}), ""),
        (oci(layers=[{"digest": D, "size": 1, "urls": [1]}]), ""),
    ],
)
def test_what_makes_no_sense_is_refused(document: object, claimed: str) -> None:
    with pytest.raises(Damaged):
        parse_bytes(encode(document), claimed)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[" * 1_000_000, b'{"schemaVersion": NaN}', b"x" * (5 << 20)]
)
def test_what_is_no_json_is_refused(content: bytes) -> None:
    with pytest.raises(Damaged):
        parse_bytes(content)


def test_values_are_read() -> None:
    manifest = parse_bytes(encode(oci(annotations={"a": "b"}, artifactType="t", subject={"digest": E, "size": 9})))
    assert isinstance(manifest, Manifest)
    assert manifest.is_image
    assert manifest.config.digest == D
    assert [layer.size for layer in manifest.layers] == [3]
    assert manifest.subject is not None
    assert manifest.subject.size == 9
    assert manifest.annotations == {"a": "b"}
    platform = {"os": "linux", "architecture": "arm", "variant": "v7", "os.version": "1", "os.features": ["f"]}
    entry = {"digest": D, "size": 1, "mediaType": OCI_MANIFEST, "platform": platform}
    index = parse_bytes(encode({"schemaVersion": 2, "manifests": [entry, {"digest": E, "size": 1}]}))
    assert isinstance(index, Index)
    assert index.manifests[0].platform is not None
    assert index.manifests[0].platform.variant == "v7"
    assert index.manifests[1].platform is None


def test_digest_is_over_the_exact_bytes() -> None:
    content = encode(oci())
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    assert digest_of(content) == digest
    manifest = ManifestBytes(media_type=OCI_MANIFEST, digest=Digest(digest), content=content)
    assert check_matches(manifest, digest) is manifest
    with pytest.raises(Damaged, match="digest mismatch"):
        check_matches(manifest, D)


def test_digest_of_signed_schema_1_is_that_of_the_payload() -> None:
    payload = b'{\n   "schemaVersion": 1,\n   "name": "x"\n}'
    header = {"formatLength": len(payload) - 2, "formatTail": base64.urlsafe_b64encode(b"\n}").decode().rstrip("=")}
    protected = base64.urlsafe_b64encode(encode(header)).decode().rstrip("=")
    signed = payload[:-2] + b',"signatures":[{"protected":"' + protected.encode() + b'"}]\n}'
    assert digest_of(signed) == "sha256:" + hashlib.sha256(payload).hexdigest()
    with pytest.raises(Damaged):
        digest_of(signed.replace(protected.encode(), b"!!!"))


def test_a_word_in_an_annotation_does_not_make_it_schema_1() -> None:
    content = encode(oci(annotations={"signatures": "x"}))
    assert digest_of(content) == "sha256:" + hashlib.sha256(content).hexdigest()


def v1(**values: object) -> dict[str, str]:
    return {"v1Compatibility": json.dumps(values)}


T2 = "2020-01-02T03:04:05.50Z"


def test_schema_1_is_turned_round() -> None:
    document = {
        "schemaVersion": 1,
        "architecture": "amd64",
        "fsLayers": [{"blobSum": E}, {"blobSum": D}],
        "history": [
            v1(id="2" * 64, parent="1" * 64, created=T2, throwaway=True, config={"Env": ["A=<b>"], "Cmd": []}, x=1.50),
            v1(id="1" * 64, container_config={"Cmd": ["/bin/sh", "-c", "x"]}),
        ],
    }
    manifest = parse_bytes(encode(document))
    assert isinstance(manifest, LegacyManifest)
    assert [layer.digest for layer in manifest.layers] == [D, E]
    assert [layer.digest for layer in manifest.real_layers] == [D]
    made = from_legacy(manifest, (D,))
    assert b'"config":{"Env":["A=\\u003cb\\u003e"],"Cmd":[]},"created":"2020-01-02T03:04:05.50Z","history":' in made
    config = image_config.parse(made)
    assert config.diff_ids == (D,)
    assert config.history[0].created_by == "/bin/sh -c x"
    assert config.history[0].created == "0001-01-01T00:00:00Z"
    assert config.history[1].empty_layer
    assert config.history[1].created == "2020-01-02T03:04:05.5Z"
    assert config.env == ("A=<b>",)


def test_schema_1_of_before_docker_1_8_3_is_said_anew() -> None:
    """As recorded from skopeo copy --format v2s2."""
    inner = {"Labels": {"b": "<", "a": ""}, "Env": ["A=b"], "Cmd": "sh", "Volumes": {"/v": {}, "/a": {}}, "More": 1}
    entry = v1(id="1" * 64, docker_version="1.7.1", created=T2, Size=0, config=inner, os="linux", checksum="x")
    manifest = parse_bytes(encode({"schemaVersion": 1, "fsLayers": [{"blobSum": E}], "history": [entry]}))
    assert isinstance(manifest, LegacyManifest)
    head = '"Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":false,"AttachStderr":false,'
    head += '"Tty":false,"OpenStdin":false,"StdinOnce":false,'
    config = '"Env":["A=b"],"Cmd":["sh"],"Image":"","Volumes":{"/a":{},"/v":{}},"WorkingDir":"","Entrypoint":null,'
    config += '"OnBuild":null,"Labels":{"a":"","b":"\\u003c"}'
    none = '"Env":null,"Cmd":null,"Image":"","Volumes":null,"WorkingDir":"","Entrypoint":null,"OnBuild":null,'
    moment = '"created":"2020-01-02T03:04:05.5Z"'
    assert from_legacy(manifest, (D,)).decode() == (
        f'{{"config":{{{head}{config}}},"container_config":{{{head}{none}"Labels":null}},{moment},'
        f'"docker_version":"1.7.1","history":[{{{moment}}}],"os":"linux",'
        f'"rootfs":{{"type":"layers","diff_ids":["{D}"]}}}}'
    )


@pytest.mark.parametrize(("entry", "told"), [({"id": "1" * 63}, "image ID"), ({"id": "1" * 64, "parent": "x"}, "base")])
def test_schema_1_with_ids_that_are_none_is_refused(entry: dict[str, object], told: str) -> None:
    document = {"schemaVersion": 1, "fsLayers": [{"blobSum": E}], "history": [v1(**entry)]}
    with pytest.raises(Damaged, match=told):
        parse_bytes(encode(document))


def test_schema_1_with_a_broken_chain_is_refused() -> None:
    document = {"schemaVersion": 1, "fsLayers": [{"blobSum": E}, {"blobSum": D}], "history": [v1(id="2"), v1(id="1")]}
    with pytest.raises(Damaged, match="parent"):
        parse_bytes(encode(document))
