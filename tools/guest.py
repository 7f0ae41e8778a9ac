"""A virtual machine with this workspace in it: what the host's own kernel and cgroups cannot show is tried there.

A Debian cloud kernel under qemu (TCG, so that no /dev/kvm is needed) with a root file system made of the
host's own Debian packages, cgroup version 2 and no systemd. `run(script)` boots it, runs a shell script as
root and gives what that printed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import workspace

KERNEL_PACKAGE = "linux-image-cloud-amd64"
PACKAGES = (
    *("conmon", "crun", "runc", "netavark", "aardvark-dns", "slirp4netns", "catatonit", "iptables", "busybox-static"),
    *("python3.11-minimal", "libpython3.11-stdlib", "dash", "coreutils", "iproute2", "util-linux", "mount"),
    "uidmap",
    "golang-github-containers-common",
)
"""What the guest's root file system is made of, with all that these depend on."""
MODULES = ("virtio_pci", "virtio_blk", "overlay", "bridge", "veth", "tun", "nf_tables", "nft_compat", "nft_chain_nat")
MODULES_MORE = (
    "xt_comment",
    "xt_conntrack",
    "xt_addrtype",
    "xt_mark",
    "xt_MASQUERADE",
    "xt_nat",
    "nf_nat",
    "xt_tcpudp",
)
CACHE = workspace.ROOT / ".cache/guest"
BEGIN, END = "----8<---- begin", "----8<---- end"
_INIT = """#!/bin/busybox sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mkdir -p /dev/pts /dev/shm /dev/mqueue
for n in 0:stdin 1:stdout 2:stderr; do /bin/busybox ln -s /proc/self/fd/${{n%:*}} /dev/${{n#*:}}; done
/bin/busybox ln -s /proc/self/fd /dev/fd
/bin/busybox chmod 1777 /tmp /dev/shm
/bin/busybox chmod 755 /
/bin/busybox mount -t devpts devpts /dev/pts
/bin/busybox mount -t tmpfs tmpfs /dev/shm
/bin/busybox mount -t tmpfs tmpfs /run
/bin/busybox mount -t tmpfs tmpfs /tmp
/bin/busybox mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo "+cpu +memory +pids +io +cpuset" > /sys/fs/cgroup/cgroup.subtree_control
/bin/busybox ip link set lo up
/bin/busybox hostname guest
echo '{begin}'
/bin/busybox sh /script.sh
echo "{end} $?"
/bin/busybox sync
/bin/busybox poweroff -f
"""


def run(script: str, timeout: float = 300) -> tuple[int, str]:
    """Boot, run the script, power off. Its exit code and everything it printed. Raises TimeoutError."""
    root = root_tree()
    (root / "script.sh").write_text(script)
    return Disk(root, "root", "900M").boot("panic=-1", timeout)


class Disk:
    """A root file system as a disk, which keeps from boot to boot what was written to it. `size` is mke2fs's."""

    def __init__(self, root: Path, name: str, size: str) -> None:
        self.image, self.initrd = CACHE / f"{name}.img", CACHE / f"initrd-{name}.gz"
        self.kernel = kernel_files()
        self.image.unlink(missing_ok=True)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", str(root), str(self.image), size], check=True)
        _make_initrd(self.kernel.parent, self.initrd)

    def boot(self, words: str, timeout: float) -> tuple[int, str]:
        """Boot with these words for the kernel; the exit code and what was printed between the marks.

        `timeout` in seconds. Raises TimeoutError, RuntimeError where the guest ends early.
        """
        argv = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024"]
        argv += ["-nographic", "-no-reboot", "-kernel", str(self.kernel), "-initrd", str(self.initrd), "-nic", "none"]
        argv += [
            "-append",
            f"console=ttyS0 quiet loglevel=3 {words}",
            "-drive",
            f"file={self.image},if=virtio,format=raw",
        ]
        said = self.image.with_suffix(".txt")
        try:
            with said.open("wb") as file:
                subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=file, stderr=file, timeout=timeout, check=False)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"the guest did not end within {timeout} s ({words}): {said}") from error
        text = said.read_text(errors="replace").replace("\r\n", "\n")
        _, begun, rest = text.partition(f"{BEGIN}\n")
        told, ended, code = rest.partition(f"{END} ")
        if not begun or not ended:
            raise RuntimeError(f"the guest ended early ({words}):\n{text[-3000:]}")
        return int(code.split()[0]), told


