"""What an ordinary user's containers try on their host, and what another user tries on them: nobody gains anything."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ordinary import NAME, PROGRAM, UID, OrdinaryHost, user_needs
from private_host import Ended, packed

pytestmark = user_needs()
OTHER = 1888
SHELL = ("/bin/busybox", "sh", "-c")
NONE = ("--network", "none")
GRAPH = f"/home/{NAME}/.local/share/containers/storage"

# Tries every path it is given as whoever runs it, and prints those that let it in.
TRY = """\
import os, socket, stat, sys
for path in sys.argv[1:]:
    try:
        kind = os.stat(path).st_mode
        if stat.S_ISSOCK(kind):
            socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect(path)
        else:
            os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
    except OSError:
        continue
    print(path)
"""


class TwoUsers(OrdinaryHost):
    """A host with another user, who would like to be the first one, and with an image that holds what is dangerous."""

    def __init__(self, base: str) -> None:
        super().__init__(base)
        os.makedirs(f"{base}/image-evil")
        Path(f"{base}/image-evil/1.tar").write_bytes(packed(self.rootfs))
        Path(f"{base}/image-evil/2.tar").write_bytes(dangerous())

    def admit_other(self) -> None:
        self.as_root("mkdir", "-m", "1777", "/run/shared")
        for place in ("/home/other", f"/run/user/{OTHER}"):
            self.as_root("mkdir", "-p", "-m", "700", place)
            self.as_root("chown", f"{OTHER}:{OTHER}", place)
        lines = {"passwd": f"other:x:{OTHER}:{OTHER}::/home/other:/bin/sh"}
        lines |= dict.fromkeys(("subuid", "subgid"), "other:200000:65536")
        for file, line in lines.items():
            self.as_root("sh", "-c", f"echo {line} >> /etc/{file}")
        # Homes used to be open, and the store must do without their being closed.
        self.as_root("chmod", "755", f"/home/{NAME}")

    def other_argv(self, *words: str) -> list[str]:
        become = ["setpriv", "--reuid", str(OTHER), "--regid", str(OTHER), "--clear-groups", "--inh-caps=-all"]
        environ = ["env", "-i", "-C", "/", "HOME=/home/other", "USER=other", "PATH=/usr/bin:/bin:/usr/sbin:/sbin"]
        return self.inside(*become, *environ, f"XDG_RUNTIME_DIR=/run/user/{OTHER}", *words)

    def as_other(self, *words: str) -> Ended:
        return self.program(self.other_argv(*words))

    def found(self, *tests: str) -> list[str]:
        """What find(1) sees below the places that a user's containers write to, as root."""
        places = (f"/home/{NAME}", f"/run/user/{UID}", "/var/tmp", "/run/shared")
        return self.as_root("find", *places, *tests).out.splitlines()


def dangerous() -> bytes:
    """A layer of device nodes and of programs that make somebody else of whoever runs them."""
    made = io.BytesIO()
    program = Path(shutil.which("busybox") or "/bin/busybox").read_bytes()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, kind, number in (("kmem", tarfile.CHRTYPE, (1, 2)), ("disk", tarfile.BLKTYPE, (7, 0))):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode, (entry.devmajor, entry.devminor) = kind, 0o666, number
            tar.addfile(entry)
        for name, mode in (("setuid/true", 0o6755), ("capable/true", 0o755)):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(program), mode
            if name == "capable/true":  # every capability, version 2
                entry.pax_headers = {"SCHILY.xattr.security.capability": "\1\0\0\2\x7f\x7f\x7f\x7f" + "\0" * 12}
            tar.addfile(entry, io.BytesIO(program))
    return made.getvalue()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoUsers]:
    with TwoUsers(str(tmp_path_factory.mktemp("escapes"))) as made:
        made.admit_other()
        made.pull()
        made.ok("pull", "-q", "--tls-verify=false", made.image.replace("/bb:", "/evil:"))
        yield made


@pytest.fixture(scope="module")
def running(host: TwoUsers) -> Iterator[str]:
    host.ok("run", "-d", "--name", "mine", "-v", "vol:/vol", host.image, "sleep", "1000")
    yield "mine"
    host("rm", "-f", "-t", "0", "mine")


