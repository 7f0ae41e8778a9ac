"""`pull` with its options, against registries on loopback: what comes, what is said, how it ends."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sonata_testkit.debian_registry import DebianRegistry, installed
from sonata_testkit.registry import FakeRegistry, digest_of

sys.path.insert(0, str(Path(__file__).parent))
from both_ways import Root
from plain_store import IMAGE, PlainStore

pytestmark = pytest.mark.needs_root

PLAIN = "--tls-verify=false"
EMPTY = bytes(1024)
INDEX = "application/vnd.oci.image.index.v1+json"


@pytest.fixture
def store(tmp_path: Path, who: Root) -> Iterator[PlainStore]:
    made = PlainStore(tmp_path, who=who)
    yield made
    made.close()


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as made:
        for tag in ("1", "2", "3"):
            made.add_image("demo/box", tag, [EMPTY])
        yield made


def add_index(registry: FakeRegistry) -> None:
    entries = []
    for architecture, more in (("amd64", {}), ("arm64", {"variant": "v8"})):
        registry.add_image("many", architecture, [bytes(10240)], architecture)
        kind, content = registry.manifests["many"][architecture]
        platform = {"os": "linux", "architecture": architecture, **more}
        entries.append({"mediaType": kind, "digest": digest_of(content), "size": len(content), "platform": platform})
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
    registry.add_manifest("many", "1", INDEX, json.dumps(index).encode())


def id_of(registry: FakeRegistry, repository: str, tag: str) -> str:
    config: str = json.loads(registry.manifests[repository][tag][1])["config"]["digest"]
    return config.partition(":")[2]


def test_what_is_said_and_printed(store: PlainStore, registry: FakeRegistry) -> None:
    name = f"{registry.host}/demo/box:1"
    done = store("pull", PLAIN, name)
    image = id_of(registry, "demo/box", "1")
    assert done.stdout.decode() == f"{image}\n"
    told = done.stderr.decode().splitlines()
    assert told[:2] == [f"Trying to pull {name}...", "Getting image source signatures"]
    assert told[-1] == "Writing manifest to image destination"
    quiet = store("image", "pull", "-q", PLAIN, name, f"docker://{registry.host}/demo/box:2")
    assert (quiet.stdout.decode(), quiet.stderr) == (f"{image}\n{image}\n", b"")
    digest = digest_of(registry.manifests["demo/box"]["1"][1])
    assert store.out("pull", "-q", PLAIN, f"{registry.host}/demo/box:nonesuch@{digest}") == image
    assert f"{registry.host}/demo/box:nonesuch" not in store.out("images", "--format={{.Repository}}:{{.Tag}}")
    assert (
        store.out("pull", "-q", f"docker-archive:{store.base}/box.tar")
        == store.out("images", "-q", "--no-trunc", IMAGE)[7:]
    )
    assert store.out("pull", "-q", f"containers-storage:{name}") == image
    assert store.out("pull", "-q", PLAIN, "--disable-content-trust", name) == image


def test_one_that_fails_does_not_keep_the_others_back(store: PlainStore, registry: FakeRegistry) -> None:
    names = [f"{registry.host}/demo/{name}" for name in ("no1:1", "box:1", "no2:1")]
    done = store("pull", PLAIN, "-q", *names)
    assert done.returncode == 125
    assert done.stdout.decode() == id_of(registry, "demo/box", "1") + "\n"
    said = [line for line in done.stderr.decode().splitlines() if line.startswith("Error")]
    for line, name in zip(said, (names[0], names[2]), strict=True):
        missing = name.rpartition(":")[0]
        assert line == (
            f"Error: unable to copy from source docker://{name}: initializing source docker://{name}: "
            f"reading manifest 1 in {missing}: manifest unknown"
        )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--policy=bad", "h.example/x"), 'unsupported pull policy "bad"'),
        (("--policy=never", "h.example/x:1"), "h.example/x:1: image not known"),
        (("--all-tags", "dir:/nonexistent"), "pulling all tags is not supported for dir transport"),
        (("h.example/BOX:1",), 'parsing reference "h.example/BOX:1": repository name must be lowercase'),
        (("http://h.example/box",), 'parsing reference "http://h.example/box": invalid reference format'),
        (("docker:h.example/box",), 'parsing reference "docker:h.example/box": invalid reference format'),
        (("--platform=linux/arm64", "--arch=arm64", "h.example/x"), "--platform option can not be specified with"),
        (("--retry-delay=bad", "h.example/x"), 'time: invalid duration "bad"'),
        (("--authfile=/nonexistent", "h.example/x"), "credential file is not accessible: faccessat /nonexistent"),
        (("--signature-policy=/nonexistent", "h.example/x"), "/nonexistent"),
        (("--decryption-key=x", "h.example/x"), "encrypted images (ocicrypt) cannot be read here"),
        (("--creds=user", "h.example/x"), "could not read password from terminal: inappropriate ioctl for device"),
        (("--creds=:word", "h.example/x"), "could not read username: EOF"),
        (("a" * 64,), "pull policy is always but image has been referred to by ID (aaaa"),
        (("--policy=missing", "sha256:" + "a" * 64), f"sha256:{'a' * 64}: image not known"),
        ((), "requires at least 1 arg(s), only received 0"),
    ],
)
def test_what_is_refused(store: PlainStore, words: tuple[str, ...], says: str) -> None:
    done = store("pull", *words)
    assert (done.returncode, says in done.stderr.decode()) == (125, True), done.stderr.decode()


def test_policies(store: PlainStore, registry: FakeRegistry) -> None:
    name = f"{registry.host}/demo/box:1"
    store.out("pull", PLAIN, "-q", name)
    image = id_of(registry, "demo/box", "1")
    for policy in ("never", "missing"):
        registry.requests.clear()
        assert store.out("pull", PLAIN, f"--policy={policy}", name) == image
        assert not registry.requests
    newer = store("pull", PLAIN, "--policy=newer", name)
    assert (newer.stdout.decode().strip(), newer.stderr) == (image, b"")
    assert registry.seen("GET", "/manifests/1")
    assert not registry.seen("GET", "/blobs/")
    registry.add_image("demo/box", "1", [EMPTY], "s390x")
    fresh = store("pull", PLAIN, "--policy=newer", name)
    assert fresh.stdout.decode().strip() == id_of(registry, "demo/box", "1") != image
    assert b"Trying to pull" in fresh.stderr
    registry.trouble.broken = 100
    assert store.out("pull", PLAIN, "--policy=newer", "--retry=0", name) == id_of(registry, "demo/box", "1")
    assert store("pull", PLAIN, "--policy=always", "--retry=0", name).returncode == 125
    short = fresh.stdout.decode()[:12]
    assert store.refused("pull", short).startswith(
        f"Error: pull policy is always but image has been referred to by ID ({short})"
    )


def test_all_tags(store: PlainStore, registry: FakeRegistry) -> None:
    done = store("pull", PLAIN, "-a", f"{registry.host}/demo/box:3")
    assert done.stdout.decode().split() == [id_of(registry, "demo/box", "1")] * 3
    told = [line for line in done.stderr.decode().splitlines() if line.startswith("Trying")]
    assert told == [f"Trying to pull {registry.host}/demo/box:{tag}..." for tag in "123"]
    kept = store.out("images", "--format={{.Tag}}", f"{registry.host}/demo/box").split()
    assert sorted(kept) == ["1", "2", "3"]
    assert "name unknown" in store.refused("pull", PLAIN, "-a", f"{registry.host}/demo/none")


def test_platforms(store: PlainStore, registry: FakeRegistry) -> None:
    add_index(registry)
    name = f"{registry.host}/many:1"
    for options, found in (
        ((), "amd64"),
        (("--arch=arm64",), "arm64"),
        (("--platform=linux/amd64",), "amd64"),
        (("--arch=arm64", "--variant=v8"), "arm64"),
        (("--os=linux",), "amd64"),
    ):
        assert store.out("pull", "-q", PLAIN, *options, name) == id_of(registry, "many", found), options
    for options in (("--os=windows",), ("--arch=arm64", "--variant=v9"), ("--platform=linux/riscv64",)):
        assert "no image found in" in store.refused("pull", "-q", PLAIN, *options, name), options
    alone = store("pull", PLAIN, "--arch=arm64", f"{registry.host}/demo/box:1")
    assert alone.returncode == 0
    assert "image platform (linux/amd64) does not match the expected platform (linux/arm64)" in alone.stderr.decode()
    host = store("pull", PLAIN, f"{registry.host}/demo/box:1")
    assert (host.returncode, b"does not match" in host.stderr) == (0, False)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"os": "linux", "architecture": "arm64", "variant": "v8"}, "linux/arm64/v8"),
        ({"os": "windows", "architecture": "amd64"}, "windows/amd64"),
        ({"os": "linux", "architecture": "amd64", "variant": "v3"}, "linux/amd64/v3"),
        ({"os": "linux", "architecture": "x86_64"}, ""),
        ({}, ""),
    ],
)
def test_an_image_for_another_machine_is_told_of(
    store: PlainStore, registry: FakeRegistry, said: dict[str, str], told: str
) -> None:
    """As podman 5.8.6 on amd64."""
    made = registry.add_image("demo/other", "1", [EMPTY])
    config = json.dumps({**said, "rootfs": {"type": "layers", "diff_ids": [digest_of(EMPTY)]}}).encode()
    wanted = {"mediaType": made["config"]["mediaType"], **registry.add_blob("demo/other", config)}
    manifest = {**{key: made[key] for key in ("schemaVersion", "mediaType", "layers")}, "config": wanted}
    registry.add_manifest("demo/other", "1", made["mediaType"], json.dumps(manifest).encode())
    done = store("pull", "-q", PLAIN, f"{registry.host}/demo/other:1")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.decode().splitlines() if "does not match" in line]
    assert [line.partition("image ")[2] for line in lines] == (
        [f"platform ({told}) does not match the expected platform (linux/amd64)"] if told else []
    )


def test_retries(store: PlainStore, registry: FakeRegistry) -> None:
    name = f"{registry.host}/demo/box:1"
    registry.trouble.broken = 2
    assert "503" in store.refused("pull", "-q", PLAIN, "--retry=1", "--retry-delay=1ms", name)
    registry.trouble.broken = 2
    assert store.out("pull", "-q", PLAIN, "--retry=2", "--retry-delay=1ms", name)


def test_credentials_and_their_files(store: PlainStore, tmp_path: Path) -> None:
    with FakeRegistry(auth="basic") as registry:
        registry.add_image("demo/box", "1", [EMPTY])
        name = f"{registry.host}/demo/box:1"
        assert ": authentication required" in store.refused("pull", PLAIN, name)
        assert "authentication required" in store.refused("pull", PLAIN, "--creds=user:wrong", name)
        assert store.out("pull", "-q", PLAIN, "--creds=user:secret", name)
        file = tmp_path / "auth.json"
        file.write_text(json.dumps({"auths": {f"{registry.host}/demo/box": {"auth": "dXNlcjpzZWNyZXQ="}}}))
        assert store.out("pull", "-q", PLAIN, f"--authfile={file}", name)
        registry.add_image("demo/other", "1", [EMPTY])
        assert "authentication required" in store.refused(
            "pull", PLAIN, f"--authfile={file}", f"{registry.host}/demo/other:1"
        )


@pytest.mark.skipif(not installed(), reason="needs docker-registry")
def test_tls_and_a_password_file(store: PlainStore, tmp_path: Path) -> None:
    with DebianRegistry(tmp_path / "registry", tls=True, user="user", password="secret") as registry:
        certificates = tmp_path / "certs"
        certificates.mkdir()
        os.symlink(registry.ca, certificates / "ca.crt")
        name = f"{registry.host}/demo/box:1"
        given = (f"--cert-dir={certificates}", "--creds=user:secret")
        store.out("push", "-q", *given, IMAGE, f"docker://{name}")
        assert "failed to verify certificate" in store.refused("pull", name)
        assert "authentication required" in store.refused("pull", given[0], name)
        image = store.out("pull", "-q", *given, name)
        assert image == store.out("pull", "-q", "--tls-verify=false", given[1], name)
        store.out("push", "-q", *given, IMAGE, f"docker://{registry.host}/demo/box:2")
        assert store.out("pull", "-q", "-a", *given, f"{registry.host}/demo/box").split() == [image, image]


def on_a_terminal(words: list[str], keys: bytes, until: bytes, environ: dict[str, str]) -> tuple[int, str]:
    """Run at a terminal of its own; press `keys` as soon as `until` is seen. Exit code and all that it shows."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        words, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, env=environ
    ) as run:
        os.close(theirs)
        seen = b""
        while select.select([ours], [], [], 60)[0]:
            try:
                seen += os.read(ours, 4096)
            except OSError:
                break
            if keys and until in seen:
                os.write(ours, keys)
                keys = b""
        if run.poll() is None and keys:
            run.kill()
    os.close(ours)
    return run.returncode, seen.decode()


