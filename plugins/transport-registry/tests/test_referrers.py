"""Referrers of manifests: by the API, page by page, and by the tag that stands in for it."""

import json

import pytest

from sonata_core.errors import RegistryFailure
from sonata_core.models.ids import Digest
from sonata_core.models.image import Endpoint, ManifestBytes, TransportOptions
from sonata_testkit.registry import OCI_MANIFEST, FakeRegistry, digest_of
from sonata_transport_registry.client import Client, Settings
from sonata_transport_registry.referrers import fallback_tag, list_referrers
from sonata_transport_registry.sink import RegistrySink

SUBJECT = Digest("sha256:" + "5" * 64)


@pytest.fixture
def registry():
    with FakeRegistry() as made:
        yield made


@pytest.fixture
def client_of():
    made = []

    def client(registry):
        name = f"{registry.host}/x:1"
        made.append(Client(Endpoint(reference=name, insecure=True), TransportOptions(retries=0), Settings()))
        return made[-1]

    yield client
    for one in made:
        one.close()


def referrer(number):
    content = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": f"t/{number}",
            "config": {"mediaType": "c", "digest": SUBJECT, "size": 2},
            "layers": [],
            "subject": {"mediaType": OCI_MANIFEST, "digest": SUBJECT, "size": 3},
        }
    ).encode()
    return ManifestBytes(media_type=OCI_MANIFEST, digest=Digest(digest_of(content)), content=content)


@pytest.mark.parametrize("api", [True, False])
def test_put_and_listed(registry, api, client_of):
    registry.referrers_api = api
    made = [referrer(number) for number in range(5)]
    with RegistrySink(client_of(registry)) as sink:
        for one in made:
            sink.put_manifest(one)
    found = list_referrers(client_of(registry), SUBJECT, "")
    assert {one.digest for one in found} == {one.digest for one in made}
    assert (fallback_tag(SUBJECT) in registry.manifests["x"]) is not api
    assert [one.digest for one in list_referrers(client_of(registry), SUBJECT, "t/3")] == [made[3].digest]


def test_what_others_listed_under_the_tag_stays(registry, client_of):
    other = {"mediaType": "m", "digest": "sha256:" + "6" * 64, "size": 7, "artifactType": "theirs", "x": "y"}
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [other]}
    registry.add_manifest("x", fallback_tag(SUBJECT), index["mediaType"], json.dumps(index).encode())
    with RegistrySink(client_of(registry)) as sink:
        sink.put_manifest(referrer(1))
    kept = json.loads(registry.manifests["x"][fallback_tag(SUBJECT)][1])
    assert kept["manifests"][0] == other
    assert len(kept["manifests"]) == 2


@pytest.mark.parametrize(
    "row",
    [
        7,
        {"mediaType": "m", "digest": "sha256:../../etc", "size": 1},
        {"mediaType": "m", "digest": SUBJECT, "size": -1},
        {"mediaType": "m", "digest": SUBJECT, "size": "1"},
        {"mediaType": ["m"], "digest": SUBJECT, "size": 1},
        {"mediaType": "m", "digest": SUBJECT, "size": 1, "annotations": {"a": 1}},
    ],
)
def test_nonsense_is_refused(registry, row, client_of):
    content = json.dumps({"schemaVersion": 2, "manifests": [row]}).encode()
    registry.add_manifest("x", fallback_tag(SUBJECT), "application/vnd.oci.image.index.v1+json", content)
    with pytest.raises(RegistryFailure, match=r"descriptor|digest"):
        list_referrers(client_of(registry), SUBJECT, "")


def test_a_registry_that_fails_has_not_none(registry, client_of):
    registry.trouble.broken = 100
    with pytest.raises(RegistryFailure):
        list_referrers(client_of(registry), SUBJECT, "")
