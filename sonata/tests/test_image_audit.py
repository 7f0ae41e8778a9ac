"""What the look through an image notices: forms of secrets, capabilities, links, waste."""

from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonata.image import audit, secrets_in
from sonata.model.image import HistoryItem, ImageConfig

KEY = "AKIA" + "ABCDEFGHIJKLMNOP"
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


def found(*layers: io.BytesIO) -> list[tuple[str, int, str, str]]:
    read = audit.Layers()
    for one in layers:
        read.add(one)
    return [(one.kind, one.layer, one.path, one.detail) for one in read.findings()]


def test_modes_devices_and_attributes() -> None:
    net_raw = (1 << 13).to_bytes(4, "little")
    value = (0x02000001).to_bytes(4, "little") + net_raw + bytes(12)
    pax = {"SCHILY.xattr.security.capability": value.decode("latin-1")}
    rows = found(
        layer(
            ("bin/su", {"mode": 0o4755, "uid": 0}),
            ("bin/wall", {"mode": 0o2755, "gid": 5}),
            ("bin/ping", {"pax_headers": pax}),
            ("dev/sda", {"type": tarfile.BLKTYPE, "devmajor": 8, "devminor": 0, "mode": 0o660}),
            ("tmp", {"type": tarfile.DIRTYPE, "mode": 0o1777}),
            ("open", {"type": tarfile.DIRTYPE, "mode": 0o777}),
            ("note", {"mode": 0o666}),
            ("usual", b"x"),
        )
    )
    assert rows == [
        ("capability", 0, "bin/ping", "NET_RAW"),
        ("device", 0, "dev/sda", "block device 8:0, mode 0660"),
        ("setgid", 0, "bin/wall", "of group 5, mode 2755"),
        ("setuid", 0, "bin/su", "of user 0, mode 4755"),
        ("world-writable", 0, "note", "file, mode 0666"),
        ("world-writable", 0, "open", "folder, mode 0777, no sticky bit"),
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
    assert [row[0] for row in rows] == (["link"] if out else [])


def test_a_later_layer_takes_findings_away_and_makes_waste() -> None:
    read = audit.Layers()
    read.add(layer(("bin/su", {"mode": 0o4755, "data": b"x" * 1000}), ("d/one", b"y" * 500), ("d/two", b"z" * 30)))
    read.add(layer(("bin/.wh.su", b""), ("d/.wh..wh..opq", b""), ("d/new", b"n")))
    assert read.findings() == []
    assert read.wasted == [1530, 0]


def test_a_folder_that_becomes_a_file_and_what_is_written_twice() -> None:
    read = audit.Layers()
    read.add(layer(("d", None), ("d/one", b"1" * 10), ("d/one", b"2" * 20)))
    read.add(layer(("d", b"now a file")))
    assert read.wasted == [20, 0]


def test_a_hard_link_keeps_what_its_other_name_loses() -> None:
    su = layer(("bin/su", {"mode": 0o4755}), ("bin/doas", {"type": tarfile.LNKTYPE, "linkname": "bin/su"}))
    rows = found(su, layer(("bin/.wh.su", b"")))
    assert rows == [("setuid", 0, "bin/doas", "of user 0, mode 4755")]
    gone = {"type": tarfile.LNKTYPE, "linkname": "nowhere"}
    assert found(layer(("bin/x", gone))) == []


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
    ],
)
def test_a_strangers_text_takes_no_more_than_its_length(text: str) -> None:
    """With the square of their length each would take a minute and more."""
    long = text * (60_000 // len(text))
    list(secrets_in.in_command(long))
    secrets_in.in_pair("NOTE", long)
    secrets_in.in_pair(long, "x")
    for path in ("a.pem", ".pgpass", ".git-credentials", ".npmrc", ".netrc", ".env", ".kube/config"):
        secrets_in.in_file(path.encode(), long[: 1 << 16].encode())


def test_a_removed_secret_is_still_in_the_image() -> None:
    rows = found(layer(("root/.ssh/id_rsa", PEM.encode())), layer(("root/.ssh/.wh.id_rsa", b"")))
    assert rows == [("secret", 0, "root/.ssh/id_rsa", "private key, hidden by a later layer")]


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
        ("app/store.kdbx", b"", "store of keys"),
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
        ("DB_PASSWORD", "hunter22", "DB_PASSWORD=hun… (8 characters)"),
        ("DB_PASSWORD_FILE", "/run/secrets/db", ""),
        ("DB_PASS", "hunter22", "DB_PASS=hun… (8 characters)"),
        ("COMPASS", "hunter22", ""),
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


def test_configuration_and_history() -> None:
    config = ImageConfig(
        user="0:0",
        env=("PATH=/bin", "API_KEY=abcdef"),
        labels={"deploy.token": "t0ken"},
        history=(
            HistoryItem(created_by='/bin/sh -c #(nop)  ENV API_KEY="abcdef" X=1'),
            HistoryItem(created_by="|1 secret=geheim /bin/sh -c make"),
        ),
    )
    rows = [(one.kind, one.path, one.detail) for one in audit.of_config(config)]
    assert rows == [
        ("user", "config", "runs as root unless told otherwise"),
        ("secret", "environment", "API_KEY=abc… (6 characters)"),
        ("secret", "label", "deploy.token=t0k… (5 characters)"),
        ("secret", "history", "API_KEY=abc… (6 characters)"),
        ("secret", "history", "secret=geh… (6 characters)"),
    ]
    assert audit.of_config(config.replace(user="1000", env=(), labels={}, history=())) == []


def test_what_is_printed_moves_no_cursor() -> None:
    assert audit.shown(b"a\x1b[2J\n\xff\xc3\xa9") == "a\\x1b[2J\\n\\xff\xe9"


@given(st.binary(max_size=64))
def test_any_attribute_has_an_answer(value: bytes) -> None:
    assert isinstance(audit.capabilities(value), str)