def tried(host: TwoUsers, *words: str, script: str) -> str:
    """What a shell in a container says of its tries."""
    done = host("run", "--rm", *NONE, *words, host.image, *SHELL, script + "; echo over")
    assert done.out.endswith("over"), done
    return done.out + done.err


WAYS: list[list[str]] = [
    [],
    ["--privileged"],
    ["--cap-add", "all", "--security-opt", "seccomp=unconfined"],
    ["--userns", "keep-id", "--user", "0"],
    ["--userns", "host"],
]


@pytest.mark.parametrize("words", WAYS, ids=lambda words: " ".join(words) or "plain")
def test_files_of_root_stay_roots(host: TwoUsers, words: list[str]) -> None:
    names = ("/etc/passwd", "/etc/shadow", "/usr/bin/env")
    before = [host.as_root("stat", "-c", "%a %u %g %s %Y %Z", name).out for name in names]
    script = (
        "echo evil::0:0::/:/bin/sh >> /h/etc/passwd; echo evil >> /p; cat /h/etc/shadow;"
        "/bin/busybox chmod 4777 /h/usr/bin/env; /bin/busybox chown 0 /h/etc/passwd; /bin/busybox rm /h/etc/passwd;"
        "/bin/busybox ln /h/etc/shadow /h/tmp/shadow; /bin/busybox mv /h/etc /h/old; echo > /h/etc/evil"
    )
    said = tried(host, *words, "-v", "/:/h", "-v", "/etc/passwd:/p:rw", script=script)
    assert [host.as_root("stat", "-c", "%a %u %g %s %Y %Z", name).out for name in names] == before
    assert "root:" not in said
    assert host.as_root("ls", "/etc/evil", "/tmp/shadow").out == ""


@pytest.mark.parametrize("words", WAYS[:4], ids=lambda words: " ".join(words) or "plain")
def test_no_device_is_made_and_none_opened_that_the_user_may_not_open(host: TwoUsers, words: list[str]) -> None:
    if not Path(f"/proc/{host.pid}/root/run/closed").exists():
        host.as_root("mknod", "-m", "600", "/run/closed", "c", "1", "8")
    script = (
        "for d in 'c 1 8' 'b 7 0' 'c 1 1'; do /bin/busybox mknod /tmp/made $d && echo made; done;"
        "head -c 1 /dev/closed && echo opened; head -c 1 /h/closed && echo opened; "
        "ls -l /dev/closed; head -c 1 /dev/open | wc -c"
    )
    open_too = ["--device", "/dev/urandom:/dev/open"]
    said = tried(host, *words, "--device", "/run/closed:/dev/closed", *open_too, "-v", "/run:/h", script=script)
    assert "made" not in said.splitlines()
    assert "opened" not in said.splitlines()
    assert "/dev/closed" in said
    assert "1" in said.splitlines(), "what the user may open is given"


def test_what_an_image_holds_gives_no_device_and_no_rights(host: TwoUsers) -> None:
    image = host.image.replace("/bb:", "/evil:")
    shown = host("run", "--rm", *NONE, image, "ls", "/kmem", "/disk", "/setuid/true", "/capable/true").out.split()
    assert shown == ["/capable/true", "/setuid/true"], "nodes are left out, as Podman leaves them out"
    copy = "/bin/busybox cp /setuid/true /vol/true && /bin/busybox chmod 6755 /vol/true && /setuid/true"
    host.ok("run", "--rm", *NONE, "-v", "vol:/vol", image, *SHELL, copy)
    programs = host.found("-type", "f", "-name", "true")
    assert len(programs) == 3, "there is something to be tried"
    for path in programs:
        assert host.as_user(path).code == 0
        done = host.as_other(path)
        assert done.code in (126, 127), (path, done)
    assert host.as_root("find", GRAPH, "(", "-type", "b", "-o", "-type", "c", ")").out == ""


def test_root_has_a_store_that_is_closed_too(host: TwoUsers) -> None:
    where = ("--root", "/run/deep/root", "--runroot", "/run/deep/run")
    assert host.as_root(*PROGRAM, *where, "volume", "create", "v").code == 0
    assert host.as_other("ls", "/run/deep/root").code != 0
    assert host.as_other("ls", "/run/deep/run").code != 0


