"""`--error-format json`: one object a failure, stable codes, and text that stays as it was."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sonata.cli import error_json
from sonata.cli.pflag import FlagError
from sonata.cli.root import UnknownCommand
from sonata_core import errors

PAGE = Path(__file__).resolve().parents[2] / "docs/errors.md"
FIELDS = ["code", "message", "object", "causes", "hint", "exit_code"]


def tree(cls=errors.SonataError):
    yield cls
    for below in cls.__subclasses__():
        if below.__module__.startswith(("sonata_core.", "sonata.")):
            yield from tree(below)


def sonata(*words, **env):
    return subprocess.run(
        [sys.executable, "-m", "sonata", *words],
        capture_output=True,
        text=True,
        check=False,
        env={key: value for key, value in os.environ.items() if key != error_json.VARIABLE} | env,
    )


def told(done):
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_every_class_has_a_code_of_its_own():
    codes = [vars(cls).get("code") for cls in tree()]
    assert len(set(codes)) == len(codes)
    assert all(code and re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)
    assert not set(codes) & set(error_json.OTHERS)


def test_the_page_has_exactly_these_codes():
    listed = re.findall(r"(?m)^\| `(\w+)` \| .* \| \d+ \|$", PAGE.read_text())
    assert {FlagError, UnknownCommand} <= set(tree())
    assert sorted(listed) == sorted([*(cls.code for cls in tree()), *error_json.OTHERS])


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--error-format", "json", "run", "--foo"], "bad_option", "unknown flag: --foo"),
        (["run", "--foo", "--error-format=json"], "bad_option", "unknown flag: --foo"),
        (["rm", "--error-format=json"], "usage", "you must provide at least one name or id"),
        (["--error-format=json", "nosuch"], "unknown_command", "unrecognized command `sonata nosuch`"),
        (["--error-format=json", "container"], "usage", "missing command 'sonata container COMMAND'"),
        (["--error-format=json"], "usage", "missing command 'sonata COMMAND'"),
    ],
)
def test_a_wrong_line_is_one_object(words, code, message):
    done = sonata(*words)
    (found,) = told(done)
    assert list(found) == FIELDS
    assert (found["code"], found["message"]) == (code, message)
    assert done.returncode == found["exit_code"] == 125


def test_the_environment_asks_too_and_the_option_wins(tmp_path):
    place = [f"--root={tmp_path}/r", f"--runroot={tmp_path}/rr"]
    (found,) = told(sonata(*place, "rm", "nosuch", SONATA_ERROR_FORMAT="json"))
    assert (found["code"], found["object"], found["exit_code"]) == ("not_found", "nosuch", 1)
    assert found["causes"][0]["code"] == "not_found"
    plain = sonata(*place, "rm", "nosuch")
    as_text = sonata(*place, "--error-format=text", "rm", "nosuch", SONATA_ERROR_FORMAT="json")
    assert plain.stderr == as_text.stderr == f"Error: {found['message']}\n"
    assert plain.returncode == 1


def test_several_failures_are_one_object_each(tmp_path):
    done = sonata(f"--root={tmp_path}/r", f"--runroot={tmp_path}/rr", "--error-format=json", "volume", "rm", "a", "b")
    found = told(done)
    assert [one["object"] for one in found] == ["a", "b"]
    assert {one["code"] for one in found} == {"not_found"}
    assert done.returncode == 1


def test_words_of_the_contained_program_do_not_count():
    done = sonata("run", "--pull=bogus", "x", "prog", "--error-format", "json")
    assert done.stderr.startswith("Error: ")


@pytest.mark.parametrize("how", [(["--error-format=xml"], {}), ([], {"SONATA_ERROR_FORMAT": "xml"})])
def test_an_unknown_format_is_refused(how):
    words, env = how
    done = sonata(*words, "ps", **env)
    assert done.returncode == 125
    assert 'invalid error format "xml"' in done.stderr


def test_what_the_system_refused_is_named():
    done = sonata("--error-format=json", "--out=/nosuch/file", "version")
    (found,) = told(done)
    assert found["code"] == "host_error"
    assert found["object"] == "/nosuch/file"
    assert found["message"] == "/nosuch/file: no such file or directory"


def test_causes_are_the_chain_and_end():
    try:
        try:
            raise OSError(2, "No such file or directory", "/x")
        except OSError as below:
            raise errors.Damaged("the record does not verify", hint="repair it") from below
    except errors.Damaged as error:
        found = json.loads(error_json.line("ps", error))
    assert found["causes"] == [{"code": "host_error", "message": "/x: no such file or directory"}]
    assert (found["code"], found["hint"]) == ("damaged", "repair it")
    loop, other = errors.NotFound("a"), errors.NotFound("b")
    loop.__cause__, other.__cause__ = other, loop
    assert len(error_json.causes(loop)) == 1


def test_a_fault_of_ours_says_where():
    try:
        raise ZeroDivisionError("x")
    except ZeroDivisionError as error:
        found = json.loads(error_json.line("ps", error))
    assert found["code"] == "internal_error"
    assert found["causes"][0]["message"].startswith("test_a_fault_of_ours_says_where, line ")


def test_terminals_get_nothing_to_obey():
    assert "\x1b" not in error_json.line("ps", errors.NotFound("no \x1b[2J image"))


@pytest.mark.needs_root
def test_failures_about_containers_name_them(tmp_path):
    rootfs = tmp_path / "rootfs"
    rootfs.mkdir()
    place = [f"--root={tmp_path}/r", f"--runroot={tmp_path}/rr", "--error-format=json"]
    for name in ("a", "b"):
        assert (
            sonata(*place, "create", "--network=none", f"--name={name}", "--rootfs", str(rootfs), "x").returncode == 0
        )
    found = told(sonata(*place, "pause", "a", "b"))
    assert [one["object"] for one in found] == ["a", "b"]
    assert {one["code"] for one in found} == {"conflict"}
    (one,) = told(sonata(*place, "exec", "a", "x"))
    assert len(one["object"]) == 64
    sonata(*place, "rm", "-a")
