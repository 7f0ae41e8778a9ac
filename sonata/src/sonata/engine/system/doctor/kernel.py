"""What the kernel must be able to do: namespaces, overlay mounts, seccomp, terminals, devices."""

from __future__ import annotations

import os
import stat
import sys
from functools import partial

from sonata.engine.system.doctor.finding import Finding, error, note, warning
from sonata.host import kernel as k
from sonata.host.procfs import way_out
from sonata_core.errors import SonataError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.process import Command
from sonata_core.sdk import syscalls
from sonata_core.sdk.trees import remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sonata.host.kernel import Kernel
    from sonata_core.models.host import HostFacts

NAMESPACES = {
    "mount": syscalls.CLONE_NEWNS,
    "uts": 0x04000000,
    "ipc": 0x08000000,
    "pid": 0x20000000,
    "network": syscalls.CLONE_NEWNET,
    "cgroup": 0x02000000,
}
_USER = (
    "import ctypes, sys; library = ctypes.CDLL(None, use_errno=True); "
    "sys.exit(ctypes.get_errno() if library.unshare(0x10000000) else 0)"
)
_LIMITS = {"mount": "mnt", "network": "net"}
_OLDEST = (5, 4)

DEVICES = (
    ("/dev/null", 1, 3, "error"),
    ("/dev/zero", 1, 5, "error"),
    ("/dev/full", 1, 7, "error"),
    ("/dev/random", 1, 8, "error"),
    ("/dev/urandom", 1, 9, "error"),
    ("/dev/tty", 5, 0, "warning"),
    ("/dev/net/tun", 10, 200, "warning"),
    ("/dev/fuse", 10, 229, "note"),
)
"""Character devices: path, major and minor number, how bad it is when one is wrong."""


def namespaces(kernel: Kernel, rootless: bool) -> dict[str, str]:
    """Why each kind of namespace cannot be made; empty for those that can."""
    refused = {}
    for name, flag in {} if rootless else NAMESPACES.items():
        try:
            syscalls.in_thread(partial(kernel.unshare, flag))
        except OSError as trouble:
            refused[name] = trouble.strerror or str(trouble)
    from sonata.host.commands import run

    try:
        code = run(Command(argv=(sys.executable, "-I", "-S", "-c", _USER), timeout=10)).code
    except SonataError:
        code = 0
    if code > 0:
        refused["user"] = os.strerror(code)
    return refused


def check_namespaces(refused: dict[str, str], rootless: bool) -> Iterator[Finding]:
    """Findings for the kinds that were refused."""
    for name, reason in refused.items():
        kind = _LIMITS.get(name, name)
        if name == "user":
            make = error if rootless else warning
            yield make(
                "namespace-user",
                "no user namespace can be made: --userns and rootless containers cannot be used",
                f"unshare(CLONE_NEWUSER): {reason}",
                "sysctl -w user.max_user_namespaces=15000; "
                "test ! -e /proc/sys/kernel/unprivileged_userns_clone || sysctl -w kernel.unprivileged_userns_clone=1",
            )
        else:
            yield error(
                f"namespace-{name}",
                f"no {name} namespace can be made",
                f"unshare: {reason}",
                f"sysctl -w user.max_{kind}_namespaces=15000",
            )


def check_proc(covered: tuple[str, ...]) -> Iterator[Finding]:
    """`covered`: what is mounted over parts of /proc, as in a container of another engine."""
    if covered:
        yield error(
            "proc-covered",
            "no container can have a /proc of its own: parts of this host's are covered",
            f"/proc/self/mountinfo: {', '.join(covered[:4])}",
            way_out(covered),
        )


def overlay_trouble(kernel: Kernel, folder: str) -> str:
    """Mount an overlay below `folder` for a moment, in a mount namespace of its own; why not, or empty."""
    home = f"{folder}/.sonata-doctor-{os.getpid()}"

    def attempt() -> None:
        kernel.unshare(syscalls.CLONE_NEWNS)
        kernel.mount("", "/", "", k.MS_REC | k.MS_PRIVATE, "")
        data = f"lowerdir={home}/l,upperdir={home}/u,workdir={home}/w"
        kernel.mount("overlay", f"{home}/m", "overlay", 0, data)
        with open(f"{home}/m/x", "w", encoding="ascii"):
            pass
        kernel.umount(f"{home}/m", k.MNT_DETACH)

    try:
        for name in ("l", "u", "w", "m"):
            os.makedirs(f"{home}/{name}", 0o700)
        syscalls.in_thread(attempt)
    except OSError as trouble:
        return trouble.strerror or str(trouble)
    finally:
        try:
            remove_tree(home)
        except OSError:
            pass
    return ""


