"""Exit codes: every class of the tree has a row, and verbs differ where Podman's do."""

import pytest

from sonata.cli import errors as door
from sonata.cli import table
from sonata_core import errors


def tree(cls=errors.SonataError):
    yield cls
    for below in cls.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from tree(below)


def test_every_error_has_a_row_of_its_own():
    assert set(tree()) == set(door.CODES)


def test_verbs_in_the_table_are_commands():
    assert set(door.BY_VERB) <= set(table.TABLE)
    for verbs in door.BY_VERB.values():
        assert set(verbs) <= set(door.CODES)


@pytest.mark.parametrize(
    ("path", "error", "code"),
    [
        ("ps", errors.NotFound("x"), 125),
        ("rm", errors.NotFound("x"), 1),
        ("container rm", errors.Conflict("running"), 2),
        ("rm", errors.InUse("has dependents"), 125),
        ("rmi", errors.InUse("used"), 2),
        ("network rm", errors.InUse("used"), 2),
        ("volume rm", errors.NotFound("x"), 1),
        ("image exists", errors.NotFound("x"), 1),
        ("exec", errors.Conflict("not running"), 255),
        ("exec", errors.CommandNotFound("x"), 127),
        ("exec", errors.CommandNotExecutable("x"), 126),
        ("exec", errors.CommandFailed("x"), 255),
        ("exec", errors.NotFound("no container"), 125),
        ("run", errors.CommandNotFound("x"), 127),
        ("run", errors.CommandNotExecutable("x"), 126),
        ("run", errors.UsageError("x"), 125),
        ("run", errors.NotFound("unable to find user x", stage="start"), 126),
        ("run", errors.CommandFailed("no such file or directory", stage="start"), 127),
        ("create", errors.CommandNotFound("x"), 125),
        ("pull", errors.Interrupted("x"), 130),
        ("start", errors.AlreadyInState("x"), 0),
    ],
)
def test_codes(path, error, code):
    assert door.exit_code(path, error) == code


def test_codes_of_many():
    gone, running, other = errors.NotFound("a"), errors.Conflict("b"), errors.Damaged("c")
    assert door.exit_code_of_many("rm", [gone, running]) == 1
    assert door.exit_code_of_many("rm", [running, other]) == 2
    assert door.exit_code_of_many("rm", [other]) == 125
    assert door.exit_code_of_many("stop", [gone]) == 125


def test_hint_stands_on_a_line_of_its_own():
    assert door.shown(errors.NotFound("no x", hint="make one")) == "Error: no x\n  hint: make one"
    assert door.shown(errors.NotFound("no x")) == "Error: no x"
