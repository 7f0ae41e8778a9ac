"""Storage of an ordinary user: the kernel's overlay, fuse-overlayfs, copies; shared with Podman; stores of root's."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from ordinary import NAME, PROGRAM, UID, OrdinaryHost, user_needs
from private_host import Ended

from sonata_testkit.containers import eventually

FUSE = shutil.which("fuse-overlayfs") or ""
pytestmark = [*user_needs(), pytest.mark.skipif(not FUSE, reason="needs fuse-overlayfs: apt-get install it")]
HOME = f"/home/{NAME}"
NONE = ("--network", "none")
ULIMITS = ("--ulimit", "nofile=1000:1000", "--ulimit", "nproc=1000:1000")
CHANGE = "/bin/busybox rm /bin/cat; /bin/busybox rm -r /tmp; /bin/busybox mkdir /tmp; echo new > /tmp/new"
DRIVERS = {
    "overlay": ("--storage-driver", "overlay"),
    "fuse": ("--storage-driver", "overlay", "--storage-opt", f"overlay.mount_program={FUSE}"),
    "vfs": ("--storage-driver", "vfs"),
}


class Store:
    """One store of the user's, by Sonata and by Podman."""

    def __init__(self, host: OrdinaryHost, name: str, *options: str) -> None:
        self.host = host
        self.root = f"{HOME}/{name}"
        self.words = ("--root", self.root, "--runroot", f"/run/user/{UID}/{name}", *options)

    def __call__(self, *words: str) -> Ended:
        return self.host(*self.words, *words)

    def ok(self, *words: str) -> str:
        return self.host.ok(*self.words, *words)

    def podman(self, *words: str) -> Ended:
        own = ("podman", "--cgroup-manager", "cgroupfs", "--events-backend", "file")
        return self.host.as_user(*own, *self.words, *words)

    def podman_ok(self, *words: str) -> str:
        done = self.podman(*words)
        assert done.code == 0, (words, done)
        return done.out

    def pull(self) -> None:
        self.ok("pull", "-q", "--tls-verify=false", self.host.image)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrdinaryHost]:
    with OrdinaryHost(str(tmp_path_factory.mktemp("storage"))) as made:
        yield made


SLOW = pytest.mark.slow
KINDS = ["overlay", "fuse", pytest.param("vfs", marks=SLOW)]


@pytest.fixture(scope="module", params=KINDS)
def store(host: OrdinaryHost, request: pytest.FixtureRequest) -> Store:
    made = Store(host, request.param, *DRIVERS[request.param])
    made.pull()
    return made


def programs(host: OrdinaryHost) -> list[str]:
    return [words for words in host.proc().values() if "fuse-overlayfs" in words]


def test_a_container_changes_its_own_layer(store: Store) -> None:
    shown = store.ok("run", "--name", "first", *NONE, store.host.image, "sh", "-c", f"{CHANGE}; ls /tmp")
    assert shown.split()[-1] == "new"
    changes = store.ok("diff", "first").splitlines()
    assert {"D /bin/cat", "A /tmp/new"} <= set(changes)
    assert store.ok("commit", "-q", "first", "localhost/two")
    assert store.ok("run", "--rm", *NONE, "localhost/two", "ls", "/tmp") == "new"
    assert store("run", "--rm", *NONE, "localhost/two", "ls", "/bin/cat").code == 1
    store.ok("run", "--name", "second", *NONE, "localhost/two", "sh", "-c", "/bin/busybox rm -r /tmp; echo x > /tmp")
    found = store.ok("diff", "second").splitlines()
    assert [line for line in found if "/tmp" in line] in (["C /tmp"], ["C /tmp", "D /tmp/new"]), found
    store.ok("rm", "first", "second")
    assert store("system", "check").code == 0
    assert eventually(lambda: programs(store.host) == [])


def test_the_layer_travels_to_a_store_of_the_kernels(store: Store) -> None:
    store.ok("save", "-q", "-o", f"{HOME}/two.tar", "localhost/two")
    plain = Store(store.host, "plain", *DRIVERS["overlay"])
    plain.ok("load", "-q", "-i", f"{HOME}/two.tar")
    assert plain.ok("run", "--rm", *NONE, "localhost/two", "sh", "-c", "ls /tmp; ls -A /bin | wc -l") == "new\n14"
    plain.ok("rmi", "localhost/two")
    store.host.as_user("rm", f"{HOME}/two.tar")