def check_overlay(folder: str, trouble: str, wanted: bool) -> Iterator[Finding]:
    """`wanted`: the overlay driver is what this store uses."""
    if trouble:
        make = error if wanted else warning
        yield make(
            "overlay",
            "the overlay file system cannot be mounted where images are kept",
            f"mount -t overlay below {folder}: {trouble}",
            "modprobe overlay, put graphroot on ext4, xfs or btrfs, or use --storage-driver vfs",
        )


def check_devices(rows: tuple[tuple[str, int, int, str], ...] = DEVICES, rootless: bool = False) -> Iterator[Finding]:
    """Devices that are missing, of another kind, or closed to users."""
    for path, major, minor, severity in rows:
        trouble = _device_trouble(path, major, minor)
        if not trouble or (severity == "note" and not rootless):
            continue
        make = {"error": error, "warning": warning, "note": note}[severity]
        feature = {
            "/dev/net/tun": "slirp4netns and pasta networks cannot be used",
            "/dev/fuse": "fuse-overlayfs cannot be used",
        }.get(path, "programs on the host and in containers will fail")
        name = path.removeprefix("/dev/").replace("/", "-")
        yield make(
            f"device-{name}",
            f"{path} is not as it must be: {feature}",
            trouble,
            f"rm -f {path}; mkdir -p {os.path.dirname(path)}; mknod -m 666 {path} c {major} {minor}",
        )


def _device_trouble(path: str, major: int, minor: int) -> str:
    try:
        seen = os.stat(path)
    except OSError as trouble:
        return f"{path}: {trouble.strerror}"
    if not stat.S_ISCHR(seen.st_mode):
        return f"{path} is no character device"
    if (os.major(seen.st_rdev), os.minor(seen.st_rdev)) != (major, minor):
        return f"{path} is {os.major(seen.st_rdev)}:{os.minor(seen.st_rdev)} and not {major}:{minor}"
    if major == 1 and seen.st_mode & 0o666 != 0o666:
        return f"{path} has mode {stat.S_IMODE(seen.st_mode):o} and not 666"
    return ""


def check_terminals() -> Iterator[Finding]:
    """Whether a terminal can be made, for `-t`."""
    try:
        for handle in os.openpty():
            os.close(handle)
    except OSError as trouble:
        yield warning(
            "terminals",
            "no terminal can be made: -t cannot be used",
            f"openpty: {trouble.strerror}",
            "mkdir -p /dev/pts && mount -t devpts devpts /dev/pts && ln -sf pts/ptmx /dev/ptmx",
        )


def check_release(facts: HostFacts) -> Iterator[Finding]:
    """Whether the kernel is new enough."""
    numbers = [int(part) for part in facts.kernel.replace("-", ".").split(".")[:2] if part.isdigit()]
    if tuple(numbers) < _OLDEST:
        yield error(
            "kernel",
            "the kernel is too old",
            f"Linux {facts.kernel}; 5.4 brought what Sonata needs",
            "apt-get dist-upgrade && reboot",
        )


def check_seccomp(actions: str | None, profile: str) -> Iterator[Finding]:
    """`actions`: what /proc/sys/kernel/seccomp/actions_avail says, None where there is no such file."""
    if actions is None:
        yield error(
            "seccomp",
            "the kernel has no seccomp filters: runtimes refuse the default profile",
            "/proc/sys/kernel/seccomp/actions_avail is absent",
            "boot a kernel with CONFIG_SECCOMP_FILTER=y, or run with --security-opt seccomp=unconfined",
        )
    elif "errno" not in actions.split():
        yield warning("seccomp", "seccomp lacks the action errno", f"actions_avail: {actions}", "boot a newer kernel")
    if profile and not os.access(profile, os.R_OK):
        yield error("seccomp-profile", "the seccomp profile cannot be read", profile, f"chmod a+r {profile}")


def read(path: str) -> str | None:
    """A small file of the kernel's, or None."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return None
