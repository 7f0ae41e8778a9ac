"""What a plugin says of itself."""

from sonata_core.record import Record


class PluginInfo(Record):
    """A plugin's own words. `contract` is such as `runtime/1.0`."""

    name: str
    version: str
    summary: str
    contract: str