def test_another_user_reaches_no_socket_and_no_file(host: TwoUsers, running: str) -> None:
    doors = host.found("(", "-type", "s", "-o", "-type", "p", "-o", "-type", "f", ")")
    assert any(path.endswith("/attach") for path in doors)
    assert any(path.endswith("/ctl") for path in doors)
    opened = host.program(host.other_argv(sys.executable, "-I", "-c", TRY, *doors)).out
    assert opened == ""
    assert host.as_user(sys.executable, "-I", "-c", TRY, *doors).out != "", "the user himself is let in"
    abstract = Path(f"/proc/{host.pid}/net/unix").read_text()
    assert "@" not in abstract, "an abstract socket is closed to nobody"


def test_another_user_commands_nothing(host: TwoUsers, running: str) -> None:
    where = ["--root", GRAPH, "--runroot", host.run_root]
    for words in (["ps"], ["exec", running, "id"], ["rm", "-f", running], ["kill", running], ["volume", "ls"]):
        done = host.as_other(*PROGRAM, *where, *words)
        assert done.code not in (0, 1), done
        assert "ermission denied" in done.err or "not writeable" in done.err, done
    foreign = host.as_other("env", f"XDG_RUNTIME_DIR=/run/user/{UID}", *PROGRAM, "ps")
    assert foreign.code == 125
    assert f'path "/run/user/{UID}" exists and it is not writeable only by the current user' in foreign.err
    assert host.ok("inspect", "--format", "{{.State.Status}}", running) == "running"


def test_another_user_enters_no_process(host: TwoUsers, running: str) -> None:
    pause = host.runtime("libpod/tmp/pause.pid").read_text()
    pids = [pause, host.ok("inspect", "--format", "{{.State.Pid}}", running)]
    pids.append(host.ok("inspect", "--format", "{{.State.ConmonPid}}", running))
    for pid in pids:
        assert host.as_user("ls", f"/proc/{pid}/fd").code == 0 or pid == pids[1]
        for words in (
            ["kill", "-9", pid],
            ["nsenter", "-t", pid, "-U", "true"],
            ["ls", f"/proc/{pid}/root/"],
            ["ls", f"/proc/{pid}/fd"],
            ["cat", f"/proc/{pid}/environ"],
            ["newuidmap", pid, "0", "200000", "1"],
        ):
            assert host.as_other(*words).code != 0, words
    assert host.ok("exec", running, "echo", "here") == "here"


@pytest.mark.parametrize("words", [*WAYS[:3], ["--privileged", "--pid", "host"]], ids=" ".join)
def test_the_kernels_switches_stay_as_they_are(host: TwoUsers, words: list[str]) -> None:
    names = ("/proc/sys/kernel/core_pattern", "/proc/sys/vm/swappiness", "/proc/sys/kernel/hostname")
    script = "".join(f"x=$(cat {name}); echo $x > {name} && echo written;" for name in names[:2])
    script += "echo h > /proc/sysrq-trigger && echo written; echo 1 > /proc/1/oom_score_adj;"
    script += "echo 0 > /sys/kernel/mm/ksm/run && echo written; /bin/busybox mount -t proc p /h/proc && echo mounted"
    said = tried(host, *words, "-v", "/:/h", script=script).splitlines()
    assert "written" not in said
    if "host" in words:
        assert "mounted" not in said


def test_namespaces_of_the_host_give_no_power_over_it(host: TwoUsers) -> None:
    host.as_root("sh", "-c", "sleep 1234 >/dev/null 2>&1 &")
    (victim,) = (str(pid) for pid, words in host.proc().items() if words == "sleep 1234")
    script = (
        f"kill -9 {victim} && echo done; /bin/busybox nsenter -t {victim} -m true && echo done;"
        f"ls /proc/{victim}/root/ && echo done; cat /proc/{victim}/environ && echo done;"
        "/bin/busybox hostname evil && echo done; /bin/busybox ip link set lo down && echo done;"
        "/bin/busybox ip link add evil type bridge && echo done; /bin/busybox chroot /proc/1/root true && echo done"
    )
    words = ["--pid", "host", "--uts", "host", "--network", "host", "--privileged"]
    done = host("run", "--rm", *words, host.image, *SHELL, script + "; echo over")
    assert done.out.splitlines() == ["over"], done
    assert host.as_root("kill", victim).code == 0


