"""A host of each worker's own, so that tests of two workers do not meet.

Workers of one run (`pytest -n 2`) share a machine that has one network, one /run, one /dev/shm. As root, each of them
gets its own: links, firewall rules, names of namespaces, locks of other tools, states of runtimes. Processes, control
groups and /tmp stay the machine's; what tests leave there has names of their own.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWNET = 0x40000000
SETUP = (
    ["mount", "--make-rprivate", "/"],
    ["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"],
    ["mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", "/dev/shm"],
    ["mkdir", "-m", "1777", "/run/lock"],
    ["mkdir", "/run/netns"],
)
LINKS = (
    ["ip", "link", "set", "lo", "up"],
    ["ip", "link", "add", "uplink", "type", "bridge"],
    ["ip", "address", "add", "192.0.2.2/24", "dev", "uplink"],
    ["ip", "link", "set", "uplink", "up"],
    ["ip", "route", "add", "default", "via", "192.0.2.1"],
)
"""An uplink that leads nowhere: pasta and slirp4netns copy its address and route. What the kernel lacks, tests skip."""


class WorkerHost:
    """`enter` it once, from the thread that runs the tests."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)

    def enter(self) -> bool:
        """Give this thread, and all that it starts from now on, a host of their own; whether that is possible here."""
        if shutil.which("ip") is None:
            return False
        self._machine = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        if self._libc.unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET):
            os.close(self._machine)
            return False
        self._own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        resolver = Path("/etc/resolv.conf")
        servers = resolver.read_text() if resolver.exists() else ""
        for argv in SETUP:
            subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
        for argv in LINKS:
            subprocess.run(argv, check=False, stdin=subprocess.DEVNULL)
        if servers and not resolver.exists():  # it is a link into /run
            resolver.resolve().parent.mkdir(parents=True)
            resolver.resolve().write_text(servers)
        return True

    @contextlib.contextmanager
    def outside(self) -> Iterator[None]:
        """On the machine's network: for what asks a package index."""
        self._join(self._machine)
        try:
            yield
        finally:
            self._join(self._own)

    def _join(self, netns: int) -> None:
        if self._libc.setns(netns, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
