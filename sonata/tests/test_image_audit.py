"""What the look through an image notices: forms of secrets, capabilities, links, waste."""

from __future__ import annotations

import io
import os
import pathlib
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonata.image import accounts, audit, audit_entries, secrets_in
from sonata.image.audit_config import of_config
from sonata.image.layers.feed import Feed
from sonata.image.layers.heads import OfFeed, OfSplit
from sonata.model.audit_checks import CHECKS, KINDS, LEVELS
from sonata.model.audit_choice import AuditRequest, Sieve, checks_named, parse_accepted
from sonata.model.image import HealthCheck, HistoryItem, ImageConfig
from sonata.model.image_audit import Finding
from sonata_core.errors import Damaged, UsageError

KEY = "AKIA" + "ABCDEFGHIJKLMNOP"
SSH = b"-----BEGIN OPENSSH PRIVATE" + b" KEY-----\n"
PEM = "-----BEGIN RSA PRIVATE" + " KEY-----\nabc"


def layer(*members: tuple[str, object]) -> io.BytesIO:
    """A tar: bytes are a file, None a folder, text a symlink; a dict sets fields of the member."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.mode = 0o755
            data = b""
            if content is None:
                info.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
            elif isinstance(content, dict):
                data = content.pop("data", b"")
                for key, value in content.items():
                    setattr(info, key, value)
            elif isinstance(content, bytes):
                data = content
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return io.BytesIO(buffer.getvalue())


def read_in(*layers: io.BytesIO) -> audit.Layers:
    read = audit.Layers()
    for one in layers:
        feed = Feed(one, hashed=False)
        try:
            read.add(OfFeed(feed))
        finally:
            feed.close()
    return read


def found(*layers: io.BytesIO) -> list[tuple[str, int, str, str]]:
    return sorted((one.id, one.layer, one.path, one.detail) for one in read_in(*layers).findings())


def capability(*words: int) -> dict[str, object]:
    value = b"".join(word.to_bytes(4, "little") for word in words)
    return {"pax_headers": {"SCHILY.xattr.security.capability": value.decode("utf-8", "surrogateescape")}}


SYS_ADMIN, NET_RAW = 1 << 21, 1 << 13
V2, V3 = 0x02000001, 0x03000001


def test_modes_devices_and_attributes() -> None:
    rows = found(
        layer(
            ("bin/su", {"mode": 0o4755, "uid": 0}),
            ("opt/su", {"mode": 0o4755, "uid": 0}),
            ("usr/bin/mine", {"mode": 0o4755, "uid": 7}),
            ("usr/bin/idle", {"mode": 0o4644}),
            ("usr/bin/wall", {"mode": 0o2755, "gid": 5}),
            ("usr/bin/other", {"mode": 0o2755, "gid": 5}),
            ("usr/bin/locked", {"mode": 0o2745, "gid": 5}),
            ("bin/ping", capability(V2, NET_RAW, 0, 0, 0)),
            ("bin/pong", capability(V2, NET_RAW, 0, 0, 0)),
            ("opt/root", capability(V3, SYS_ADMIN, 0, 0, 0, 100000)),
            ("opt/odd", capability(V2, SYS_ADMIN)),
            ("dev/sda", {"type": tarfile.BLKTYPE, "devmajor": 8, "devminor": 0, "mode": 0o660}),
            ("dev/mem", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 1, "mode": 0o640}),
            ("dev/null", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3, "mode": 0o666}),
            ("dev/fuse", {"type": tarfile.CHRTYPE, "devmajor": 10, "devminor": 229, "mode": 0o666}),
            ("gone", {"type": tarfile.CHRTYPE, "devmajor": 0, "devminor": 0, "mode": 0}),
            ("tmp", {"type": tarfile.DIRTYPE, "mode": 0o1777}),
            ("open", {"type": tarfile.DIRTYPE, "mode": 0o777}),
            ("./", {"type": tarfile.DIRTYPE, "mode": 0o777}),
            ("run/fifo", {"type": tarfile.FIFOTYPE, "mode": 0o666}),
            ("note", {"mode": 0o666}),
            ("tool", {"mode": 0o777}),
            ("usr/share/note", {"mode": 0o666}),
            ("opt/all", {"mode": 0o6777}),
            ("usual", b"x"),
        )
    )
    assert set(rows) == {
        ("capability-unusual", 0, "bin/pong", "cap_net_raw=ep"),
        ("capability-malformed", 0, "opt/odd", "malformed: 0100000200002000"),
        ("capability-powerful", 0, "opt/root", "cap_sys_admin=ep [rootid=100000]"),
        ("capability-usual", 0, "bin/ping", "cap_net_raw=ep"),
        ("device-unusual", 0, "dev/fuse", "character device 10:229, mode 0666"),
        ("device-block", 0, "dev/mem", "character device 1:1, mode 0640"),
        ("device-block", 0, "dev/sda", "block device 8:0, mode 0660"),
        ("device-usual", 0, "dev/null", "character device 1:3, mode 0666"),
        ("device-whiteout", 0, "gone", "character device 0:0, mode 0000"),
        ("setgid-unusual", 0, "opt/all", "of group 0, mode 6777"),
        ("setgid-unusual", 0, "usr/bin/other", "of group 5, mode 2755"),
        ("setgid-usual", 0, "usr/bin/wall", "of group 5, mode 2755"),
        ("setuid-inert", 0, "usr/bin/idle", "of user 0, mode 4644"),
        ("setuid-root", 0, "opt/all", "of user 0, mode 6777"),
        ("setuid-root", 0, "opt/su", "of user 0, mode 4755"),
        ("setuid-user", 0, "usr/bin/mine", "of user 7, mode 4755"),
        ("setuid-usual", 0, "bin/su", "of user 0, mode 4755"),
        ("world-writable-file", 0, "note", "file, mode 0666"),
        ("world-writable-folder", 0, "open", "folder, mode 0777, no sticky bit"),
        ("world-writable-privileged", 0, "opt/all", "file, mode 6777"),
        ("world-writable-system", 0, "/", "folder, mode 0777, no sticky bit"),
        ("world-writable-system", 0, "tool", "file, mode 0777"),
        ("world-writable-system", 0, "usr/share/note", "file, mode 0666"),
    }


def test_names_and_links_out_of_the_root() -> None:
    rows = found(
        layer(
            ("../../etc/cron.d/x", b"x"),
            ("a/../b", b"x"),
            ("hard", {"type": tarfile.LNKTYPE, "linkname": "../../etc/shadow"}),
            ("root", "/proc/1/root/etc"),
            ("dev/fd", "/proc/self/fd"),
            ("etc/mtab", "../proc/self/mounts"),
        )
    )
    assert rows == [
        ("link-proc", 0, "root", "leads to another root: /proc/1/root/etc"),
        ("name-above-root", 0, "etc/cron.d/x", "written as ../../etc/cron.d/x"),
        ("name-above-root", 0, "hard", "hard link to ../../etc/shadow"),
    ]


@pytest.mark.parametrize(
    ("path", "target", "out"),
    [
        ("a/b", "../x", False),
        ("a/b", "../../x", True),
        ("a", "../x", True),
        ("a/b/c", "../../../etc/passwd", True),
        ("a/b/c", "d/../../../e", False),
        ("a", "/etc/passwd", False),
        ("a/b", "/../x", True),
    ],
)
def test_links_that_climb_out(path: str, target: str, out: bool) -> None:
    rows = found(layer((path, target)))
    assert [row[0] for row in rows] == (["link-above-root"] if out else [])


def test_a_later_layer_takes_findings_away_and_makes_waste() -> None:
    read = read_in(
        layer(("bin/su", {"mode": 0o4755, "data": b"x" * 1000}), ("d/one", b"y" * 500), ("d/two", b"z" * 30)),
        layer(("bin/.wh.su", b""), ("d/.wh..wh..opq", b""), ("d/new", b"n")),
    )
    assert list(read.findings()) == []
    assert read.wasted == [1530, 0]


def test_an_opaque_folder_keeps_what_its_own_layer_put_there_before() -> None:
    read = read_in(
        layer(("d/deep/one", b"y" * 500), ("d/su", {"mode": 0o4755})),
        layer(("d/deep/new", {"mode": 0o4755}), ("d/.wh..wh..opq", b"")),
    )
    assert [(one.id, one.path) for one in read.findings()] == [("setuid-root", "d/deep/new")]
    assert read.wasted == [500, 0]


def test_a_folder_that_becomes_a_file_and_what_is_written_twice() -> None:
    first = layer(("d", None), ("d/one", b"1" * 10), ("d/one", b"2" * 20))
    assert read_in(first, layer(("d", b"now a file"))).wasted == [20, 0]


def test_a_hard_link_keeps_what_its_other_name_loses() -> None:
    su = layer(("bin/su", {"mode": 0o4755}), ("bin/doas", {"type": tarfile.LNKTYPE, "linkname": "bin/su"}))
    rows = found(su, layer(("bin/.wh.su", b"")))
    assert rows == [("setuid-usual", 0, "bin/doas", "of user 0, mode 4755")]
    gone = {"type": tarfile.LNKTYPE, "linkname": "nowhere"}
    assert found(layer(("bin/x", gone))) == []


def test_paths_have_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Damaged, match="4096 are allowed"):
        found(layer(("a/" * 3000 + "b", b"")))
    monkeypatch.setattr(audit, "MOST_PATHS", 10)
    found(layer(*((f"d/{number % 5}", b"") for number in range(100))))
    with pytest.raises(Damaged, match="too many"):
        found(layer(*((f"d/{number}", b"") for number in range(11))))


def test_of_the_store_only_files_that_promise_something_are_opened(tmp_path: pathlib.Path) -> None:
    whole = layer(("a/big", b"x" * 70_000), ("root/.npmrc", b"//r/:_authToken=abc"), ("z", {"mode": 0o4755})).getvalue()
    npmrc = whole.index(b"//r/")
    big = whole.index(b"x" * 100)
    pieces = [
        (2, b"", 0, whole[:big]),
        (1, b"a/big", 70_000, b""),
        (2, b"", 0, whole[big + 70_000 : npmrc]),
        (1, b"root/.npmrc", 19, b""),
        (2, b"", 0, whole[npmrc + 19 :]),
    ]
    (tmp_path / "npmrc").write_bytes(whole[npmrc : npmrc + 19])

    def opened(name: bytes) -> int:
        assert name == b"root/.npmrc"
        return os.open(tmp_path / "npmrc", os.O_RDONLY)

    read = audit.Layers()
    read.add(OfSplit(iter(pieces), opened))
    assert sorted(one.id for one in read.findings()) == ["credentials-file", "setuid-root"]
    assert OfSplit(iter(pieces), lambda _: os.open(tmp_path / "npmrc", os.O_RDONLY)).take(big) == whole[:big]
    with pytest.raises(Damaged, match="middle of a file"):
        OfSplit(iter(pieces[:1]), opened).head(1 << 20, 0)


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a.",
        "eyJ-",
        "eyJaaaaaaaaaa.",
        "password=abc ",
        "a='\"",
        "x://b:",
        "-----BEGIN A ",
        "_secret",
        "BEGIN ",
        "://a:",
        "curl -u ",
        "curl -uX:",
        "Authorization: ",
        "-----BEGIN OPENSSH PRIVATE KEY-----\n",
        "token : ",
    ],
)
def test_a_strangers_text_takes_no_more_than_its_length(text: str) -> None:
    """With the square of their length each would take a minute and more."""
    long = text * (60_000 // len(text))
    list(secrets_in.in_command(long))
    secrets_in.in_pair("NOTE", long)
    secrets_in.in_pair(long, "x")
    for path in ("a.pem", ".env", *(f"{row[2].decode()}/{row[0].decode()}" for row in secrets_in._FILES)):
        list(secrets_in.in_file(path.encode(), long[: 1 << 16].encode()))
    for path in ("etc/passwd", "etc/sudoers", "etc/doas.conf"):
        list(accounts.of_file(path.encode(), long.encode()))


def test_a_removed_secret_is_still_in_the_image() -> None:
    rows = found(layer(("root/.ssh/id_rsa", PEM.encode())), layer(("root/.ssh/.wh.id_rsa", b"")))
    assert rows == [("private-key", 0, "root/.ssh/id_rsa", "private key, hidden by a later layer")]


@pytest.mark.parametrize(
    ("path", "content", "what"),
    [
        ("etc/ssl/certs/ca.pem", b"-----BEGIN CERTIFICATE-----", ""),
        ("srv/tls.key", PEM.encode(), "private key"),
        ("root/.npmrc", b"//r/:_authToken=abc", "token of npm"),
        ("root/.npmrc", b"//r/:_authToken=${TOKEN}", ""),
        ("root/.aws/credentials", b"aws_secret_access_key = x", "credentials of AWS"),
        ("root/.docker/config.json", b'{"auths":{"h":{"auth":"dTpw"}}}', "credentials of registries"),
        ("app/.env", b"DB_PASSWORD=hunter2", "environment file"),
        ("app/.env", b"DEBUG=1", ""),
        ("app/store.kdbx", b"0", "store of keys"),
        ("app/.env.example", b"DB_PASSWORD=hunter2", ""),
        ("app/config.json", b'{"auth":"x"}', ""),
        ("home/me/.my.cnf", b"[client]\npassword = geheim\n", "password of a database"),
        ("root/.gem/credentials", b":rubygems_api_key: rubygems_1", "token of RubyGems"),
        ("usr/lib/python3/test/cert/key.pem", PEM.encode(), "private key"),
        ("etc/ssh/ssh_host_rsa_key", PEM.encode(), "private key of an SSH server"),
        ("etc/ssh/ssh_host_rsa_key.pub", b"ssh-rsa AAAA", ""),
        ("a.key", PEM.replace("RSA", "ENCRYPTED").encode(), "private key with a passphrase"),
        ("a.pem", PEM.encode() + b"\nProc-Type: 4,ENCRYPTED\n", "private key with a passphrase"),
        ("id_ed25519", SSH + b"b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAE", "private key"),
        ("id_ed25519", SSH + b"b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHI", "private key with a passphrase"),
        ("id.ppk", b"PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\n", "private key"),
        ("root/.gnupg/private-keys-v1.d/A.key", b"(21:protected-private-key(3:rsa", "private key with a passphrase"),
        ("root/.gnupg/private-keys-v1.d/A.key", b"(11:private-key(3:rsa", "private key"),
        ("etc/shadow", b"root:$6$salt$hash:1:0:9:7:::\na:!:1:0:9:7:::\nb:!$y$x:1:0:9:7:::\n", "password of root, b"),
        ("etc/shadow", b"root:*:1:0:9:7:::\ndaemon:!!:1:0:9:7:::\n", ""),
        ("etc/shadow", b"root::1:0:9:7:::\n", "no password: root"),
        ("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n", ""),
        ("etc/passwd", b"root::0:0:root:/root:/bin/sh\n", "no password: root"),
        ("etc/sudoers.d/app", b"# x NOPASSWD\n", ""),
        ("etc/sudoers.d/app", b"app ALL=(ALL) NOPASSWD: ALL\n", "a rule with NOPASSWD"),
        ("etc/doas.conf", b"permit nopass :wheel\n", "a rule with nopass"),
        ("usr/share/doc/password", b"password secret", ""),
        ("root/.pgpass", b"# mine\n*:*:*:me:geheim\n", "password of a database"),
        ("root/.pgpass", b"# mine: none\n", ""),
    ],
)
def test_files(path: str, content: bytes, what: str) -> None:
    assert [row[3] for row in found(layer((path, content)))] == ([what] if what else [])


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("DB_PASSWORD", "hunter22", "DB_PASSWORD=hu… (8 characters)"),
        ("DB_PASSWORD_FILE", "/run/secrets/db", ""),
        ("DB_PASS", "hunter22", "DB_PASS=hu… (8 characters)"),
        ("COMPASS", "hunter22", ""),
        ("PGPASSWORD", "hunter22", "PGPASSWORD=hu… (8 characters)"),
        ("MYSQL_PWD", "hunter22", "MYSQL_PWD=hu… (8 characters)"),
        ("SECRET_KEY", "hunter22", "SECRET_KEY=hu… (8 characters)"),
        ("PWD", "/srv", ""),
        ("HOSTKEY", "hunter22", ""),
        ("DB_PASSWORD", "/run/secrets/db", ""),
        ("DB_PASSWORD", "", ""),
        ("TOKEN", "${TOKEN}", ""),
        ("PATH", "/usr/bin", ""),
        ("GPG_KEY", "E3FF2839C048B25C084DEBE9B26995E310250568", ""),
        ("NOTE", KEY, "NOTE: AWS access key AKI… (20 characters)"),
        ("DATABASE_URL", "postgres://me:geheim@db/x", "DATABASE_URL: password in an address pos… (22 characters)"),
    ],
)
def test_pairs(name: str, value: str, told: str) -> None:
    assert secrets_in.in_pair(name, value) == told


def test_commands_that_tell_a_secret() -> None:
    def told(text: str) -> list[str]:
        return [one.partition("…")[0] for one in secrets_in.in_command(text)]

    assert told("RUN mysql --password=geheim1234 -e x") == ["password=ge"]
    assert told("RUN curl -fsS -u me:geheim https://h/x") == ["password of curl cur"]
    assert told("RUN curl -u $ME:$PASS https://h/x") == []
    assert told("RUN --mount=type=secret,id=npm npm ci") == []
    assert told('RUN PASS="$(cat /run/secrets/x)" make') == []
    assert told('RUN wget --header "Authorization: Bearer abcdefgh" h') == ["HTTP authorization Aut"]


def test_configuration_and_history() -> None:
    config = ImageConfig(
        user="0:0",
        env=("PATH=/bin:.", "API_KEY=abcdef"),
        labels={"deploy.token": "t0ken"},
        history=(
            HistoryItem(created_by='/bin/sh -c #(nop)  ENV API_KEY="abcdef" X=1'),
            HistoryItem(created_by="|1 secret=geheim /bin/sh -c make"),
        ),
        cmd=("serve", "--token=abcdefgh"),
        health_check=HealthCheck(test=("CMD-SHELL", "curl -u me:geheim h")),
        on_build=("RUN make",),
        working_dir="/proc/self/fd/8",
        exposed_ports=("22/tcp", "80/tcp", "2375"),
        volumes=("/data", "/var/run/docker.sock", "/etc/"),
    )
    rows = [(one.id, one.path, one.detail) for one in of_config(config, b"")]
    assert rows == [
        ("user-root", "user", "runs as root unless told otherwise"),
        ("path-unsafe", "environment", "PATH=/bin:."),
        ("secret-environment", "environment", "API_KEY=a… (6 characters)"),
        ("secret-label", "label", "deploy.token=t… (5 characters)"),
        ("secret-history", "history", "API_KEY=a… (6 characters)"),
        ("secret-history", "history", "secret=g… (6 characters)"),
        ("secret-command", "cmd", "token=ab… (8 characters)"),
        ("secret-command", "healthcheck", "password of curl cur… (17 characters)"),
        ("onbuild", "onbuild", "1 instructions, the first: RUN make"),
        ("workdir-proc", "workdir", "/proc/self/fd/8"),
        ("port-admin", "expose", "22/tcp (ssh)"),
        ("port-admin", "expose", "2375 (Docker)"),
        ("volume-sensitive", "volume", "/var/run/docker.sock"),
        ("volume-sensitive", "volume", "/etc/"),
    ]
    plain = ImageConfig(user="1000", env=("PATH=/bin:/usr/bin",), history=(HistoryItem(created_by="RUN make"),))
    assert list(of_config(plain, None)) == []


@pytest.mark.parametrize(
    ("user", "passwd", "told"),
    [
        ("", None, "user-root"),
        ("root", None, "user-root"),
        ("00", None, "user-root"),
        ("toor", b"toor:x:0:0::/:/bin/sh\n", "user-root"),
        ("web:web", b"web:x:7:7::/:/bin/sh\n", ""),
        ("web", b"root:x:0:0::/:/bin/sh\n", "user-unknown"),
        ("7:0", None, ""),
    ],
)
def test_users(user: str, passwd: bytes | None, told: str) -> None:
    assert [one.id for one in of_config(ImageConfig(user=user), passwd)] == ([told] if told else [])


def test_what_is_printed_moves_no_cursor() -> None:
    assert audit_entries.shown(b"a\x1b[2J\n\xff\xc3\xa9\xe2\x80\xae") == "a\\x1b[2J\\n\\xff\xe9\\u202e"


@given(st.binary(max_size=64))
def test_any_attribute_has_an_answer(value: bytes) -> None:
    answer = audit_entries.capabilities(value)
    assert answer is None or isinstance(answer[1], str)


def test_the_table_of_checks() -> None:
    assert all(name == one.id and one.level in LEVELS and one.meaning.endswith(".") for name, one in CHECKS.items())
    assert not set(KINDS) & {*LEVELS, *CHECKS}
    assert checks_named(["high"], "fail-on", levels=True) == {
        one.id for one in CHECKS.values() if one.level in ("high", "critical")
    }
    assert checks_named(["setgid"], "check") == {"setgid-usual", "setgid-unusual"}
    assert checks_named(["setuid", "any"], "check") == set(CHECKS)
    with pytest.raises(UsageError, match="no such check or kind"):
        checks_named(["high"], "check")


def one_of(check: str, path: str) -> Finding:
    return Finding(id=check, layer=0, path=path, detail="")


def test_an_ignore_list() -> None:
    lines = """
        # what we know
        setuid-*   usr/bin/*      # ours
        private-key srv/key.pem until=2030-01-02
        device-*    until=2029-12-31
        onbuild
    """
    request = AuditRequest(accepted=parse_accepted(lines, "2030-01-01"))
    sieve = Sieve(request, 2)
    sieve.add(one_of("setuid-root", f"usr/bin/{name}") for name in "ab")
    sieve.add([one_of("setuid-root", "opt/x"), one_of("private-key", "srv/key.pem"), one_of("device-block", "dev/x")])
    sieve.add(one_of("setgid-usual", name) for name in "abc")
    assert [(one.id, one.path) for one in sieve.findings] == [
        ("device-block", "dev/x"),
        ("setuid-root", "opt/x"),
        ("setgid-usual", "a"),
        ("setgid-usual", "b"),
    ]
    assert (sieve.ignored, sieve.omitted, sieve.unused) == (3, {"setgid-usual": 1}, ("onbuild",))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("nothing", "no check nothing"),
        ("device-* a b", "not understood"),
        ("until=2030-01-01", "not understood"),
        ("device-* until=soon", "soon is no date"),
    ],
)
def test_ignore_lists_that_are_not_understood(line: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        parse_accepted(line, "2030-01-01")
