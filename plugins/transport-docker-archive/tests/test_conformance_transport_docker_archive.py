"""The transport contract, clause by clause, against `docker-archive:`."""

import pytest

from sonata_core.context import PluginContext
from sonata_testkit.transport import TransportConformance
from sonata_transport_docker_archive.plugin import DockerArchiveTransport


class TestConformance(TransportConformance):
    @pytest.fixture
    def backend(self, plugin_context: PluginContext) -> DockerArchiveTransport:
        return DockerArchiveTransport(plugin_context)
