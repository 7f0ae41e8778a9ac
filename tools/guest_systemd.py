"""The virtual machine of `guest`, run by systemd and booted again and again with the same disk.

`boots([script, …])` starts it once for each script and shuts it down properly in between, as a reboot does.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import guest
import workspace

PACKAGES = (*guest.PACKAGES, "systemd", "systemd-sysv", "dbus", "dbus-system-bus-common", "kmod", "login", "passwd")
_ACCOUNTS = {
    "passwd": "root:x:0:0:root:/root:/bin/sh\nmessagebus:x:101:101::/nonexistent:/usr/sbin/nologin\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "group": "root:x:0:\nmessagebus:x:101:\nnogroup:x:65534:\n",
    "hostname": "guest\n",
    "machine-id": "0123456789abcdef0123456789abcdef\n",
    "fstab": "",
}
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


def boots(scripts: list[str], files: dict[str, Path], timeout: float = 600) -> list[tuple[int, str]]:
    """Boot once for each script, with files of the host at paths of the guest; exit codes and what was printed.

    `timeout` in seconds, of one boot. Raises TimeoutError, RuntimeError where a boot ends early.
    """
    kernel, initrd, image = guest.kernel_files(), guest.CACHE / "initrd-systemd.gz", guest.CACHE / "systemd.img"
    root = root_tree()
    for number, script in enumerate(scripts):
        (root / f"script-{number}.sh").write_text(script)
    for path, source in files.items():
        shutil.copy(source, root / path.lstrip("/"))
    image.unlink(missing_ok=True)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", str(root), str(image), "1100M"], check=True)
    guest._make_initrd(kernel.parent, initrd)
    return [_boot(kernel, initrd, image, number, timeout) for number in range(len(scripts))]


def _boot(kernel: Path, initrd: Path, image: Path, stage: int, timeout: float) -> tuple[int, str]:
    argv = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024", "-nographic"]
    argv += ["-no-reboot", "-kernel", str(kernel), "-initrd", str(initrd), "-nic", "none"]
    append = f"console=ttyS0 quiet panic=-1 loglevel=3 systemd.show_status=false guest.stage={stage}"
    argv += ["-append", append, "-drive", f"file={image},if=virtio,format=raw"]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as error:
        told = (error.stdout or b"").decode(errors="replace")[-3000:]
        raise TimeoutError(f"boot {stage} of the guest did not end within {timeout} s:\n{told}") from error
    text = done.stdout.decode(errors="replace").replace("\r\n", "\n")
    _, begun, rest = text.partition(f"{guest.BEGIN}\n")
    told, ended, code = rest.partition(f"{guest.END} ")
    if not begun or not ended:
        raise RuntimeError(f"boot {stage} of the guest ended early:\n{text[-3000:]}")
    return int(code.split()[0]), told


def root_tree() -> Path:
    """The guest's root file system as a folder, with systemd as its first process and our unit beside the others."""
    names = guest.closure(PACKAGES)
    stamp = hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
    root = guest.CACHE / f"systemd-{stamp}"
    if not root.exists():
        for old in guest.CACHE.glob("systemd-*"):
            shutil.rmtree(old)
        guest._copy_packages(names, root)
    guest._install_workspace(root / "opt/sonata/lib/python3.11/site-packages")
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
