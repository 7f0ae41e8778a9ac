"""The hooks of a network backend. Clauses: docs/contract/net.md."""

from sonata_core.hookspecs.plugin import PluginHooks
from sonata_core.lite import TYPE_CHECKING, Protocol
from sonata_core.markers import hookspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata_core.models.net import (
        Attachment,
        AttachRequest,
        AttachResult,
        NetFact,
        NetFacts,
        NetMember,
        NetnsRef,
        NetPicture,
        NetworkDefinition,
        NetworkWish,
    )


class NetHooks(PluginHooks, Protocol):
    """A backend that connects network namespaces. It never makes or pins one."""

    @hookspec()
    def net_facts(self) -> "NetFacts":
        """N-10. Modes served and what they offer. Raises HostLacks when it cannot run on this host, with its reason."""

    @hookspec()
    def net_attach(self, netns: "NetnsRef", request: "AttachRequest") -> "AttachResult":
        """N-01, N-02, N-05, N-07, N-15. Connect the namespace; a second call with the same request changes nothing."""

    @hookspec()
    def net_detach(self, netns: "NetnsRef", request: "AttachRequest", attached: "AttachResult | None") -> None:
        """N-03, N-04, N-06, N-09, N-15. Take everything away again; works on half-built and on nothing."""


class NetManaged(Protocol):
    """Optional: named networks."""

    @hookspec()
    def net_plan(self, wish: "NetworkWish", existing: "tuple[NetworkDefinition, ...]") -> "NetworkDefinition":
        """N-08. Decide what the wish leaves open, colliding with nothing in `existing`. Pure.

        Raises UsageError, Conflict, Unsupported.
        """

    @hookspec()
    def net_forget(self, definition: "NetworkDefinition") -> None:
        """N-11. The network is removed: take away what may be left of it. Nothing left is success."""


class NetLive(Protocol):
    """Optional: changes to a connected namespace."""

    @hookspec()
    def net_connect(self, netns: "NetnsRef", request: "AttachRequest", attachment: "Attachment") -> "AttachResult":
        """N-12. Add one interface. `request` has the container's ports and the attachments that were there before."""

    @hookspec()
    def net_disconnect(self, netns: "NetnsRef", request: "AttachRequest", attachment: "Attachment") -> None:
        """N-12. Take one interface away; absent is success."""


class NetExplain(Protocol):
    """Optional: saying what attaching would do to the host's firewall."""

    @hookspec()
    def net_explain(self, request: "AttachRequest") -> "tuple[str, ...]":
        """N-14. The rules that `net_attach` has in place for this request, one a line, as one would type them. Pure."""


class NetNames(Protocol):
    """Optional: other servers for the names of a network whose containers run."""

    @hookspec()
    def net_forward(self, definition: "NetworkDefinition") -> None:
        """N-17. From now on `definition.dns_servers` are asked what the network's own names do not answer.

        A network without running containers has nothing to change: that is success.
        """


class NetReload(Protocol):
    """Optional: making good what a firewall flush destroyed."""

    @hookspec()
    def net_reload(self, netns: "NetnsRef", request: "AttachRequest", attached: "AttachResult") -> "AttachResult":
        """N-13. Make rules, addresses and DNS again, with the same addresses."""


class NetKeeper(Protocol):
    """Optional: named networks that lie in files of the backend's own, where other tools write theirs."""

    @hookspec()
    def net_known(self) -> "tuple[NetworkDefinition, ...]":
        """N-20. Every network of the backend's files, whoever wrote it. A file that makes no sense is passed over."""

    @hookspec()
    def net_keep(self, definition: "NetworkDefinition") -> "NetworkDefinition":
        """N-20. Write a planned network down; what it is known as from then on. `net_forget` takes it away again.

        Raises AlreadyExists for a name that is there, Denied.
        """

    @hookspec()
    def net_taken(self, definition: "NetworkDefinition") -> "Mapping[str, str]":
        """N-20. The network's addresses that are given away, each with its container: other tools' are among them."""


class NetReconcile(Protocol):
    """Optional: seeing what is not as attaching left it, and mending that alone. Since 1.3."""

    @hookspec()
    def net_picture(self, members: "tuple[NetMember, ...]", networks: "tuple[NetworkDefinition, ...]") -> "NetPicture":
        """N-18. What these containers and networks should have, and what they have. Changes nothing on the host.

        `networks` are all that the engine knows; what lies about of a network without members is found too.
        """

    @hookspec()
    def net_mend(
        self,
        members: "tuple[NetMember, ...]",
        picture: "NetPicture",
        missing: "tuple[NetFact, ...]",
        extra: "tuple[NetFact, ...]",
    ) -> "tuple[AttachResult, ...]":
        """N-19. Make what is missing, take away what is too much, touch nothing else. One result for each member."""