def test_other_ids_and_other_mounts(store: Store) -> None:
    image = "localhost/two"
    for mode in ("auto", "keep-id"):
        shown = store.ok("run", "--rm", *NONE, "--userns", mode, image, "ls", "-ln", "/tmp/new").split()
        assert shown[2:4] == ["0", "0"]
    store.host.as_user("mkdir", "-p", "data")
    over = ("-v", f"{HOME}/data:/data:O")
    assert store.ok("run", "--rm", *NONE, *over, image, "sh", "-c", "echo x > /data/made; ls /data") == "made"
    assert store.host.as_user("ls", "data").out == ""
    inner = ("--mount", f"type=image,src={image},dst=/i,rw=true")
    assert store.ok("run", "--rm", *NONE, *inner, image, "sh", "-c", "echo x > /i/tmp/x; ls /i/tmp") == "new\nx"
    assert eventually(lambda: programs(store.host) == [])


def test_mounts_are_seen_in_unshare(store: Store) -> None:
    store.ok("create", "--name", "m", "localhost/two")
    launch = " ".join((*PROGRAM, *store.words))
    script = f"cat $({launch} mount m)/tmp/new $({launch} image mount localhost/two)/tmp/new"
    script += f"; {launch} umount m; {launch} image umount localhost/two >&2"
    shown = store.ok("unshare", "sh", "-c", script).splitlines()
    assert shown == ["new", "new", "m"]
    for words in (["mount", "m"], ["mount"], ["mount", "nosuch"], ["image", "mount"], ["image", "mount", "-a"]):
        refused = store(*words)
        kind = "image mount" if words[0] == "image" else "mount"
        assert refused.code == 125
        assert refused.err.startswith(
            f'Error: cannot run command "sonata {kind}" in rootless mode, must execute `sonata unshare` first'
        )
    assert store.ok("unmount", "-a") == ""
    store.ok("rm", "m")
    assert eventually(lambda: programs(store.host) == [])


@pytest.mark.skipif(not shutil.which("podman"), reason="needs podman")
def test_podman_and_sonata_share_the_store(store: Store) -> None:
    image = store.host.image
    assert store.podman_ok("images", "-q", "--no-trunc", image) == store.ok("images", "-q", "--no-trunc", image)
    assert store.podman_ok("run", "--rm", *ULIMITS, *NONE, "localhost/two", "ls", "/tmp") == "new"
    assert store.podman("run", "--rm", *ULIMITS, *NONE, "localhost/two", "ls", "/bin/cat").code == 1
    store.podman_ok("run", *ULIMITS, "--name", "theirs", *NONE, image, "sh", "-c", CHANGE)
    store.podman_ok("commit", "-q", "theirs", "localhost/theirs")
    assert store.ok("run", "--rm", *NONE, "localhost/theirs", "ls", "/tmp") == "new"
    assert store("run", "--rm", *NONE, "localhost/theirs", "ls", "/bin/cat").code == 1
    assert {"D /bin/cat", "A /tmp/new"} <= set(store.ok("diff", "localhost/theirs").splitlines())
    store.podman_ok("rm", "theirs")
    store.podman_ok("run", "-d", *ULIMITS, "--name", "lives", *NONE, "localhost/theirs", "sleep", "1000")
    for words in (("rmi", "-f", "localhost/theirs"), ("rm", "-f", "lives")):
        refused = store(*words)
        assert refused.code > 0
        assert "is running below another engine and cannot be removed" in refused.err
    assert store.podman_ok("exec", "lives", "echo", "in") == "in"
    store.podman_ok("rm", "-f", "-t", "0", "lives")
    store.ok("rmi", "localhost/theirs")
    store.ok("rm", "-a")
    store.podman_ok("rmi", "localhost/two")
    assert store("system", "check").code == 0


def test_a_store_of_fuse_stays_one(host: OrdinaryHost) -> None:
    """Without the setting too: its layers are of another form."""
    store = Store(host, "fuse", *DRIVERS["fuse"])
    store.pull()
    unset = Store(host, "fuse", *DRIVERS["overlay"])
    shown = unset.ok("run", "--rm", *NONE, host.image, "head", "-n", "1", "/proc/mounts")
    assert shown.startswith("fuse-overlayfs / ")


def test_the_setting_is_read_from_the_users_file(host: OrdinaryHost) -> None:
    host.as_user("mkdir", "-p", ".config/containers")
    text = f'[storage]\ndriver = "overlay"\ngraphroot = "{HOME}/conf"\nrunroot = "/run/user/{UID}/conf"\n'
    text += f'[storage.options.overlay]\nmount_program = "{FUSE}"\n'
    host.as_user("sh", "-c", f"echo '{text}' > .config/containers/storage.conf")
    try:
        host.pull()
        shown = host.ok("run", "--rm", *NONE, host.image, "head", "-n", "1", "/proc/mounts")
        assert shown.startswith("fuse-overlayfs / ")
        assert host.home("conf/overlay/.has-mount-program").read_text() == "true"
    finally:
        host.home(".config/containers/storage.conf").unlink()


