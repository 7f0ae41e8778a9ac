"""The virtual machine of `guest`, run by systemd and booted again and again with the same disk.

`boots([script, …])` starts it once for each script and shuts it down properly in between, as a reboot does.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import guest
import workspace

PACKAGES = (
    *guest.PACKAGES,
    *("systemd", "systemd-sysv", "dbus", "dbus-system-bus-common", "dbus-user-session", "kmod", "login", "passwd"),
    *("libpam-systemd", "libpam-modules", "libpam-runtime"),
)
_ACCOUNTS = {
    "passwd": "root:x:0:0:root:/root:/bin/sh\nmessagebus:x:101:101::/nonexistent:/usr/sbin/nologin\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "group": "root:x:0:\nmessagebus:x:101:\nnogroup:x:65534:\n",
    "hostname": "guest\n",
    "machine-id": "0123456789abcdef0123456789abcdef\n",
    "fstab": "",
    "pam.d/common-auth": "auth required pam_permit.so\n",
    "pam.d/common-account": "account required pam_permit.so\n",
    "pam.d/common-password": "password required pam_permit.so\n",
    "pam.d/common-session": "session required pam_permit.so\nsession optional pam_systemd.so\n",
    "pam.d/common-session-noninteractive": "session required pam_permit.so\n",
}
"""What the packages' own scripts would have made."""
_UNIT = """[Unit]
Description=The script of this boot
After=multi-user.target sonata-restart.service

[Service]
Type=oneshot
ExecStart=/bin/busybox sh /runner.sh
TimeoutStartSec=infinity
"""
_RUNNER = """export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
stage=$(busybox sed 's/.*guest.stage=\\([0-9]*\\).*/\\1/' /proc/cmdline)
{{ echo '{begin}'; busybox sh /script-$stage.sh; echo "{end} $?"; }} >/dev/ttyS0 2>&1 </dev/null
systemctl --no-block poweroff
"""
_MASKED = ("serial-getty@ttyS0.service", "systemd-networkd-wait-online.service", "systemd-timesyncd.service")


def boots(scripts: list[str], files: dict[str, Path], timeout: float = 1800) -> list[tuple[int, str]]:
    """Boot once for each script, with files of the host at paths of the guest; exit codes and what was printed.

    `timeout` in seconds, of one boot. Raises TimeoutError, RuntimeError where a boot ends early.
    """
    root = root_tree()
    for number, script in enumerate(scripts):
        (root / f"script-{number}.sh").write_text(script)
    for path, source in files.items():
        shutil.copy(source, root / path.lstrip("/"))
    disk = guest.Disk(root, "systemd", "1100M")
    words = "panic=-1 systemd.show_status=false guest.stage="
    return [disk.boot(f"{words}{number}", timeout) for number in range(len(scripts))]


def root_tree() -> Path:
    """The guest's root file system as a folder, with systemd as its first process and our unit beside the others."""
    root = guest.unpacked("systemd", PACKAGES)
    _link(root / "init", "/usr/lib/systemd/systemd")
    _link(root / "usr/local/bin/sonata", "/opt/sonata/bin/sonata")
    for name, text in _ACCOUNTS.items():
        (root / "etc" / name).write_text(text)
    units = root / "etc/systemd/system"
    for unit in _MASKED:
        _link(units / unit, "/dev/null")
    (units / "guest-script.service").write_text(_UNIT)
    _link(units / "default.target.wants/guest-script.service", "/etc/systemd/system/guest-script.service")
    _link(units / "default.target", "/usr/lib/systemd/system/multi-user.target")
    shutil.copy(workspace.ROOT / "sonata/systemd/sonata-restart.service", root / "usr/lib/systemd/system")
    (root / "runner.sh").write_text(_RUNNER.format(begin=guest.BEGIN, end=guest.END))
    return root


def _link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)
