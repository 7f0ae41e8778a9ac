"""Credentials, certificate folders and the policy file: order, formats, and what is refused."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from sonata.config import auth
from sonata.config.auth import BUILT_IN, AuthFiles, auth_files, find_credentials, login_file
from sonata.config.certs import cert_dirs
from sonata.config.load import load_config
from sonata.config.policy import load_policy
from sonata.config.values import EngineConfig, Places
from sonata_core.errors import ExternalFailure, UsageError
from sonata_core.models.process import Command, CommandResult


def entry(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def no_program(command: Command) -> CommandResult:
    raise AssertionError(f"ran {command.argv}")


def config_in(tmp_path: Path, uid: int = 0, **environ: str) -> EngineConfig:
    names = {name: str(tmp_path / name) for name in ("user", "etc", "usr", "cache")}
    places = Places(uid=uid, home=str(tmp_path / "home"), docker_certs=str(tmp_path / "docker"), **names)
    given = {"XDG_RUNTIME_DIR": str(tmp_path / "run"), **environ}
    return load_config(given, uid, {}, places)


def files_with(tmp_path: Path, content: object) -> AuthFiles:
    path = tmp_path / "auth.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return AuthFiles([str(path)], "", (), no_program)


def found(files: AuthFiles, repository: str) -> str | None:
    credentials = find_credentials(files, repository)
    return None if credentials is None else f"{credentials.username}:{credentials.password}"


AUTHS = {
    "auths": {
        "r.io": entry("host", "1"),
        "r.io/team": entry("team", "2"),
        "r.io/team/app": entry("app", "p:w"),
        "https://index.docker.io/v1/": entry("hub", "h"),
        "http://old.io/v2/": entry("old", "o"),
        "nocolon.io": {"auth": base64.b64encode(b"nocolon").decode(), "identitytoken": "t"},
        "nul.io": {"auth": base64.b64encode(b"u:pw\0\0").decode()},
        "token.io": {**entry("u", "p"), "identitytoken": "tok"},
        "empty.io": {},
    }
}


@pytest.mark.parametrize(
    ("repository", "whose"),
    [
        ("r.io/x", "host:1"),
        ("r.io/team/other", "team:2"),
        ("r.io/team/app", "app:p:w"),
        ("r.io/team/app/sub", "app:p:w"),
        ("r.io/teamwork", "host:1"),
        ("docker.io/library/alpine", "hub:h"),
        ("registry-1.docker.io/x", "hub:h"),
        ("old.io/x", "old:o"),
        ("nocolon.io/x", None),
        ("nul.io/x", "u:pw"),
        ("empty.io/x", None),
        ("other.io/x", None),
    ],
)
def test_most_special_entry_wins(tmp_path: Path, repository: str, whose: str | None) -> None:
    assert found(files_with(tmp_path, AUTHS), repository) == whose


def test_identity_token_and_repr(tmp_path: Path) -> None:
    credentials = find_credentials(files_with(tmp_path, AUTHS), "token.io/x")
    assert credentials is not None
    assert credentials.identity_token == "tok"
    assert "tok" not in repr(credentials)


def test_order_of_files(tmp_path: Path) -> None:
    config = config_in(tmp_path)
    files = auth_files(config, "", (), no_program)
    order = [*files.paths, files.legacy]
    assert order == [
        f"{tmp_path}/run/containers/auth.json",
        f"{tmp_path}/user/auth.json",
        f"{tmp_path}/home/.docker/config.json",
        f"{tmp_path}/home/.dockercfg",
    ]
    for number, path in reversed(list(enumerate(order))):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        auths = {"r.io": entry("n", str(number))}
        Path(path).write_text(json.dumps(auths if path.endswith("cfg") else {"auths": auths}))
        assert found(files, "r.io/x") == f"n:{number}"


def test_named_file_is_the_only_one(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text("{}")
    assert auth_files(config_in(tmp_path), str(path), (), no_program).paths == (str(path),)
    named = config_in(tmp_path, REGISTRY_AUTH_FILE=str(path))
    assert auth_files(named, "", (), no_program).paths == (str(path),)
    path.unlink()
    assert find_credentials(auth_files(named, "", (), no_program), "r.io/x") is None
    with pytest.raises(UsageError, match="credential file is not accessible: faccessat /absent: no such file"):
        auth_files(config_in(tmp_path), "/absent", (), no_program)


def test_docker_config_and_login_file(tmp_path: Path) -> None:
    config = config_in(tmp_path, DOCKER_CONFIG="/dc")
    assert "/dc/config.json" in auth_files(config, "", (), no_program).paths
    assert login_file(config_in(tmp_path, XDG_RUNTIME_DIR="")) == "/run/containers/0/auth.json"


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "",
        " \n",
        '{"auths": 1}',
        '{"auths": {"r.io": 5}}',
        '{"auths": {"other.io": {"auth": 1}}}',
        '{"credHelpers": []}',
        '{"credHelpers": {"other.io": 1}}',
        '{"auths": {"r.io": {"auth": "%%%"}}}',
    ],
)
def test_malformed(tmp_path: Path, content: str) -> None:
    with pytest.raises(UsageError, match=r"auth\.json"):
        found(files_with(tmp_path, content), "r.io/x")


@pytest.mark.parametrize("content", ["null", "{}", '{"auths": null}', '{"auths": {"r.io": null}, "credHelpers": null}'])
def test_empty(tmp_path: Path, content: str) -> None:
    assert found(files_with(tmp_path, content), "r.io/x") is None


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "docker-credential-box"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    monkeypatch.setattr(auth, "_HELPER_DIRS", (str(tmp_path),))
    return path


def answering(code: int, stdout: str) -> AuthFiles:
    asked: list[Command] = []

    def run(command: Command) -> CommandResult:
        asked.append(command)
        assert command.argv[1:] == ("get",)
        assert command.input == b"r.io"
        return CommandResult(code=code, stdout=stdout.encode(), stderr=b"")

    return AuthFiles([], "", ("box",), run)


def test_helper(helper: Path) -> None:
    assert found(answering(0, '{"ServerURL":"r.io","Username":"u","Secret":"s"}'), "r.io/x") == "u:s"
    token = find_credentials(answering(0, '{"Username":"<token>","Secret":"s"}'), "r.io/x")
    assert token is not None
    assert token.identity_token == "s"
    assert found(answering(1, "credentials not found in native keychain\n"), "r.io/x") is None
    for said in ("nonsense", "[]", '{"Username":1,"Secret":"s"}'):
        with pytest.raises(ExternalFailure, match=r"credential helper .*box"):
            found(answering(0, said), "r.io/x")
    with pytest.raises(ExternalFailure, match=r"error getting credentials - err: exit status 1, out: `boom`") as caught:
        found(answering(1, "boom"), "r.io/x")
    assert "docker-credential-box" in (caught.value.hint or "")


def test_a_helper_that_fails_leaves_the_turn_to_the_next(tmp_path: Path, helper: Path) -> None:
    paths = files_with(tmp_path, {"auths": {"r.io": entry("file", "f")}}).paths
    run = answering(1, "boom").run
    assert found(AuthFiles(paths, "", ("box", "absent", BUILT_IN), run), "r.io/x") == "file:f"
    with pytest.raises(ExternalFailure, match=r"errors looking up credentials:\n\t\* .*boom.*\n\t\* .*absent"):
        found(AuthFiles((), "", ("box", "absent", BUILT_IN), run), "r.io/x")


def test_an_unreadable_file_is_no_empty_one(tmp_path: Path) -> None:
    for path, told in ((tmp_path, "is a directory"), (tmp_path / "auth.json/x", "not a directory")):
        (tmp_path / "auth.json").write_text("{}")
        with pytest.raises(UsageError, match=f'reading JSON file "{path}": open {path}: {told}'):
            found(AuthFiles((str(path),), "", (), no_program), "r.io/x")


@pytest.mark.parametrize("name", ["../x", "/bin/sh", "", ".hidden", "absent"])
def test_helper_is_never_a_path(helper: Path, name: str) -> None:
    with pytest.raises(UsageError, match="credential helper"):
        auth._ask(name, "r.io", no_program)


def test_cred_helpers_of_the_file(tmp_path: Path, helper: Path) -> None:
    files = files_with(tmp_path, {"credHelpers": {"r.io": "box"}, "auths": {"r.io": entry("file", "f")}})
    answer = answering(0, '{"Username":"u","Secret":"s"}')
    assert found(AuthFiles(files.paths, "", (), answer.run), "r.io/x") == "u:s"


def test_certs(tmp_path: Path) -> None:
    places = config_in(tmp_path).places
    assert cert_dirs(places, "r.io:5000") == ()
    for folder in ("docker", "usr/certs.d", "etc/certs.d", "etc/certs.rootful.d", "user/certs.d"):
        path = tmp_path / folder / "r.io:5000"
        path.mkdir(parents=True)
        assert cert_dirs(places, "r.io:5000") == (str(path),)
    assert cert_dirs(places, "r.io:5000", "/given") == ("/given",)
    assert cert_dirs(places, "../certs.d") == ()
    assert cert_dirs(places, "..") == ()


def test_policy(tmp_path: Path) -> None:
    config = config_in(tmp_path)
    with pytest.raises(UsageError, match=r"no policy\.json file found at any of the following") as caught:
        load_policy(config)
    assert caught.value.hint
    assert "insecureAcceptAnything" in caught.value.hint
    for place, text in (("usr", '{"default": [1]}'), ("etc", '{"default": [2]}'), ("user", '{"default": [3]}')):
        path = tmp_path / place / "policy.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        assert load_policy(config) == (json.loads(text), str(path))
    other = tmp_path / "other.json"
    other.write_text('{"default": []}')
    assert load_policy(config, str(other))[1] == str(other)
    assert load_policy(config_in(tmp_path, CONTAINERS_POLICY_JSON=str(other)))[1] == str(other)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "line 1"),
        ("[]", "want an object"),
        ('{"default": [],\n"default": []}', 'Duplicate key "default"'),
        ('{"a":\n\n}', "line 3"),
    ],
)
def test_policy_malformed(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "p.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="invalid policy in") as caught:
        load_policy(config_in(tmp_path), str(path))
    assert told in caught.value.message


@pytest.mark.parametrize(
    ("tail", "told"),
    [(" " * 20, ""), (" " * (2 << 20), ""), (" " * (2 << 20) + "x", "Extra data"), (" " * (5 << 20), "more than")],
)
def test_a_policy_is_read_whole_or_not_at_all(tmp_path: Path, tail: str, told: str) -> None:
    path = tmp_path / "p.json"
    path.write_text('{"default": []}' + tail)
    if not told:
        assert load_policy(config_in(tmp_path), str(path))[0] == {"default": []}
        return
    with pytest.raises(UsageError, match=told) as caught:
        load_policy(config_in(tmp_path), str(path))
    assert str(path) in caught.value.message


def test_a_policy_is_a_file_or_what_a_command_writes(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match=r"/pipe.*named pipe"):
        load_policy(config_in(tmp_path), str(tmp_path / "pipe"))
    end, other = os.pipe()
    os.write(other, b'{"default": []}')
    os.close(other)
    try:
        assert load_policy(config_in(tmp_path), f"/dev/fd/{end}")[0] == {"default": []}
    finally:
        os.close(end)
