"""The fakes keep the contract, so that tests built on them are honest."""

import pytest

from sonata_core.context import PluginContext
from sonata_testkit.fakes.net import FakeNet
from sonata_testkit.fakes.storage import FakeStorage
from sonata_testkit.fakes.transport import FakeTransport
from sonata_testkit.net import NetConformance
from sonata_testkit.storage import StorageConformance
from sonata_testkit.transport import TransportConformance


class TestFakeStorage(StorageConformance):
    @pytest.fixture
    def backend(self, plugin_context: PluginContext) -> FakeStorage:
        return FakeStorage(plugin_context)


class TestFakeTransport(TransportConformance):
    @pytest.fixture
    def backend(self, plugin_context: PluginContext) -> FakeTransport:
        return FakeTransport(plugin_context)


class TestFakeNet(NetConformance):
    @pytest.fixture
    def backend(self, plugin_context: PluginContext) -> FakeNet:
        return FakeNet(plugin_context)
