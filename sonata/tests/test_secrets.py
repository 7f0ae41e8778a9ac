"""Secrets: kept as Podman keeps them, and seen by nobody but their container."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from sonata.store.secrets import Secret, SecretStore
from sonata_core.errors import AlreadyExists, Damaged, NotFound, UsageError

sys.path.insert(0, os.path.dirname(__file__))
from live_world import LiveWorld

NEW = Secret(id="", name="s1", created="2026-11-22T00:24:28.078107685Z", updated="2026-11-22T00:24:28.078107685Z")
PODMAN = """{
  "secrets": {
    "%(id)s": {
      "name": "s1",
      "id": "%(id)s",
      "labels": {
        "a": "b"
      },
      "createdAt": "2026-11-22T00:24:28.078107685Z",
      "updatedAt": "2026-11-22T00:24:28.078107685Z",
      "driver": "file",
      "driverOptions": {
        "path": "%(root)s/secrets/filedriver"
      }
    }
  },
  "nameToID": {
    "s1": "%(id)s"
  },
  "idToName": {
    "%(id)s": "s1"
  }
}"""


def test_files_are_podmans_to_the_byte(tmp_path: Path) -> None:
    kept = SecretStore(str(tmp_path))
    made = kept.add(NEW.replace(labels={"a": "b"}), b"hello\n")
    assert len(made.id) == 25
    index = tmp_path / "secrets/secrets.json"
    data = tmp_path / "secrets/filedriver/secretsdata.json"
    assert index.read_text() == PODMAN % {"id": made.id, "root": tmp_path}
    assert data.read_text() == f'{{\n  "{made.id}": "aGVsbG8K"\n}}'
    for path, mode in ((index, 0o600), (data, 0o600), (tmp_path / "secrets", 0o700), (data.parent, 0o700)):
        assert stat.S_IMODE(path.stat().st_mode) == mode
    assert kept.find("s1") == kept.find(made.id) == kept.find(made.id[:4]) == made
    assert kept.data(made) == b"hello\n"


def test_replaced_and_removed(tmp_path: Path) -> None:
    kept = SecretStore(str(tmp_path))
    first = kept.add(NEW, b"one")
    with pytest.raises(AlreadyExists, match="s1: secret name in use"):
        kept.add(NEW, b"two")
    second = kept.add(NEW, b"two", replace=True)
    assert second.id != first.id
    with pytest.raises(NotFound):
        kept.data(first)
    assert kept.remove("s1") == second
    assert kept.all() == []
    with pytest.raises(NotFound, match='no secret with name or id "s1": no such secret'):
        kept.remove("s1")


@pytest.mark.parametrize("name", ["", "a/b", "a=b", "a,b", "a\0b", "x" * 254])
def test_names_that_may_not_be(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="invalid secret name"):
        SecretStore(str(tmp_path)).add(NEW.replace(name=name), b"x")


@pytest.mark.parametrize("size", [0, 512000])
def test_sizes_that_may_not_be(tmp_path: Path, size: int) -> None:
    with pytest.raises(UsageError, match="must be larger than 0 and less than 512000 bytes"):
        SecretStore(str(tmp_path)).add(NEW, b"x" * size)


@pytest.mark.parametrize("text", ["{", "[]", '{"secrets": {"a": {}}}', '{"secrets": {"a": 1}}'])
def test_a_broken_index_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/secrets.json").write_text(text)
    with pytest.raises(Damaged):
        SecretStore(str(tmp_path)).all()


needs_root = [
    pytest.mark.needs_root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not shutil.which("conmon"), reason="needs conmon"),
]
CANARY = "canary-6f1d9c0b5e"


def with_live(function: object) -> object:
    for mark in needs_root:
        function = mark(function)
    return function


@with_live
def test_commands(world: LiveWorld) -> None:
    ident = world.ok("secret", "create", "-l", "a=b", "one", "-", input="x")
    (Path(world.base) / "two").write_text("y")
    world.ok("secret", "create", "two", f"{world.base}/two")
    world.ok("secret", "create", "--env", "three", "THREE", env={**os.environ, "THREE": "z"})
    assert world.ok("secret", "ls", "-q", "--filter", "name=^o") == ident
    rows = [line.split() for line in world.ok("secret", "ls").splitlines()]
    assert rows[0] == ["ID", "NAME", "DRIVER", "CREATED", "UPDATED"]
    assert [row[1:3] for row in rows[1:]] == [["one", "file"], ["three", "file"], ["two", "file"]]
    found = json.loads(world.ok("secret", "inspect", "one"))[0]
    assert found["ID"] == ident
    assert found["Spec"]["Labels"] == {"a": "b"}
    assert "SecretData" not in found
    assert json.loads(world.ok("secret", "inspect", "--showsecret", "one"))[0]["SecretData"] == "x"
    assert world.ok("secret", "inspect", "--format={{.Spec.Name}} {{.Spec.Driver.Name}}", "three") == "three file"
    assert world.run("secret", "exists", "one").returncode == 0
    assert world.run("secret", "exists", "four").returncode == 1
    missing = world.run("secret", "inspect", "four")
    assert (missing.returncode, missing.stdout) == (125, "[]\n")
    assert missing.stderr == 'Error: inspecting secret: no secret with name or id "four": no such secret\n'
    again = world.run("secret", "create", "one", "-", input="x")
    assert (again.returncode, again.stderr.splitlines()[0]) == (125, "Error: one: secret name in use")
    assert world.ok("secret", "create", "--ignore", "one", "-", input="x") == ident
    assert world.ok("secret", "rm", "one") == ident
    assert len(world.ok("secret", "rm", "--all").split()) == 2
    statuses = [event["Status"] for event in world.events("--filter=type=secret")]
    assert statuses == ["create"] * 3 + ["remove"] * 3


@with_live
def test_files_and_variables_in_the_container(world: LiveWorld) -> None:
    world.ok("secret", "create", "s", "-", input="hello")
    world.start(
        "a", "--secret", "s", "--secret", "s,target=sub/x,uid=3,gid=4,mode=0400", "--secret", "s,target=/etc/deep/x",
        "--secret", "s,type=env,target=WORD",
    )  # fmt: skip
    assert world.ok("exec", "a", "cat", "/run/secrets/s", "/run/secrets/sub/x", "/etc/deep/x") == "hello" * 3
    assert world.ok("exec", "a", "stat", "-c", "%u:%g %a", "/run/secrets/sub/x") == "3:4 400"
    assert world.ok("exec", "a", "stat", "-c", "%u:%g %a", "/run/secrets/s") == "0:0 444"
    assert "WORD=hello" in world.ok("exec", "a", "cat", "/proc/1/environ")
    assert world.ok("exec", "a", "sh", "-c", "echo $WORD") == "hello"
    shown = world.inspect("a")["Config"]
    assert [(one["Name"], one["UID"], one["Mode"]) for one in shown["Secrets"]] == [
        ("s", 0, 0o444), ("s", 3, 0o400), ("s", 0, 0o444),
    ]  # fmt: skip
    assert "WORD=*******" in shown["Env"]
    world.ok("secret", "create", "--replace", "s", "-", input="again")
    world.ok("restart", "-t", "0", "a")
    assert world.ok("exec", "a", "cat", "/run/secrets/s") == "again"
    world.ok("secret", "rm", "s")
    assert world.ok("exec", "a", "sh", "-c", "echo $WORD") == "again"
    world.ok("stop", "-t", "0", "a")
    assert 'no secret with name or id "s": no such secret' in world.run("start", "a").stderr
    assert world.inspect("a")["State"]["Status"] == "exited"
    assert world.base not in Path("/proc/self/mountinfo").read_text()


@with_live
def test_what_cannot_be_is_refused_before_anything_is_made(world: LiveWorld) -> None:
    done = world.run("create", "--secret", "nope", "--rootfs", world.rootfs, "true")
    assert (done.returncode, "no such secret" in done.stderr) == (125, True)
    world.ok("secret", "create", "s", "-", input="hello")
    assert world.run("create", "--secret", "s,target=../x", "--rootfs", world.rootfs, "true").returncode == 125
    assert world.ok("ps", "-aq") == ""


@with_live
@pytest.mark.parametrize("running", [True, False])
def test_nobody_else_ever_sees_it(world: LiveWorld, running: bool) -> None:
    world.ok("secret", "create", "s", "-", input=CANARY)
    with tarfile.open(f"{world.base}/image.tar", "w") as packed:
        packed.add(world.rootfs, arcname=".")
    world.ok("import", "-q", f"{world.base}/image.tar", "localhost/box:1")
    uses = ("--secret=s", "--secret=s,target=/root/x", "--secret=s,type=env,target=WORD")
    world.ok("run", "-d", "--name=a", "--network=none", *uses, "localhost/box:1", "sleep", "1000")
    assert world.ok("exec", "a", "cat", "/run/secrets/s") == CANARY
    world.ok("exec", "a", "true")
    world.ok("exec", "-d", "a", "sleep", "100")
    seen = world.ok("inspect", "a") + world.ok("events", "--stream=false") + world.ok("logs", "a")
    seen += world.ok("system", "state")
    world.ok("commit", "-q", "--pause=false", "a", "localhost/made:1")
    seen += world.ok("history", "--no-trunc", "localhost/made:1") + world.ok("image", "inspect", "localhost/made:1")
    seen += world.ok("secret", "inspect", "s") + world.ok("secret", "ls") + world.ok("diff", "a")
    with tarfile.open(
        fileobj=io.BytesIO(subprocess.run(world.argv("export", "a"), capture_output=True, check=True).stdout)
    ) as tar:
        members = [tar.extractfile(one) for one in tar.getmembers() if one.isfile()]
        assert all(CANARY.encode() not in one.read() for one in members if one is not None)
    assert CANARY not in seen
    if not running:
        world.ok("stop", "-t", "0", "a")
    assert [path for path in every_file(world.base) if CANARY.encode() in contents(path)] == []
    for folder, _, names in os.walk(f"{world.base}/graph/secrets"):
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
        assert all(
            stat.S_IMODE(os.stat(f"{folder}/{name}").st_mode) & 0o077 == 0 for name in names if name.endswith("json")
        )
    for pid in filter(str.isdigit, os.listdir("/proc")):
        assert CANARY.encode() not in contents(f"/proc/{pid}/cmdline")


def every_file(base: str) -> list[str]:
    """Files below the graph root, the run root and the rest of the world, but for the secret store itself."""
    found = []
    for folder, _, names in os.walk(base):
        found += [f"{folder}/{name}" for name in names if not folder.startswith(f"{base}/graph/secrets")]
    assert len(found) > 10
    return found


def contents(path: str) -> bytes:
    if not os.path.isfile(path):
        return b""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


@with_live
def test_a_start_that_fails_or_is_killed_leaves_no_secret(world: LiveWorld) -> None:
    world.ok("secret", "create", "s", "-", input=CANARY)
    words = ("run", "--name", "a", "--network=none", "--secret", "s", "--secret", "s,type=env", "--rootfs")
    assert world.run(*words, world.rootfs, "no-such-command").returncode == 127
    assert world.base not in Path("/proc/self/mountinfo").read_text()
    assert [path for path in every_file(world.base) if CANARY.encode() in contents(path)] == []
    world.ok("rm", "a")
    world.ok("create", *words[1:], world.rootfs, "sleep", "1000")
    for moment in (0.1, 0.15, 0.2, 0.25, 0.3):
        with subprocess.Popen(world.argv("start", "a"), stdout=-1, stderr=-1) as starting:
            time.sleep(moment)
            starting.kill()
        world.ok("ps", "-a")
        world.run("stop", "-t0", "a")
        assert [path for path in every_file(world.base) if CANARY.encode() in contents(path)] == []
    world.ok("rm", "-f", "a")
    assert world.base not in Path("/proc/self/mountinfo").read_text()


@with_live
def test_options_of_run_as_podman_reads_them(world: LiveWorld) -> None:
    world.ok("secret", "create", "s", "-", input="hello")
    words = ("run", "--rm", "--network=none", "--rootfs")
    shown = world.ok(
        *words[:-1], "--secret=source=s,uid=1", "--secret=type=env,source=s", "--rootfs", world.rootfs,
        "sh", "-c", "stat -c '%u:%g %a %s' /run/secrets/s; echo $s",
    )  # fmt: skip
    assert shown.splitlines() == ["1:0 444 5", "hello"]
    for text, trouble in (
        ("s,bogus=1", "option bogus=1 invalid: parsing secret"),
        ("s,foo", "option foo must be in form option=value: parsing secret"),
        ("s,type=x", "type x is invalid: parsing secret"),
        ("s,mode=9", "mode 9 invalid: parsing secret"),
        ("s,uid=x", "UID x invalid: parsing secret"),
        ("s,type=env,uid=1", "UID, GID, Mode options cannot be set with secret type env: parsing secret"),
        (",s", "option s must be in form option=value: parsing secret"),
        ("type=mount", 'no secret with name or id "type=mount": no such secret'),
        ("s,source=t", 'no secret with name or id "t": no such secret'),
    ):
        done = world.run(*words[:-1], f"--secret={text}", "--rootfs", world.rootfs, "true")
        assert done.returncode == 125
        assert trouble in done.stderr


def shell_driver(world: LiveWorld) -> str:
    """Four commands that keep each secret in a file, and write down what they saw; as --driver-opts has them."""
    folder = f"{world.base}/kept"
    os.mkdir(folder)
    world.who.give(folder)
    commands = {
        "list": f"ls {folder}",
        "lookup": f"cat {folder}/$SECRET_ID",
        "store": f"cat >{folder}/$SECRET_ID; xargs -0 </proc/$$/cmdline >>{world.base}/seen; env >>{world.base}/seen",
        "delete": f"rm {folder}/$SECRET_ID",
    }
    return ",".join(f"{key}={value}" for key, value in commands.items())


@with_live
def test_the_shell_driver_runs_the_users_commands(world: LiveWorld) -> None:
    options = shell_driver(world)
    ident = world.ok("secret", "create", "--driver=shell", f"--driver-opts={options}", "s", "-", input=CANARY)
    assert os.listdir(f"{world.base}/kept") == [ident]
    assert Path(world.base, "kept", ident).read_text() == CANARY
    seen = Path(world.base, "seen").read_text()
    assert f"SECRET_ID={ident}" in seen
    assert CANARY not in seen
    assert world.ok("secret", "inspect", "--showsecret", "--format={{.SecretData}}", "s") == CANARY
    assert world.ok("secret", "inspect", "--format=[{{.SecretData}}]", "s") == "[]"
    assert world.ok("secret", "inspect", "--format={{.Spec.Driver.Name}}", "s") == "shell"
    run = ("run", "--rm", "--network=none", "--secret=s", "--rootfs", world.rootfs, "cat", "/run/secrets/s")
    assert world.ok(*run) == CANARY
    assert not os.path.exists(f"{world.base}/graph/secrets/filedriver")
    world.ok("secret", "create", "--replace", "s", "-", input="new")
    assert os.listdir(f"{world.base}/kept") == []
    assert world.ok(*run) == "new"
    again = world.ok("secret", "create", "--driver=shell", f"--driver-opts={options}", "t", "-", input="x")
    assert world.ok("secret", "rm", "t") == again
    assert os.listdir(f"{world.base}/kept") == []


@with_live
def test_drivers_that_cannot_be_used_are_refused(world: LiveWorld) -> None:
    false = "list=false,lookup=false,store=echo why >&2; exit 7,delete=false"
    for words, trouble in (
        (("--driver=nope",), "Error: invalid driver\n"),
        (("--driver=shell",), "Error: missing config value\n"),
        (("--driver=shell", "--driver-opts=bogus=x"), 'Error: invalid shell driver option: "bogus"\n'),
        (("--driver=shell", f"--driver-opts={false}"), "Error: creating secret s: exit status 7\n  hint: why\n"),
        (("--ignore", "--replace"), "Error: cannot use --ignore and --replace flags together\n"),
    ):
        done = world.run("secret", "create", *words, "s", "-", input="x")
        assert done.returncode == 125
        assert trouble in done.stderr
    assert world.ok("secret", "ls", "-q") == ""


@with_live
def test_the_configuration_names_the_driver(world: LiveWorld, tmp_path: Path) -> None:
    lines = "\n".join(
        f'{word.partition("=")[0]} = "{word.partition("=")[2]}"' for word in shell_driver(world).split(",")
    )
    conf = tmp_path / "conf"
    conf.write_text(f'[secrets]\ndriver = "shell"\n[secrets.opts]\n{lines}\n')
    env = {**os.environ, "CONTAINERS_CONF": str(conf)}
    ident = world.ok("secret", "create", "s", "-", input="x", env=env)
    assert os.listdir(f"{world.base}/kept") == [ident]
    world.ok("secret", "create", "--driver=file", "t", "-", input="y", env=env)
    assert os.listdir(f"{world.base}/kept") == [ident]


@pytest.mark.rootful("the store of keys is root's")
@with_live
@pytest.mark.skipif(not (shutil.which("pass") and shutil.which("gpg")), reason="needs pass, gpg")
def test_the_pass_driver_keeps_them_in_a_password_store(world: LiveWorld, tmp_path: Path) -> None:
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    env = {**os.environ, "GNUPGHOME": str(home), "PASSWORD_STORE_DIR": str(tmp_path / "store")}

    def tool(*words: str) -> str:
        return subprocess.run(words, env=env, capture_output=True, text=True, check=True).stdout

    try:
        tool("gpg", "--batch", "--passphrase", "", "--quick-gen-key", "sonata@example.invalid", "default", "default")
        tool("pass", "init", "sonata@example.invalid")
        options = f"root={tmp_path}/store,gpghomedir={home}"
        ident = world.ok("secret", "create", "--driver=pass", f"--driver-opts={options}", "s", "-", input=CANARY)
        assert CANARY.encode() not in (tmp_path / f"store/{ident}.gpg").read_bytes()
        assert tool("pass", "show", ident) == CANARY
        run = ("run", "--rm", "--network=none", "--secret=s,type=env", "--rootfs", world.rootfs, "sh", "-c", "echo $s")
        assert world.ok(*run) == CANARY
        assert [path for path in every_file(world.base) if CANARY.encode() in contents(path)] == []
        assert world.ok("secret", "rm", "s") == ident
        assert ident not in tool("pass", "ls")
        missing = world.run("secret", "create", "--driver=pass", f"--driver-opts=root={tmp_path}", "s", "-", input="x")
        assert f"{tmp_path} says no key" in missing.stderr
    finally:
        subprocess.run(["gpgconf", "--kill", "gpg-agent"], env=env, check=False)


@with_live
def test_listing_and_showing(world: LiveWorld) -> None:
    ident = world.ok("secret", "create", "-l", "a=b", "one", "-", input="x")
    world.ok("secret", "create", "two", "-", input="y")
    rows = world.ok("secret", "ls", "--noheading").splitlines()
    assert [row.split()[1:3] for row in rows] == [["one", "file"], ["two", "file"]]
    wanted = f"{ident} one file Less than a second ago"
    form = "{{.ID}} {{.Name}} {{.Driver}} {{.CreatedAt}}"
    shown = world.ok("secret", "ls", f"--filter=id={ident[:6]}", "--format", form)
    assert shown.split()[:3] == wanted.split()[:3]
    assert shown.endswith(" ago")
    refused = world.run("secret", "ls", "--filter=foo=bar")
    assert (refused.returncode, refused.stderr.splitlines()[0]) == (125, 'Error: invalid filter "foo"')
    pretty = world.ok("secret", "inspect", "--pretty", "--showsecret", "one").splitlines()
    assert pretty[0].split() == ["ID:", ident]
    assert " - a=b" in pretty
    assert pretty[-1].split() == ["Secret:", "x"]
    both = world.run("secret", "inspect", "--pretty", "--format=x", "one")
    assert (both.returncode, "cannot be used together" in both.stderr) == (125, True)
    missing = world.run("secret", "rm", "nope")
    assert missing.stderr == 'Error: no secret with name or id "nope": no such secret\n'
    assert world.ok("secret", "rm", "--ignore", "nope", "one") == ident
    assert "requires one argument, or the --all flag" in world.run("secret", "rm").stderr
