"""Hook files: which apply, in which order, and what is wrong with them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sonata_core.context import PluginContext
from sonata_core.errors import UsageError
from sonata_core.models.host import HostFacts
from sonata_core.models.process import Command, CommandResult
from sonata_hooks_dir.plugin import DirHooks

SPEC: dict[str, Any] = {
    "process": {"args": ["/usr/bin/python3", "x.py"]},
    "mounts": [
        {"destination": "/proc", "type": "proc"},
        {"destination": "/etc/hosts", "type": "bind", "source": "/run/x/hosts"},
    ],
}
BOUND: dict[str, Any] = {**SPEC, "mounts": [{"destination": "/data", "type": "bind", "source": "/srv"}]}


class Log:
    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, object]]] = []

    def debug(self, event: str, **fields: object) -> None: ...
    def info(self, event: str, **fields: object) -> None: ...
    def error(self, event: str, **fields: object) -> None: ...
    def warning(self, event: str, **fields: object) -> None:
        self.seen.append((event, fields))


def never(_command: Command) -> CommandResult:
    raise AssertionError("no program is run to read hooks")


def plugin(*folders: Path, log: Log | None = None) -> DirHooks:
    facts = HostFacts(uid=0, gid=0, rootless=False, kernel="6", machine="x86_64", boot_id="b", cgroup_version=2)
    return DirHooks(
        PluginContext(
            name="dir",
            root="",
            run="",
            cache="",
            config={"hooks_dirs": tuple(str(folder) for folder in folders)},
            facts=facts,
            run_command=never,
            find_program=lambda _name: None,
            log=log or Log(),
        )
    )


def document(**changes: Any) -> dict[str, Any]:
    base = {
        "version": "1.0.0",
        "hook": {"path": "/bin/true", "args": ["true", "prestart"], "env": ["K=V"], "timeout": 10},
        "when": {"always": True},
        "stages": ["prestart"],
    }
    return {**base, **changes}


@pytest.fixture
def hooks(tmp_path: Path) -> Callable[..., list[str]]:
    def names(when: dict[str, Any], spec: dict[str, Any] = SPEC, **annotations: str) -> list[str]:
        (tmp_path / "h.json").write_text(json.dumps(document(when=when)))
        given = {key.replace("_", "."): value for key, value in annotations.items()}
        return [Path(h.origin).name for h in plugin(tmp_path).oci_hooks(spec=spec, annotations=given)]

    return names


def test_a_hook_comes_back_whole_with_the_file_as_its_origin(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document(stages=["precreate", "poststop"])))
    (hook,) = plugin(tmp_path).oci_hooks(spec=SPEC, annotations={})
    assert (hook.path, hook.args, hook.env, hook.timeout) == ("/bin/true", ("true", "prestart"), ("K=V",), 10)
    assert hook.stages == ("precreate", "poststop")
    assert hook.origin == str(path)


def test_order_is_by_name_case_ignored_and_later_folders_hide_earlier_ones(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    for name in ("b.json", "A.json", "C.json", "no.txt"):
        (first / name).write_text(json.dumps(document()))
    (second / "b.json").write_text(json.dumps(document(hook={"path": "/bin/false"})))
    spec = json.loads(json.dumps(SPEC))
    found = plugin(first, second, tmp_path / "absent").oci_hooks(spec=spec, annotations={})
    assert [Path(hook.origin).name for hook in found] == ["A.json", "b.json", "C.json"]
    assert found[1].path == "/bin/false"
    assert spec == SPEC, "the spec is only read"
    assert plugin().oci_hooks(spec=SPEC, annotations={}) == ()


@pytest.mark.parametrize(
    ("when", "applies"),
    [
        ({"always": True}, True),
        ({"always": False}, False),
        ({}, False),
        ({"commands": ["^/usr/bin/.*"]}, True),
        ({"commands": ["^/bin", "python"]}, True),
        ({"commands": ["^/bin/"]}, False),
        ({"commands": []}, False),
        ({"annotations": {r"^a\.b$": "^x"}}, True),
        ({"annotations": {r"^a\.b$": "^y"}}, False),
        ({"annotations": {r"^a\.b$": "^x", "^c$": "."}}, False),
        ({"annotations": {r"^a": "."}, "commands": ["python"]}, True),
        ({"annotations": {r"^a": "."}, "commands": ["perl"]}, False),
        ({"always": True, "commands": ["perl"]}, False),
        ({"hasBindMounts": True}, False),
        ({"hasBindMounts": False}, False),
    ],
)
def test_when(hooks: Callable[..., list[str]], when: dict[str, Any], applies: bool) -> None:
    assert hooks(when, a_b="xyz") == (["h.json"] if applies else [])


def test_volumes_count_and_the_engines_own_files_do_not(hooks: Callable[..., list[str]]) -> None:
    assert hooks({"hasBindMounts": True}, BOUND) == ["h.json"]
    assert hooks({"hasBindMounts": False}, BOUND) == []
    assert hooks({"hasBindMounts": True}, {}) == []


def test_a_hook_whose_program_is_gone_is_passed_over_and_said_so(tmp_path: Path) -> None:
    (tmp_path / "gone.json").write_text(json.dumps(document(hook={"path": "/no/such"})))
    log = Log()
    assert plugin(tmp_path, log=log).oci_hooks(spec=SPEC, annotations={}) == ()
    assert log.seen[0][1]["file"] == str(tmp_path / "gone.json")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "parsing hook"),
        ("[]", "no JSON object"),
        (document(version="0.1.0"), 'unrecognized hook version: "0.1.0"'),
        (document(hook=None), "missing required property: hook"),
        (document(hook={}), "missing required property: hook.path"),
        (document(hook={"path": "bin/x"}), "is not absolute"),
        (document(hook={"path": "/bin/true", "args": "x"}), "hook.args is not a list of texts"),
        (document(hook={"path": "/bin/true", "timeout": 0}), "hook.timeout 0 is not a positive number"),
        (document(when=None), "missing required property: when"),
        (document(when={"always": 1}), "when.always is neither true nor false"),
        (document(when={"annotations": {"a": 1}}), "when.annotations does not map"),
        (document(when={"commands": ["("]}), "invalid regular expression"),
        (document(when={"annotations": {"(": "a"}}), "invalid regular expression"),
        (document(when={"commands": ["a" * 5000]}), "a regular expression of 5000 characters"),
        (document(stages=[]), "missing required property: stages"),
        (document(stages=["prestart", "never"]), 'unknown stage "never"'),
        ("x" * (1 << 20) + "y", "larger than"),
    ],
)
def test_a_wrong_file_is_an_error_that_names_it(tmp_path: Path, content: Any, said: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(UsageError) as caught:
        plugin(tmp_path).oci_hooks(spec=SPEC, annotations={})
    assert caught.value.message.startswith(f"hook file {path}: ")
    assert said in caught.value.message


def test_a_folder_that_is_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="hooks folder"):
        plugin(tmp_path / "file").oci_hooks(spec=SPEC, annotations={})
