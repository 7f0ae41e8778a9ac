"""The hook that every plugin has."""

from sonata_core.lite import TYPE_CHECKING, Protocol
from sonata_core.markers import hookspec

if TYPE_CHECKING:
    from sonata_core.models.plugin import PluginInfo


class PluginHooks(Protocol):
    """Every plugin, of any group."""

    @hookspec()
    def plugin_info(self) -> "PluginInfo":
        """P-01, P-02, P-03. Say who you are. Cheap: no program is run, no file read."""
