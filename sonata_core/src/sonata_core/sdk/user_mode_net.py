"""What user-mode network backends share: one process per container, found again by the namespace's path alone.

A backend names its program, parses the words of `--network`, and starts the process; recording it, finding, stopping,
picturing and mending are done here. Contract: docs/contract/net.md.
"""

from __future__ import annotations

import os

from sonata_core.errors import HostLacks, NotFound
from sonata_core.hookspecs.net import NetHooks, NetReconcile
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.markers import hookimpl
from sonata_core.models.process import Command
from sonata_core.sdk import helper_process
from sonata_core.sdk.folders import make_private
from sonata_core.sdk.hashes import sha256_hex
from sonata_core.sdk.program_facts import program_facts

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata_core.context import PluginContext
    from sonata_core.models.net import (
        AttachRequest,
        AttachResult,
        NetFact,
        NetMember,
        NetnsRef,
        NetPicture,
        NetworkDefinition,
    )
    from sonata_core.models.process import HelperProcess

TUN = "/dev/net/tun"


class UserModeNet(NetHooks, NetReconcile):
    """A backend that drives one program."""

    program = ""
    """Its name, which is the backend's and that of its mode."""
    absent = ""
    """What is said where it is not installed."""
    install = ""
    """How to install it."""
    version_word = 1
    """Which word of what `--version` prints is the version."""
    suffixes: tuple[str, ...] = ("json",)
    """The files that a running process has in the run folder; the record is the `json` one."""

    def __init__(self, context: PluginContext) -> None:
        """Raises HostLacks where the program is not installed."""
        path = context.find_program(self.program)
        if path is None:
            raise HostLacks(self.absent, self.install)
        self._context = context
        self._path = path

    @hookimpl
    def net_detach(self, netns: NetnsRef, request: AttachRequest, attached: AttachResult | None) -> None:
        """N-03, N-04, N-06. On return the process is gone, and with it every port and the interface."""
        files = self._files(netns)
        known = helper_process.load(files["json"])
        helpers = self._unrecorded(files) if known is None else [known[0]]
        helpers += [] if attached is None else [each for each in attached.helpers if each not in helpers]
        for helper in helpers:
            helper_process.stop(helper)
        _remove(files)

    @hookimpl
    def net_picture(self, members: tuple[NetMember, ...], networks: tuple[NetworkDefinition, ...]) -> NetPicture:
        """N-18. The process, the interface, its addresses and the default route."""
        from sonata_core.sdk import user_mode

        return user_mode.picture(members)

    @hookimpl
    def net_mend(
        self,
        members: tuple[NetMember, ...],
        picture: NetPicture,
        missing: tuple[NetFact, ...],
        extra: tuple[NetFact, ...],
    ) -> tuple[AttachResult, ...]:
        """N-19. Where the process is gone it is started again, with the same words."""
        from sonata_core.sdk import user_mode

        def again(member: NetMember) -> AttachResult:
            self.net_detach(netns=member.netns, request=member.request, attached=member.attached)
            return self.net_attach(netns=member.netns, request=member.request)

        return user_mode.mend(self._context, members, missing, again)

    def _need_tunnel(self) -> None:
        """Raises HostLacks where the tunnel device cannot be opened."""
        if not os.access(TUN, os.R_OK | os.W_OK):
            raise HostLacks(
                f"{self.program} needs {TUN}, which this user may not open",
                f"modprobe tun; chmod 0666 {TUN}" if os.path.exists(TUN) else "modprobe tun",
            )

    def _attached(
        self,
        netns: NetnsRef,
        asked: list[Any],
        start: Callable[[dict[str, str]], HelperProcess],
        result: Callable[[dict[str, str], HelperProcess, bool], AttachResult],
    ) -> AttachResult:
        """N-01, N-02, N-05. The process that runs for what is `asked`, or a new one in place of another that runs.

        `start` gets the names of the files; `result` those, the process, and whether it was started now. Where it
        raises, a new process is stopped. Raises NotFound for a namespace that is gone.
        """
        if not os.path.exists(netns.path):
            raise NotFound(f"{self.program}: network namespace {netns.path}: no such file")
        files = self._files(netns)
        known = helper_process.load(files["json"])
        if known is not None and helper_process.is_alive(known[0]):
            if known[1].get("asked") == asked:
                return result(files, known[0], False)
            helper_process.stop(known[0])
        _remove(files)
        make_private(self._context.run)
        helper = None
        try:
            helper = start(files)
            helper_process.save(files["json"], helper, asked=asked)
            return result(files, helper, True)
        except BaseException:
            for one in [helper] if helper else self._unrecorded(files):
                helper_process.stop(one)
            _remove(files)
            raise

    def _unrecorded(self, files: dict[str, str]) -> list[HelperProcess]:
        """Processes of whose start there are files, but no record yet."""
        return []

    def _files(self, netns: NetnsRef) -> dict[str, str]:
        """By their suffix: named after the namespace's path, which is all that a late detach knows."""
        stem = os.path.join(self._context.run, sha256_hex(netns.path.encode())[:16])
        return {suffix: f"{stem}.{suffix}" for suffix in self.suffixes}

    def _facts(self) -> dict[str, Any]:
        """`version` and `features` (long options) of the program. Raises HostLacks where it does not tell."""
        return program_facts(self._context.cache, self._path, self._ask)

    def _ask(self) -> dict[str, Any]:
        said = self._context.run_command(Command(argv=(self._path, "--help"), timeout=10.0))
        words = (said.stdout + b"\n" + said.stderr).decode(errors="replace").replace(",", " ").split()
        features = sorted({word.partition("=")[0] for word in words if word.startswith("--")})
        version = self._context.run_command(Command(argv=(self._path, "--version"), timeout=10.0))
        if version.code or not features:
            raise HostLacks(f"{self._path} does not say what it can do", self.install)
        told = version.stdout.decode(errors="replace").split()[self.version_word :]
        return {"version": told[0] if told else "", "features": features}


def _remove(files: dict[str, str]) -> None:
    """Absent is success. The record goes last, so that a kill in between leaves what finds the process."""
    for suffix in sorted(files, key=lambda suffix: suffix == "json"):
        helper_process.forget(files[suffix])