def test_no_ids_but_the_users_own(host: TwoUsers) -> None:
    for words, said in (
        (["--uidmap", "0:@0:1"], "parent ID UID 0 is not mapped/delegated"),
        (["--uidmap", "0:@200000:5"], "parent ID UID 200000 is not mapped/delegated"),
        (["--uidmap", "0:70000:10"], ""),
        (["--subuidname", "other"], ""),
        (["--subuidname", "root"], ""),
    ):
        done = host("run", "--rm", *NONE, *words, host.image, "cat", "/proc/self/uid_map")
        assert done.code in (125, 126), done
        assert said in done.err
    pause = host.runtime("libpod/tmp/pause.pid").read_text()
    for first in ("0", "200000", str(OTHER)):
        refused = host.as_user("unshare", "-U", "sh", "-c", f"newuidmap $$ 0 {first} 1")
        assert refused.code != 0, refused
        assert host.as_user("newuidmap", pause, "0", first, "1").code != 0


@pytest.mark.parametrize("what", ["folder", "link"])
def test_what_somebody_else_put_there_first_is_not_used(host: TwoUsers, what: str) -> None:
    place = f"/var/tmp/sonata-roots-{UID}"
    host.as_root("rm", "-rf", place)
    host.as_root("chmod", "1777", "/var/tmp")
    make = ["mkdir", "-m", "777", place] if what == "folder" else ["ln", "-s", f"/home/{NAME}", place]
    assert host.as_other(*make).code == 0
    refused = host("run", "--rm", "--userns", "auto", *NONE, host.image, "true")
    assert f"{place} is not this user's own folder" in refused.err
    host.as_root("rm", "-rf", place)
    runtime = f"/run/shared/storage-run-{UID}"
    make[-1] = runtime
    assert host.as_other(*make).code == 0
    refused = host.as_user(*PROGRAM, "ps", XDG_RUNTIME_DIR=runtime)
    assert f'path "{runtime}" exists and it is not writeable only by the current user' in refused.err
    assert not host.home("libpod").exists()
    host.as_root("rm", "-rf", runtime)


def test_no_descriptor_gets_into_a_container_or_stays_with_a_helper(host: TwoUsers) -> None:
    secret = os.open("/etc/shadow", os.O_RDONLY)
    folder = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    seen = ["sh", "-c", "ls -l /proc/self/fd"]
    try:
        for words in (
            ["run", "-d", "--name", "held", host.image, "sleep", "1000"],
            ["run", "--rm", *NONE, host.image, *seen],
            ["run", "--rm", "--privileged", "--pid", "host", *NONE, host.image, *seen],
            ["exec", "held", *seen],
            ["exec", "--privileged", "held", *seen],
        ):
            done = subprocess.run(
                host.argv(*words),
                pass_fds=(secret, folder),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                check=True,
            )
            links = [line.split(" -> ")[1] for line in done.stdout.decode().splitlines() if " -> " in line]
            assert not {"/etc/shadow", "/"}.intersection(links), done.stdout
        for number in (secret, folder, 3, 8):
            assert host("exec", "-w", f"/proc/self/fd/{number}", "held", "ls").code != 0
    finally:
        os.close(secret)
        os.close(folder)
    kept = {pid: held(pid, host.pid) for pid in host.proc()}
    host.ok("rm", "-f", "-t", "0", "held")
    assert len(kept) > 3
    assert [links for links in kept.values() if "/etc/shadow" in links or "/" in links] == []


def held(pid: int, root: int) -> list[str]:
    """Where a process's descriptors lead; by its number inside."""
    folder = f"/proc/{root}/root/proc/{pid}/fd"
    found = []
    try:
        for name in os.listdir(folder):
            found.append(os.readlink(f"{folder}/{name}"))
    except OSError:
        pass
    return found


def test_a_working_folder_is_in_the_container_or_nowhere(host: TwoUsers) -> None:
    for folder in ("/proc/self/fd/5", "/proc/self/fd/8", "/proc/self/cwd/../../..", "/proc/1/root/.."):
        done = host("run", "--rm", *NONE, "-w", folder, host.image, "ls", "-a", ".")
        assert "home" not in done.out.split(), (folder, done)
    host.ok("create", "--name", "odd", *NONE, host.image, "ls", "-a", ".")
    host.ok("commit", "-q", "-c", "WORKDIR /proc/self/fd/8", "odd", "localhost/odd")
    done = host("run", "--rm", *NONE, "localhost/odd", "ls", "-a", ".")
    assert "home" not in done.out.split(), done
    assert json.loads(host.ok("inspect", "localhost/odd"))[0]["Config"]["WorkingDir"] == "/proc/self/fd/8"
    host.ok("rm", "odd")


