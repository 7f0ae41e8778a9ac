"""What files and variables say of registries, seen by the whole program: each world is a mount namespace of its own."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sonata_testkit.debian_registry import DebianRegistry, installed
from sonata_testkit.registry import FakeRegistry, digest_of

sys.path.insert(0, str(Path(__file__).parent))
from plain_store import IMAGE, PlainStore

pytestmark = pytest.mark.needs_root

PLAIN = "--tls-verify=false"
EMPTY = bytes(1024)
HELPER = """#!/bin/sh
echo "$1" >> {folder}/log
case "$1" in
store) cat > {folder}/entry ;;
get) cat > {folder}/asked; if [ -s {folder}/entry ]; then cat {folder}/entry; else
    echo "credentials not found in native keychain"; exit 1; fi ;;
erase) rm {folder}/entry ;;
list) sed 's/.*"ServerURL": *"\\([^"]*\\)".*/{{"\\1": "user"}}/' {folder}/entry 2>/dev/null || echo '{{}}' ;;
esac
"""


class World:
    """The program, with folders of the test in the place of the host's."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.store = PlainStore(base)
        self.etc = base / "etc"
        self.programs = base / "programs"
        self.programs.mkdir()
        shutil.copytree("/etc/containers", self.etc, ignore=shutil.ignore_patterns("registries*", "certs*", "auth*"))
        self.environ = {"REGISTRY_AUTH_FILE": "", "XDG_RUNTIME_DIR": str(base / "runtime"), "HOME": str(base)}

    def words(self, *words: str) -> list[str]:
        mounts = f"mount --bind {self.etc} /etc/containers && mount --bind {self.programs} /usr/local/sbin"
        return ["unshare", "--mount", "sh", "-c", f'{mounts} && exec "$@"', "sh", *self.store.program, *words]

    def __call__(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        given = {**os.environ, **self.environ, **environ}
        command = self.words(*words)
        return subprocess.run(command, env=given, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    def out(self, *words: str, **environ: str) -> str:
        done = self(*words, **environ)
        assert done.returncode == 0, done.stderr
        return done.stdout.rstrip("\n")

    def refused(self, *words: str, **environ: str) -> str:
        done = self(*words, **environ)
        assert done.returncode == 125, (done.returncode, done.stdout, done.stderr)
        return done.stderr


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.store.close()


def add_helper(world: World) -> Path:
    folder = world.base / "keys"
    folder.mkdir()
    program = world.programs / "docker-credential-kit"
    program.write_text(HELPER.format(folder=folder))
    program.chmod(0o755)
    (world.etc / "registries.conf").write_text('credential-helpers = ["kit"]\n')
    return folder


def test_a_credential_helper_keeps_gives_lists_and_forgets(world: World) -> None:
    folder = add_helper(world)
    with FakeRegistry(auth="basic") as registry:
        registry.add_image("demo/box", "1", [EMPTY])
        pull = ("pull", "-q", PLAIN, f"{registry.host}/demo/box:1")
        login = ("login", PLAIN, "-v", "-u", "user", "-p", "secret", registry.host)
        assert "authentication required" in world.refused(*pull)
        assert world.out(*login) == "Used:  credential helper: kit\nLogin Succeeded!"
        kept = json.loads((folder / "entry").read_text())
        assert kept == {"ServerURL": registry.host, "Username": "user", "Secret": "secret"}
        assert not (world.base / "runtime").exists()
        assert world.out(*pull)
        assert (folder / "asked").read_text().strip() == registry.host
        assert world.out("logout", registry.host) == f"Removed login credentials for {registry.host}"
        assert "authentication required" in world.refused(*pull)
        world.out(*login)
        world.out("logout", "--all")
        assert not (folder / "entry").exists()
        assert {"store", "get", "erase", "list"} <= set((folder / "log").read_text().split())


def test_a_helper_that_fails_or_is_missing_sends_nothing(world: World) -> None:
    add_helper(world)
    with FakeRegistry() as registry:
        registry.add_image("demo/box", "1", [EMPTY])
        pull = ("pull", "-q", PLAIN, f"{registry.host}/demo/box:1")
        (world.programs / "docker-credential-kit").write_text("#!/bin/sh\necho boom; exit 3\n")
        told = "getting username and password: error getting credentials - err: exit status 3, out: `boom`"
        assert f"initializing source docker://{registry.host}/demo/box:1: {told}" in world.refused(*pull)
        (world.programs / "docker-credential-kit").unlink()
        assert '"docker-credential-kit" is not in' in world.refused(*pull)
        assert not registry.requests


def test_files_of_credentials_in_their_order(world: World) -> None:
    with FakeRegistry(auth="basic") as registry:
        registry.add_image("demo/box", "1", [EMPTY])
        pull = ("pull", "-q", PLAIN, f"{registry.host}/demo/box:1")
        good = json.dumps({"auths": {registry.host: {"auth": "dXNlcjpzZWNyZXQ="}}})
        bad = json.dumps({"auths": {registry.host: {"auth": "dXNlcjp3cm9uZw=="}}})
        places = (".docker/config.json", ".config/containers/auth.json", "runtime/containers/auth.json")
        for place in places:  # the later goes before the earlier
            path = world.base / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(bad)
            assert "authentication required" in world.refused(*pull), place
            path.write_text(good)
            assert world.out(*pull), place
        other = world.base / "other.json"
        other.write_text(bad)
        assert "authentication required" in world.refused(*pull, REGISTRY_AUTH_FILE=str(other))
        assert world.out(*pull, "--creds=user:secret", REGISTRY_AUTH_FILE=str(other))


def test_a_file_of_credentials_that_cannot_be_read_is_an_error(world: World) -> None:
    with FakeRegistry() as registry:
        registry.add_image("demo/box", "1", [EMPTY])
        path = world.base / "half.json"
        for content in ("", '{"auths": {"'):
            path.write_text(content)
            said = world.refused("pull", "-q", PLAIN, f"--authfile={path}", f"{registry.host}/demo/box:1")
            told = f'getting username and password: reading JSON file "{path}": unmarshaling JSON at "{path}": '
            assert f"initializing source docker://{registry.host}/demo/box:1: {told}" in said
        assert not registry.requests


def test_a_password_for_a_registry_is_none_for_its_mirrors(world: World) -> None:
    with FakeRegistry(auth="basic") as main, FakeRegistry(auth="basic") as mirror:
        for registry in (main, mirror):
            registry.add_image("demo/box", "1", [EMPTY])
        (world.etc / "registries.conf").write_text(
            f'[[registry]]\nlocation = "{main.host}"\ninsecure = true\n'
            f'[[registry.mirror]]\nlocation = "{mirror.host}"\ninsecure = true\n'
        )
        name = f"{main.host}/demo/box:1"
        world.out("pull", "-q", "--creds=user:secret", name)
        world.out("image", "copy", "-q", "--src-creds=user:secret", f"docker://{name}", f"dir:{world.base}/copy")
        assert mirror.seen("GET", "/manifests/")
        assert not [one for one in mirror.requests if "authorization" in one.headers]
        assert main.seen("GET", "/blobs/")
        kept = world.base / "auth.json"
        kept.write_text(json.dumps({"auths": {mirror.host: {"auth": "dXNlcjpzZWNyZXQ="}}}))
        main.requests.clear()
        world.out("pull", "-q", f"--authfile={kept}", name)
        assert not main.requests


def test_login_asks_at_a_terminal(world: World) -> None:
    with FakeRegistry(auth="basic") as registry:
        ours, theirs = pty.openpty()
        command = world.words("login", PLAIN, registry.host)
        environ = {**os.environ, **world.environ}
        with subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, env=environ
        ) as run:
            os.close(theirs)
            seen, answers = b"", [(b"Username: ", b"user\n"), (b"Password: ", b"secret\n")]
            while select.select([ours], [], [], 60)[0]:
                try:
                    seen += os.read(ours, 4096)
                except OSError:
                    break
                if answers and answers[0][0] in seen:
                    os.write(ours, answers.pop(0)[1])
            if run.poll() is None and answers:
                run.kill()
        os.close(ours)
        assert run.returncode == 0, seen
        assert b"Login Succeeded!" in seen
        assert b"secret" not in seen
        kept = json.loads((world.base / "runtime/containers/auth.json").read_text())
        assert kept == {"auths": {registry.host: {"auth": "dXNlcjpzZWNyZXQ="}}}


def test_mirrors_prefixes_and_blocks_in_drop_in_files(world: World) -> None:
    with FakeRegistry() as main, FakeRegistry() as mirror:
        for registry, repository in ((main, "demo/box"), (mirror, "cache/box")):
            registry.add_image(repository, "1", [EMPTY])
        drop_ins = world.etc / "registries.conf.d"
        drop_ins.mkdir()
        (world.etc / "registries.conf").write_text('unqualified-search-registries = ["nothing.example"]\n')
        (drop_ins / "10-main.conf").write_text(
            f'[[registry]]\nprefix = "example.com/foo"\nlocation = "{main.host}/demo"\ninsecure = true\n'
            f'[[registry.mirror]]\nlocation = "{mirror.host}/cache"\ninsecure = true\n'
            'pull-from-mirror = "digest-only"\n'
        )
        (drop_ins / "20-more.conf").write_text(
            f'unqualified-search-registries = ["example.com"]\n[[registry]]\nprefix = "*.wild.example"\n'
            f'location = "{main.host}"\ninsecure = true\n'
            '[[registry]]\nlocation = "blocked.example"\nblocked = true\n'
        )
        image = world.out("pull", "-q", "example.com/foo/box:1")
        assert main.requests
        assert not mirror.requests
        main.requests.clear()
        digest = digest_of(main.manifests["demo/box"]["1"][1])
        assert world.out("pull", "-q", f"example.com/foo/box@{digest}") == image
        assert mirror.requests
        assert not main.requests
        assert world.out("pull", "-q", "foo/box:1") == image
        assert world.out("pull", "-q", "a.wild.example/demo/box:1") == image
        said = world.refused("pull", "-q", "blocked.example/demo/box:1")
        assert "initializing source docker://blocked.example/demo/box:1: registry blocked.example is blocked in" in said
        names = world.out("images", "--format={{.Repository}}:{{.Tag}}").split()
        assert {"example.com/foo/box:1", "a.wild.example/demo/box:1"} <= set(names)
        mirror.trouble.broken = 100
        assert world.out("pull", "-q", "--retry=0", f"example.com/foo/box@{digest}") == image
        push = ("push", "-q", IMAGE, "docker://example.com/foo/new:1")
        assert world.out(*push) == ""
        assert "1" in main.manifests["demo/new"]
        override = world.base / "override.conf"
        override.write_text('[[registry]]\nlocation = "example.com/foo"\nblocked = true\n')
        said = world.refused("pull", "-q", "example.com/foo/box:1", CONTAINERS_REGISTRIES_CONF_OVERRIDE=str(override))
        assert "is blocked" in said


@pytest.mark.skipif(not installed(), reason="needs docker-registry")
def test_client_certificates_of_certs_d(world: World) -> None:
    with DebianRegistry(world.base / "registry", tls=True, clients=True) as registry:
        push = ("push", "-q", IMAGE, f"docker://{registry.host}/demo/box:1")
        certificates = world.etc / "certs.d" / registry.host
        certificates.mkdir(parents=True)
        assert "failed to verify certificate" in world.refused(*push)
        shutil.copy(registry.ca, certificates / "ca.crt")
        assert registry.host in world.refused(*push, "--retry=0")
        shutil.copy(registry.folder / "client.cert", certificates)
        assert "missing key client.key for" in world.refused(*push)
        shutil.copy(registry.folder / "client.key", certificates)
        world.out(*push)
        assert world.out("pull", "-q", f"{registry.host}/demo/box:1")


def test_proxies(world: World) -> None:
    with FakeRegistry() as registry:  # it takes whole addresses, as a proxy does
        registry.add_image("demo/box", "1", [EMPTY])
        pull = ("pull", "-q", "--retry=0", PLAIN, "registry.example/demo/box:1")
        proxy = {"HTTP_PROXY": f"http://{registry.host}", "HTTPS_PROXY": f"http://{registry.host}"}
        assert world.out(*pull, **proxy)
        assert registry.seen("GET", "http://registry.example/v2/demo/box/manifests/1")
        registry.requests.clear()
        assert "registry.example" in world.refused(*pull, **proxy, NO_PROXY="example")
        assert not registry.requests
        socks = {"HTTP_PROXY": "socks5://127.0.0.1:1", "HTTPS_PROXY": "socks5://127.0.0.1:1"}
        assert "proxy of scheme socks5" in world.refused(*pull, **socks)
