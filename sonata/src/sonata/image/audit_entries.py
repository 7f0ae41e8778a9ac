"""What `image audit` says of one member of a layer by its header: bits, capabilities, devices, links."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.host import CAPABILITIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sonata.image.layers.tarread import Entry

LINK, SYMLINK, CHAR, BLOCK, FOLDER, FIFO, GLOBAL = b"123456g"
_CAPABILITY = b"security.capability"
_PLACES = (b"bin/", b"sbin/", b"lib", b"usr/bin/", b"usr/sbin/", b"usr/lib", b"libexec/")
_SYSTEM = (b"bin", b"sbin", b"lib", b"lib32", b"lib64", b"libx32", b"usr", b"etc", b"boot")

# fmt: off
_SETUID = frozenset((
    b"su", b"sudo", b"sudoedit", b"doas", b"mount", b"umount", b"passwd", b"chsh", b"chfn", b"chage", b"expiry",
    b"newgrp", b"sg", b"gpasswd", b"pkexec", b"newuidmap", b"newgidmap", b"fusermount", b"fusermount3", b"ping",
    b"ping6", b"unix_chkpwd", b"unix2_chkpwd", b"pam_timestamp_check", b"userhelper", b"usernetctl", b"at", b"crontab",
    b"polkit-agent-helper-1", b"dbus-daemon-launch-helper", b"ssh-keysign", b"bbsuid", b"mount.nfs", b"mount.cifs",
    b"umount.nfs", b"exim4", b"chkpwd", b"grub2-set-bootflag", b"Xorg.wrap", b"ntfs-3g", b"vlock-main",
))
_SETGID = frozenset((
    b"chage", b"expiry", b"ssh-agent", b"unix_chkpwd", b"wall", b"write", b"bsd-write", b"crontab", b"at", b"locate",
    b"plocate", b"mlocate", b"slocate", b"utempter", b"dotlockfile", b"mail-lock", b"mail-unlock", b"mail-touchlock",
    b"postdrop", b"postqueue", b"ssh-keysign", b"netreport", b"lockfile", b"screen", b"write.ul", b"procmail",
    b"pam_extrausers_chkpwd", b"newuidmap", b"newgidmap",
))
_GIVEN = {
    b"ping": ("net_raw", "net_admin"), b"ping6": ("net_raw", "net_admin"), b"arping": ("net_raw",),
    b"fping": ("net_raw",), b"clockdiff": ("net_raw", "sys_nice"), b"mtr-packet": ("net_raw",),
    b"traceroute6.iputils": ("net_raw",), b"newuidmap": ("setuid",), b"newgidmap": ("setgid",),
    b"dumpcap": ("net_raw", "net_admin"), b"gst-ptp-helper": ("net_bind_service", "net_admin", "sys_nice"),
    b"rcp": ("net_bind_service",), b"rlogin": ("net_bind_service",), b"rsh": ("net_bind_service",),
    b"suexec": ("setuid", "setgid"),
}
_POWERFUL = frozenset((
    "chown", "dac_override", "dac_read_search", "fowner", "setgid", "setuid", "setpcap", "sys_module", "sys_rawio",
    "sys_ptrace", "sys_admin", "sys_boot", "mknod", "setfcap", "mac_override", "mac_admin", "bpf",
))
_DEVICES = frozenset(((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2)))
_MEMORY = frozenset(((1, 1), (1, 2), (1, 4)))
# fmt: on


def of_entry(entry: Entry, path: bytes) -> Iterator[tuple[str, str]]:
    """Ids of checks, and details. `path` is the cleaned name, empty for the root."""
    mode = entry.mode & 0o7777
    kind = entry.kind
    if b".." in entry.name and climbs_out(b"", entry.name):
        yield "name-above-root", f"written as {shown(entry.name)}"
    if kind in (CHAR, BLOCK):
        yield _device(entry, mode)
    elif kind == SYMLINK:
        yield from _symlink(entry, path)
    elif kind == LINK:
        if b".." in entry.link and climbs_out(b"", entry.link):
            yield "name-above-root", f"hard link to {shown(entry.link)}"
    elif kind == FOLDER:
        if mode & 0o1002 == 0o0002:
            which = "system" if _is_system(path) else "folder"
            yield f"world-writable-{which}", f"folder, mode {mode:04o}, no sticky bit"
    elif kind != FIFO:
        yield from _file(entry, path, mode)


def _device(entry: Entry, mode: int) -> tuple[str, str]:
    number = (entry.major, entry.minor)
    if entry.kind == BLOCK:
        return "device-block", f"block device {entry.major}:{entry.minor}, mode {mode:04o}"
    detail = f"character device {entry.major}:{entry.minor}, mode {mode:04o}"
    if number in _MEMORY:
        return "device-block", detail
    if number == (0, 0):
        return "device-whiteout", detail
    return ("device-usual" if number in _DEVICES else "device-unusual"), detail


def _symlink(entry: Entry, path: bytes) -> Iterator[tuple[str, str]]:
    if b".." in entry.link and climbs_out(path, entry.link):
        yield "link-above-root", f"leads out of the root: {shown(entry.link)}"
    parts = [part for part in entry.link.split(b"/") if part not in (b"", b".", b"..")]
    if len(parts) > 2 and parts[0] == b"proc" and _is_process(parts[1]) and {b"root", b"cwd"} & set(parts[2:]):
        yield "link-proc", f"leads to another root: {shown(entry.link)}"


def _is_process(name: bytes) -> bool:
    return name in (b"self", b"thread-self") or name.isdigit()


def _file(entry: Entry, path: bytes, mode: int) -> Iterator[tuple[str, str]]:
    usual = path.startswith(_PLACES)
    name = path.rpartition(b"/")[2]
    setgid = mode & 0o2010 == 0o2010
    value = (entry.xattrs or {}).get(_CAPABILITY)
    if mode & 0o4000:
        yield _setuid(entry, usual and name in _SETUID, mode), f"of user {entry.uid}, mode {mode:04o}"
    if setgid:
        yield (
            "setgid-usual" if usual and name in _SETGID else "setgid-unusual",
            f"of group {entry.gid}, mode {mode:04o}",
        )
    if value is not None:
        yield _capability(value, _GIVEN.get(name, ()) if usual else ())
    if mode & 0o0002:
        which = "privileged" if mode & 0o4000 or setgid or value is not None else ""
        which = which or ("system" if mode & 0o111 or _is_system(path) else "file")
        yield f"world-writable-{which}", f"file, mode {mode:04o}"


def _setuid(entry: Entry, usual: bool, mode: int) -> str:
    if not mode & 0o111:
        return "setuid-inert"
    if entry.uid:
        return "setuid-user"
    return "setuid-usual" if usual else "setuid-root"


def _is_system(path: bytes) -> bool:
    return not path or path.partition(b"/")[0] in _SYSTEM


def _capability(value: bytes, given: tuple[str, ...]) -> tuple[str, str]:
    found = capabilities(value)
    if found is None:
        return "capability-malformed", f"malformed: {value[:24].hex()}"
    names, text = found
    if given and names.issubset(given):
        return "capability-usual", text
    return ("capability-powerful" if names & _POWERFUL else "capability-unusual"), text


def capabilities(value: bytes) -> tuple[frozenset[str], str] | None:
    """The names in a `security.capability` attribute, and what getcap(8) writes of it; None for a malformed one.

    Linux `uapi/linux/capability.h`, `vfs_cap_data`: revision 1 has one pair of sets, 2 and 3 two, and 3 the id of the
    root of the user namespace for which alone it holds.
    """
    numbers = [int.from_bytes(value[at : at + 4], "little") for at in range(0, len(value) - len(value) % 4, 4)]
    if {1: 12, 2: 20, 3: 24}.get(numbers[0] >> 24 if numbers else 0) != len(value):
        return None
    upper = len(numbers) > 3
    permitted = numbers[1] | (numbers[3] << 32 if upper else 0)
    inheritable = numbers[2] | (numbers[4] << 32 if upper else 0)
    groups: dict[str, list[str]] = {}
    for bit, name in enumerate(CAPABILITIES):
        flags = "e" if numbers[0] & 1 and (permitted | inheritable) >> bit & 1 else ""
        flags += ("i" if inheritable >> bit & 1 else "") + ("p" if permitted >> bit & 1 else "")
        if flags:
            groups.setdefault(flags, []).append(f"cap_{name.lower()}")
    text = " ".join(f"{','.join(names)}={flags}" for flags, names in groups.items()) or "none"
    if len(numbers) > 5:
        text += f" [rootid={numbers[5]}]"
    return frozenset(name.removeprefix("cap_") for names in groups.values() for name in names), text


def climbs_out(path: bytes, target: bytes) -> bool:
    """Whether `..` of a target goes above the root: within a container it cannot, for others it may."""
    depth = 0 if target.startswith(b"/") else path.count(b"/")
    for part in target.split(b"/"):
        if part == b"..":
            depth -= 1
            if depth < 0:
                return True
        elif part not in (b"", b"."):
            depth += 1
    return False


def shown(text: bytes) -> str:
    """A path as it may be printed: what a terminal would act on is escaped."""
    plain = text[:4096].decode("utf-8", "backslashreplace")
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in plain)