def test_nothing_of_the_working_folder_or_of_the_environment_is_run(host: TwoUsers) -> None:
    trap = "/run/shared/trap"
    modules = " ".join(f"{trap}/{name}.py" for name in ("os", "json", "sonata", "sitecustomize", "usercustomize"))
    lines = f"open({trap!r} + '/sprung', 'w')"
    host.as_other("sh", "-c", f'umask 000; mkdir -p {trap}; for f in {modules}; do echo "{lines}" > $f; done')
    for name in ("newuidmap", "conmon", "crun", "nsenter"):
        host.as_other("sh", "-c", f"printf '#!/bin/sh\\n>{trap}/sprung' > {trap}/{name}; chmod 755 {trap}/{name}")
    traps = {name: trap for name in ("PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH")}
    words = ("sh", "-c", f'cd {trap} && exec "$@"', "x", *PROGRAM, "run", "--rm", *NONE, host.image, "echo", "fine")
    done = host.as_user(*words, PYTHONSTARTUP=f"{trap}/os.py", **traps)
    assert done.out == "fine", done
    assert host.as_root("ls", f"{trap}/sprung").code != 0


def test_a_pause_file_that_names_somebody_elses_process_leads_nowhere(host: TwoUsers) -> None:
    host.ok("system", "migrate")
    other = subprocess.Popen(host.other_argv("unshare", "-Ur", "sleep", "1000"))
    try:
        pid = started(host, "sleep 1000", other)
        for number in ("1", pid, "0", "-1", "99999999", "x" * 5000):
            host.as_user("mkdir", "-p", f"/run/user/{UID}/libpod/tmp")
            host.as_user("sh", "-c", f"printf '%s' {number} > /run/user/{UID}/libpod/tmp/pause.pid")
            assert host.ok("unshare", "cat", "/proc/self/uid_map").split()[:3] == ["0", str(UID), "1"], number
    finally:
        other.kill()
        other.wait()


def started(host: TwoUsers, words: str, program: subprocess.Popen[bytes]) -> str:
    """The process of these words, once it is there."""
    while program.poll() is None:
        found = [str(pid) for pid, shown in host.proc().items() if shown == words]
        if found:
            return found[0]
        time.sleep(0.02)
    pytest.fail(f"{words} ended with {program.returncode}")


def test_marks_in_the_environment_make_nobody_else_of_a_user(host: TwoUsers) -> None:
    for number in ("0", str(OTHER)):
        marks = {"_CONTAINERS_USERNS_CONFIGURED": "done", "_CONTAINERS_ROOTLESS_UID": number}
        done = host.as_user(*PROGRAM, "volume", "create", "marked", **marks)
        assert (
            host.as_root("find", "/var/lib/containers", f"/run/user/{OTHER}", "/home/other", "-name", "marked").out
            == ""
        )
        if done.code == 0:
            host.ok("volume", "rm", "marked")


def test_owners_of_what_a_link_in_a_volume_leads_to_stay(host: TwoUsers) -> None:
    host.as_user("sh", "-c", "echo mine > private; mkdir secrets; echo key > secrets/key")
    plant = f"ln -s /home/{NAME}/private /v/file; ln -s /home/{NAME}/secrets /v/folder; ln -s /proc/1/root /v/root"
    host.ok("run", "--rm", *NONE, "-v", "planted:/v", host.image, "sh", "-c", plant)
    host.ok("run", "--rm", *NONE, "-v", "planted:/v:U", "--user", "1000", host.image, "true")
    for name in ("private", "secrets", "secrets/key"):
        assert host.home(name).stat().st_uid == UID, name
    host.ok("volume", "rm", "planted")
    assert host.home("secrets/key").read_text() == "key\n"


