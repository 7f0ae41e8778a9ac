"""The transport contract, clause by clause, against `docker:`: with the kit's registry and with Debian's."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sonata_core.context import PluginContext
from sonata_core.models.image import Credentials, Endpoint, ImageReference, TransportOptions
from sonata_testkit.clauses import not_run
from sonata_testkit.debian_registry import DebianRegistry, installed
from sonata_testkit.registry import FakeRegistry
from sonata_testkit.transport import TransportConformance
from sonata_transport_registry.plugin import RegistryTransport


class _Registry(TransportConformance):
    user = ""
    password = ""

    @pytest.fixture
    def backend(self, plugin_context: PluginContext) -> RegistryTransport:
        return RegistryTransport(plugin_context)

    @pytest.fixture(autouse=True)
    def lookaside(self, tmp_path: Path) -> None:
        self.beside = f"file://{tmp_path}/beside"

    @pytest.fixture
    def place_text(self, host: str) -> Callable[[str], str]:
        return lambda name: f"//{host}/kit/{name}:1"

    def options(self, reference: ImageReference) -> TransportOptions:
        allowed = Credentials(username=self.user, password=self.password) if self.user else None
        beside = f"{self.beside}/{reference.name.rpartition(':')[0].partition('/')[2]}"
        endpoint = Endpoint(
            reference=reference.name, insecure=True, credentials=allowed, lookaside=beside, attachments=True
        )
        return TransportOptions(endpoints=(endpoint,), retry_delay=0.01)


class TestFakeRegistry(_Registry):
    @pytest.fixture
    def host(self) -> Iterator[str]:
        with FakeRegistry() as registry:
            yield registry.host


class TestFakeRegistryWithReferrers(_Registry):
    @pytest.fixture
    def host(self) -> Iterator[str]:
        with FakeRegistry() as registry:
            registry.referrers_api = True
            yield registry.host


class TestFakeRegistryWithTokens(_Registry):
    user = "user"
    password = "secret"

    @pytest.fixture
    def host(self) -> Iterator[str]:
        with FakeRegistry(auth="bearer", user=self.user, password=self.password) as registry:
            yield registry.host


class TestDebianRegistry(_Registry):
    @pytest.fixture
    def host(self, tmp_path: Path) -> Iterator[str]:
        if not installed():
            not_run("needs docker-registry")
        with DebianRegistry(tmp_path / "registry") as registry:
            yield registry.host