def short_names(tmp_path: Path, registry: FakeRegistry, mode: str) -> dict[str, str]:
    conf = tmp_path / f"{mode}.conf"
    conf.write_text(
        f'unqualified-search-registries = ["127.0.0.1:1", "{registry.host}"]\nshort-name-mode = "{mode}"\n'
        f'[aliases]\n"known" = "{registry.host}/demo/box"\n'
    )
    return {**os.environ, "CONTAINERS_REGISTRIES_CONF": str(conf)}


def with_cache(store: PlainStore, tmp_path: Path, *words: str) -> list[str]:
    """The program with a cache of its own in the place of the host's."""
    cache = tmp_path / "cache"
    cache.mkdir(exist_ok=True)
    script = f'mount --bind {cache} /var/cache && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", script, "sh", *store.program, *words]


@pytest.mark.rootful("mounts over what the host has")
def test_short_names_without_a_terminal(store: PlainStore, registry: FakeRegistry, tmp_path: Path) -> None:
    def pull(mode: str, name: str) -> tuple[int, str]:
        environ = short_names(tmp_path, registry, mode)
        words = with_cache(store, tmp_path, "pull", PLAIN, "--retry=0", name)
        done = subprocess.run(words, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    code, said = pull("enforcing", "demo/box:1")
    assert (code, "Error: short-name resolution enforced but cannot prompt without a TTY" in said) == (125, True), said
    for mode in ("permissive", "disabled"):
        code, said = pull(mode, "demo/none:1")
        told = said.splitlines()
        assert code == 125
        assert told[0] == f'Resolving "demo/none" using unqualified-search registries ({tmp_path}/{mode}.conf)'
        assert told[1:3] == [f"Trying to pull {host}/demo/none:1..." for host in ("127.0.0.1:1", registry.host)]
        assert told[3] == "Error: 2 errors occurred while pulling:"
        assert told[4].startswith(
            " * unable to copy from source docker://127.0.0.1:1/demo/none:1: initializing source "
        )
    code, said = pull("enforcing", "known:2")
    assert (code, said.splitlines()[0]) == (0, f'Resolved "known" as an alias ({tmp_path}/enforcing.conf)')
    assert not (tmp_path / "cache/containers").exists()
    code, said = pull("permissive", "demo/box:1")
    assert code == 0, said
    code, said = pull("enforcing", "demo/box:1")  # its name is settled by the image that is there
    assert (code, said.splitlines()[0]) == (0, f"Trying to pull {registry.host}/demo/box:1...")


@pytest.mark.rootful("mounts over what the host has")
def test_short_names_are_chosen_at_a_terminal(store: PlainStore, registry: FakeRegistry, tmp_path: Path) -> None:
    environ = short_names(tmp_path, registry, "enforcing")
    words = with_cache(store, tmp_path, "pull", PLAIN, "demo/box:1")
    code, seen = on_a_terminal(words, b"\x03", b"demo/box:1\r\n", environ)
    assert (code, "Error: ^C" in seen) == (125, True), seen
    assert not (tmp_path / "cache/containers").exists()
    code, seen = on_a_terminal(words, b"\x1b[B\r", f"    {registry.host}/demo/box:1\r\n".encode(), environ)
    assert code == 0, seen
    assert "\x1b[34m?\x1b[0m Please select an image: \r\n" in seen
    assert "  \x1b[1m\N{BLACK RIGHT-POINTING SMALL TRIANGLE}\x1b[0m \x1b[4m127.0.0.1:1/demo/box:1\x1b[0m\r\n" in seen
    chosen = f"\x1b[32m\x1b[32m\N{HEAVY CHECK MARK}\x1b[0m \x1b[2m{registry.host}/demo/box:1\x1b[0m\r\n"
    assert chosen in seen
    kept = (tmp_path / "cache/containers/short-name-aliases.conf").read_text()
    assert kept == f'[aliases]\n  "demo/box" = "{registry.host}/demo/box"\n'
    store.out("rmi", "-f", f"{registry.host}/demo/box:1")
    code, seen = on_a_terminal(with_cache(store, tmp_path, "pull", PLAIN, "demo/box:2"), b"", b"", environ)
    assert code == 0
    assert 'Resolved "demo/box" as an alias (/var/cache/containers/short-name-aliases.conf)' in seen


def test_an_unchanged_image_costs_two_questions(store: PlainStore) -> None:
    with FakeRegistry() as registry:
        registry.add_image("demo/box", "1", [EMPTY])
        name = f"{registry.host}/demo/box:1"
        store.out("pull", "-q", PLAIN, name)
        registry.requests.clear()
        store.out("pull", "-q", PLAIN, name)
        assert [str(one) for one in registry.requests] == ["GET /v2/", "GET /v2/demo/box/manifests/1"]
        goal = f"{registry.host}/demo/other:1"
        store.out("push", "-q", PLAIN, name, goal)
        registry.requests.clear()
        store.out("push", "-q", PLAIN, name, goal)
        assert len(registry.requests) <= 4, registry.requests
        assert not registry.seen("POST", "")


@pytest.mark.parametrize(
    "words",
    [
        ("push", "x"),
        ("search", "x"),
        ("manifest", "add", "x", "y"),
        ("manifest", "push", "x"),
        ("artifact", "pull", "h.example/x"),
        ("run", "x"),
    ],
)
def test_every_command_asks_for_the_password(store: PlainStore, words: tuple[str, ...]) -> None:
    at = 2 if words[0] in ("manifest", "artifact") else 1
    assert "could not read password from terminal" in store.refused(*words[:at], "--creds=user", *words[at:])


def test_a_password_that_is_left_out_is_asked_for(store: PlainStore) -> None:
    with FakeRegistry(auth="basic") as registry:
        registry.add_image("demo/box", "1", [EMPTY])
        words = [*store.program, "pull", "-q", PLAIN, "--creds=user", f"{registry.host}/demo/box:1"]
        code, seen = on_a_terminal(words, b"secret\n", b"Password: ", dict(os.environ))
        assert (code, "secret" in seen) == (0, False), seen
        assert id_of(registry, "demo/box", "1") in seen


def test_refused_connections_are_tried_again(store: PlainStore, tmp_path: Path) -> None:
    """As often and with the words that Podman has; a name that there is not, or a bad answer, only once."""
    where = 'pinging container registry 127.0.0.1:1: Get "https://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: '
    where += "connection refused"
    source = f"initializing source docker://127.0.0.1:1/x:1: {where}"
    layer = json.loads(store.out("image", "inspect", IMAGE))[0]["RootFS"]["Layers"][0]
    reused = f"trying to reuse blob {layer} at destination: {where}"
    retry = ("--retry=2", "--retry-delay=10ms")
    for last, words in (
        (f"unable to copy from source docker://127.0.0.1:1/x:1: {source}", ("pull", "-q", *retry, "127.0.0.1:1/x:1")),
        (reused, ("push", "-q", *retry, IMAGE, "127.0.0.1:1/x:1")),
        (source, ("image", "copy", "-q", *retry, "docker://127.0.0.1:1/x:1", f"dir:{tmp_path}/out")),
    ):
        told = store.refused(*words).splitlines()
        first = last.removeprefix("unable to copy from source docker://127.0.0.1:1/x:1: ")
        again = [f"Failed, retrying in 10ms ... ({at}/2). Error: {first}" for at in (1, 2)]
        assert [line.partition("Warning: ")[2] or line for line in told[:3]] == [*again, f"Error: {last}"], words
    assert "retrying" not in store.refused("pull", "-q", *retry, "no-such-host.invalid/x:1")