def test_another_users_namespaces_are_not_joined(host: TwoUsers, running: str) -> None:
    pid = host.ok("inspect", "--format", "{{.State.Pid}}", running)
    host.as_root("sh", "-c", "mkdir -p /home/other/root/bin && cp /bin/busybox /home/other/root/bin/sh")
    host.as_root("chown", "-R", f"{OTHER}:{OTHER}", "/home/other")
    for option, kind in (("--network", "net"), ("--pid", "pid"), ("--ipc", "ipc"), ("--userns", "user")):
        words = (option, f"ns:/proc/{pid}/ns/{kind}")
        done = host.as_other(*PROGRAM, "run", "--rm", *words, "--rootfs", "/home/other/root", "sh", "-c", "echo joined")
        assert done.code not in (0, 1), (kind, done)
        assert "joined" not in done.out
    for words in (["--network", f"container:{running}"], ["--volumes-from", running]):
        done = host.as_other(*PROGRAM, "run", "--rm", *words, "--rootfs", "/home/other/root", "sh", "-c", "echo joined")
        assert done.code == 125, (words, done)


def test_another_users_store_is_nobodys_additional_one(host: TwoUsers) -> None:
    done = host.as_other(*PROGRAM, "--storage-opt", f"overlay.imagestore={GRAPH}", "images", "-q")
    assert done.out == ""
    done = host.as_user(*PROGRAM, "--root", "/var/lib/containers/storage", "images")
    assert done.code == 125, done
    assert "denied" in done.err or "not writeable" in done.err


def test_no_control_group_of_the_host_is_written(host: TwoUsers) -> None:
    script = (
        "mkdir /c; for t in cgroup cgroup2; do for o in memory rdma hugetlb pids; do "
        "/bin/busybox mount -t $t -o $o cg /c && for f in /c/release_agent /c/cgroup.procs /c/notify_on_release; do "
        "[ -w $f ] && echo /evil > $f && echo written; done; /bin/busybox umount /c; done; done;"
        "for f in /sys/fs/cgroup/*/release_agent; do [ -e $f ] && echo /evil > $f && echo written; done"
    )
    for words in (["--privileged"], ["--privileged", "--cgroupns", "host", "-v", "/sys/fs/cgroup:/sys/fs/cgroup:rw"]):
        assert "written" not in tried(host, *words, script=script).splitlines()


def test_mounts_of_a_container_do_not_reach_the_host(host: TwoUsers) -> None:
    host.as_user("mkdir", "-p", "spread")
    script = "/bin/busybox mount -t tmpfs t /s && echo x > /s/mark && echo mounted"
    said = tried(host, "--privileged", "-v", f"/home/{NAME}/spread:/s:rshared", script=script)
    assert "mounted" in said
    assert not host.home("spread/mark").exists()
    assert host.as_root("grep", "-c", f"/home/{NAME}/spread ", "/proc/mounts").out == "0"


def test_what_an_image_says_of_itself_is_no_word_to_the_runtime(host: TwoUsers) -> None:
    mark = f"/home/{NAME}/told"
    host.ok("create", "--name", "teller", *NONE, host.image, "true")
    labels = (
        "run.oci.hooks.stdout",
        "run.oci.keep_original_groups",
        "run.oci.handler",
        "io.podman.annotations.privileged",
    )
    changes = [word for name in labels for word in ("-c", f"LABEL {name}={mark}")]
    host.ok("commit", "-q", *changes, "teller", "localhost/teller")
    host.ok("rm", "teller")
    host.ok("create", "--name", "told", *NONE, "localhost/teller", "cat", "/proc/self/status")
    host.ok("init", "told")
    spec = next(host.home(".local/share/containers/storage").glob("*-containers/*/userdata/config.json"), None)
    texts = [spec.read_text()] if spec else []
    assert not any(json.loads(text).get("annotations", {}).get("run.oci.handler") for text in texts)
    assert host.home("told").exists() is False
    host.ok("rm", "-f", "-t", "0", "told")


def test_a_secret_lies_in_the_container_or_nowhere(host: TwoUsers) -> None:
    host.as_user("sh", "-c", "echo hidden > source")
    host.ok("secret", "create", "s", f"/home/{NAME}/source")
    for target in (f"../../../../home/{NAME}/evil", "/proc/self/fd/1/evil"):
        host("run", "--rm", *NONE, "--secret", f"s,target={target}", host.image, "true")
    assert host.as_root("find", "/home", "/run", "/var/tmp", "/etc", "-name", "evil").out == ""
    host.ok("secret", "rm", "s")
