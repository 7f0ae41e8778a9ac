"""Overlays that a program mounts: fuse-overlayfs, where it is configured, or where the kernel's own cannot be used.

Layers are kept in another form then (`.wh.` files instead of devices), so a store is of one kind for good: peers note
it in the file `.has-mount-program` of the driver's folder, and so do we.
"""

from __future__ import annotations

import os
import stat

from sonata_core.errors import HostLacks
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.mount import Mount, MountPlan
from sonata_core.models.process import Command

if TYPE_CHECKING:
    from sonata_core.context import PluginContext

DEVICE = "/dev/fuse"
PROGRAM = "fuse-overlayfs"
MARK = ".has-mount-program"


def needed(home: str) -> str:
    """The program that an ordinary user's store needs though none is configured; or none ("")."""
    try:
        with open(f"{home}/{MARK}", encoding="ascii", errors="replace") as file:
            return PROGRAM if file.read(8).strip() == "true" else ""
    except OSError:
        return ""


def find(context: PluginContext, program: str) -> str:
    """The program's path. Raises HostLacks where it is not there."""
    found = context.find_program(program)
    if found is None:
        raise HostLacks(
            f"overlay: the mount program {program} is not installed",
            hint="apt-get install fuse-overlayfs; or another --storage-driver, or another --root",
        )
    return found


def require_device(program: str, device: str = DEVICE) -> None:
    """Raise HostLacks, with the device's modes, where it cannot be opened."""
    if os.access(device, os.R_OK | os.W_OK):
        return
    name = os.path.basename(program)
    try:
        mode = stat.S_IMODE(os.stat(device).st_mode)
    except OSError:
        raise HostLacks(f"{name} needs {device}, which is not there", hint="modprobe fuse") from None
    raise HostLacks(
        f"{name} needs {device}, which this user may not open: its mode is {mode:04o}", hint=f"chmod 0666 {device}"
    )


def note(home: str) -> None:
    """Say to peers, and to later commands, that the store is of this kind."""
    path = f"{home}/{MARK}"
    try:
        with open(path, "rb") as file:
            if file.read(8).strip() == b"true":
                return
    except OSError:
        pass
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(handle, b"true")
    finally:
        os.close(handle)


def mounted_by(program: str, plan: MountPlan) -> MountPlan:
    """The same plan with every overlay mounted by the program."""
    made = []
    for mount in plan.mounts:
        if mount.type == "overlay":
            options = ",".join(option for option in mount.options if option != "userxattr")
            helper = Command(argv=(program, "-o", options, mount.target))
            made.append(Mount(type="fuse", source=program, target=mount.target, helper=helper))
        else:
            made.append(mount)
    return plan.replace(mounts=tuple(made))