def kernel_files() -> Path:
    """The kernel, unpacked from its Debian package; modules lie in `lib` beside it."""
    place = CACHE / "kernel"
    found = sorted(place.glob("boot/vmlinuz-*"))
    if not found:
        place.mkdir(parents=True, exist_ok=True)
        asked = subprocess.run(["apt-cache", "depends", KERNEL_PACKAGE], capture_output=True, text=True, check=True)
        name = next(line.split()[-1] for line in asked.stdout.splitlines() if "Depends: linux-image-" in line)
        subprocess.run(["apt-get", "download", "-q", name], cwd=place, check=True, capture_output=True)
        package = next(place.glob("*.deb"))
        subprocess.run(["dpkg-deb", "-x", str(package), str(place)], check=True)
        package.unlink()
        found = sorted(place.glob("boot/vmlinuz-*"))
    return found[0]


def root_tree() -> Path:
    """The guest's root file system as a folder: the packages' files, and the workspace installed in it."""
    root = unpacked("root", PACKAGES)
    init = root / "init"
    init.write_text(_INIT.format(begin=BEGIN, end=END))
    init.chmod(0o755)
    return root


def unpacked(name: str, wanted: tuple[str, ...]) -> Path:
    """A folder with the files of these packages and of what they depend on, and the workspace as it is now."""
    names = closure(wanted)
    stamp = hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
    root = CACHE / f"{name}-{stamp}"
    if not root.exists():
        for old in CACHE.glob(f"{name}-*"):
            shutil.rmtree(old)
        _copy_packages(names, root)
    _install_workspace(root / "opt/sonata/lib/python3.11/site-packages")
    return root


def closure(wanted: tuple[str, ...]) -> list[str]:
    """The installed packages among these and what they depend on."""
    query = ["dpkg-query", "-W", "-f", "${Package}\t${Depends}, ${Pre-Depends}\n"]
    rows = subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()
    depends = {name: text for name, _, text in (row.partition("\t") for row in rows)}
    found: list[str] = []
    todo = list(wanted)
    while todo:
        name = todo.pop()
        if name in found or name not in depends:
            continue
        found.append(name)
        for entry in depends[name].split(","):
            todo += [choice.split("(")[0].split(":")[0].strip() for choice in entry.split("|")]
    return sorted(found)