def test_a_closed_device_is_named_with_its_mode(host: OrdinaryHost) -> None:
    store = Store(host, "fuse", *DRIVERS["fuse"])
    store.pull()
    host.as_root("chmod", "600", "/run/fuse")
    try:
        refused = store("run", "--rm", *NONE, host.image, "true")
        assert refused.code in (125, 126)
        assert "fuse-overlayfs needs /dev/fuse, which this user may not open: its mode is 0600" in refused.err
        assert "chmod 0666 /dev/fuse" in refused.err
    finally:
        host.as_root("chmod", "666", "/run/fuse")


def test_a_program_that_is_not_there_is_named(host: OrdinaryHost) -> None:
    store = Store(host, "lost", "--storage-driver", "overlay", "--storage-opt", "overlay.mount_program=/no/such")
    store.pull()
    refused = store("run", "--rm", *NONE, host.image, "true")
    assert refused.code in (125, 126)
    assert "the mount program /no/such is not installed" in refused.err


def test_root_may_have_a_mount_program_too(host: OrdinaryHost) -> None:
    words = (
        "--root",
        "/run/rootful",
        "--runroot",
        "/run/rootful-run",
        "--cgroup-manager",
        "cgroupfs",
        *DRIVERS["fuse"],
    )

    def sonata(*more: str) -> Ended:
        return host.as_root(*PROGRAM, *words, *more)

    assert sonata("pull", "-q", "--tls-verify=false", host.image).code == 0
    done = sonata("run", "--name", "first", *NONE, host.image, "sh", "-c", f"head -n 1 /proc/mounts; {CHANGE}")
    assert done.out.startswith("fuse-overlayfs / ")
    assert {"D /bin/cat", "A /tmp/new"} <= set(sonata("diff", "first").out.splitlines())
    assert sonata("commit", "-q", "first", "localhost/two").code == 0
    assert sonata("run", "--rm", *NONE, "localhost/two", "ls", "/tmp", "/bin/cat").out.split()[-1] == "new"
    assert sonata("rm", "-a").code == 0
    assert eventually(lambda: programs(host) == [])


@pytest.mark.parametrize("kind", KINDS)
def test_images_of_roots_store_are_read(host: OrdinaryHost, kind: str) -> None:
    """An additional store that root keeps for everybody; the user may read it, and change nothing."""
    driver = "vfs" if kind == "vfs" else "overlay"
    base, theirs = f"/home/shared-{kind}", ("--storage-driver", driver)
    root = ("--root", base, "--runroot", f"/run/shared-{kind}", *theirs)
    assert host.as_root(*PROGRAM, *root, "pull", "-q", "--tls-verify=false", host.image).code == 0
    made = ["--cgroup-manager", "cgroupfs", "run", "--name", "first", *NONE, host.image, "sh", "-c", CHANGE]
    assert host.as_root(*PROGRAM, *root, *made).code == 0
    assert host.as_root(*PROGRAM, *root, "commit", "-q", "first", "localhost/two").code == 0
    assert host.as_root(*PROGRAM, *root, "rm", "first").code == 0
    assert host.as_root("chmod", "-R", "a+rX", base).code == 0
    state = host.as_root("sh", "-c", f"find {base} -printf '%p %m %T@ %C@\\n' | sort").out
    mine = Store(host, f"beside-{kind}", *DRIVERS[kind], "--storage-opt", f"{driver}.imagestore={base}")
    assert mine.ok("images", "--format", "{{.Repository}} {{.ReadOnly}}", "localhost/two") == "localhost/two true"
    shown = mine.ok("run", "--name", "first", *NONE, "localhost/two", "sh", "-c", "ls /bin/cat; ls /tmp; id -u")
    assert shown == "new\n0"
    if kind != "overlay":  # the kernel shows it with root's own ids, which are nobody's here and may not be changed
        more = ("sh", "-c", "echo more > /tmp/more; ls /tmp")
        assert mine.ok("run", "--name", "more", *NONE, "localhost/two", *more) == "more\nnew"
        assert "A /tmp/more" in mine.ok("diff", "more").splitlines()
        mine.ok("commit", "-q", "more", "localhost/three")
        assert mine.ok("run", "--rm", *NONE, "localhost/three", "ls", "/tmp") == "more\nnew"
    refused = mine("rmi", "localhost/two")
    assert (refused.code, "cannot remove read-only image" in refused.err) == (125, True)
    mine.ok("rm", "-a")
    assert host.as_root("sh", "-c", f"find {base} -printf '%p %m %T@ %C@\\n' | sort").out == state