def _copy_packages(names: list[str], root: Path) -> None:
    listed = subprocess.run(["dpkg", "-L", *names], capture_output=True, text=True, check=True).stdout
    files = [line for line in listed.splitlines() if line.startswith("/") and _wanted(line)]
    root.mkdir(parents=True)
    for folder in ("proc", "sys", "dev", "run", "tmp", "root", "opt", "usr/bin", "usr/lib", "usr/sbin", "usr/lib64"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for link in ("bin", "lib", "lib64", "sbin"):
        (root / link).symlink_to(f"usr/{link}")
    alternatives = (
        "/usr/sbin/iptables",
        "/usr/sbin/ip6tables",
        "/usr/sbin/iptables-restore",
        "/usr/sbin/iptables-save",
    )
    more = [path for path in (*alternatives, *sorted(str(one) for one in Path("/etc/alternatives").glob("ip*tables*")))]
    text = "\0".join(path.lstrip("/") for path in (*files, *more) if os.path.lexists(path))
    with subprocess.Popen(
        ["tar", "-C", "/", "-cf", "-", "--no-recursion", "--null", "-T", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as packing:
        assert packing.stdin is not None
        unpacking = subprocess.Popen(
            ["tar", "-C", str(root), "-xf", "-", "--keep-directory-symlink"], stdin=packing.stdout
        )
        packing.stdin.write(text.encode())
        packing.stdin.close()
        unpacking.wait()
    subprocess.run(["ldconfig", "-r", str(root)], check=True)


def _wanted(path: str) -> bool:
    left_out = ("/usr/share/doc", "/usr/share/man", "/usr/share/locale", "/usr/share/info", "/usr/share/perl")
    return not path.startswith(left_out) and not os.path.ismount(path)


def _install_workspace(packages: Path) -> None:
    """A plain installation of all distributions and of the libraries that they need."""
    if packages.exists():
        shutil.rmtree(packages)
    packages.mkdir(parents=True)
    hide = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for dist in workspace.distributions():
        shutil.copytree(dist.folder / "src", packages, dirs_exist_ok=True, ignore=hide)
        info = packages / f"{dist.module}-{dist.version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist.name}\nVersion: {dist.version}\n")
        (info / "entry_points.txt").write_text(workspace.entry_points_text(dist))
    libraries = ("pluggy", "stevedore", "zstandard", "isal", "fastcrc", "yaml")
    for name in libraries:
        module = __import__(name)
        assert module.__file__ is not None
        shutil.copytree(Path(module.__file__).parent, packages / name, ignore=hide)
    inside = f"/{packages.relative_to(packages.parents[4])}"
    compiling = [workspace.PYTHON, "-m", "compileall", "-q", "-s", str(packages), "-p", inside, str(packages)]
    compiling += ["--invalidation-mode", "unchecked-hash"]
    subprocess.run(compiling, check=True, env={"PATH": os.environ["PATH"]})
    program = packages.parents[2] / "bin/sonata"
    program.parent.mkdir(exist_ok=True)
    shutil.copy(workspace.ROOT / "sonata/bin/sonata", program)
    program.chmod(0o755)


def _make_initrd(boot: Path, out: Path) -> None:
    """busybox, the modules in the order in which they need each other, and a way into the real root."""
    place = CACHE / "initrd"
    if place.exists():
        shutil.rmtree(place)
    (place / "bin").mkdir(parents=True)
    for folder in ("dev", "root", "modules", "proc"):
        (place / folder).mkdir()
    shutil.copy("/bin/busybox", place / "bin/busybox")
    lines = ["#!/bin/busybox sh", "/bin/busybox mount -t devtmpfs dev /dev"]
    for number, module in enumerate(_ordered(boot.parent / "lib/modules")):
        shutil.copy(module, place / f"modules/{number:03}.ko")
        lines.append(f"/bin/busybox insmod /modules/{number:03}.ko")
    lines += ["/bin/busybox mount -t ext4 /dev/vda /root", "exec /bin/busybox switch_root /root /init", ""]
    (place / "init").write_text("\n".join(lines))
    (place / "init").chmod(0o755)
    listed = subprocess.run(["find", "."], cwd=place, capture_output=True, check=True).stdout
    packed = subprocess.run(
        ["cpio", "-o", "-H", "newc", "--quiet"], cwd=place, input=listed, capture_output=True, check=True
    )
    with open(out, "wb") as file:
        subprocess.run(["gzip", "-1"], input=packed.stdout, stdout=file, check=True)


def _depends(module: Path) -> list[str]:
    """The modules that one says it needs, in its section .modinfo."""
    content = module.read_bytes()
    start = content.find(b"\0depends=")
    if start < 0:
        return []
    text = content[start + len(b"\0depends=") : content.index(b"\0", start + 1)]
    return [name for name in text.decode().split(",") if name]


def _ordered(modules: Path) -> list[Path]:
    """Module files, what one needs before it."""
    known = {path.stem.replace("-", "_"): path for path in modules.rglob("*.ko")}
    found: list[Path] = []

    def add(name: str) -> None:
        path = known.get(name.replace("-", "_"))
        if path is None or path in found:
            return
        for needed in _depends(path):
            add(needed)
        found.append(path)

    for name in (*MODULES, *MODULES_MORE):
        add(name)
    return found
