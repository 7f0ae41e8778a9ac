"""The YAML that configuration is written in, and what of YAML is refused."""

import json

import pytest

from sonata.config import yaml_text

NVIDIA = """\
---
# made by a tool
cdiVersion: 0.5.0
kind: nvidia.com/gpu
devices:
- name: "0"
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia0   # a node
      fileMode: 0660
- name: all
  containerEdits: {env: [A=b, "C=d e"], hooks: []}
containerEdits:
  env:
  - NVIDIA_VISIBLE_DEVICES=void
  hooks:
    - hookName: createContainer
      args: ["nvidia-cdi-hook", create-symlinks,
             --link, '../lib::/usr/lib']
      timeout: 10
  mounts:
  -
    hostPath: /x
    options: [ro, nosuid]
"""


def test_a_specification_as_tools_write_it():
    found = yaml_text.loads(NVIDIA)
    assert found == {
        "cdiVersion": "0.5.0",
        "kind": "nvidia.com/gpu",
        "devices": [
            {"name": "0", "containerEdits": {"deviceNodes": [{"path": "/dev/nvidia0", "fileMode": 0o660}]}},
            {"name": "all", "containerEdits": {"env": ["A=b", "C=d e"], "hooks": []}},
        ],
        "containerEdits": {
            "env": ["NVIDIA_VISIBLE_DEVICES=void"],
            "hooks": [
                {
                    "hookName": "createContainer",
                    "args": ["nvidia-cdi-hook", "create-symlinks", "--link", "../lib::/usr/lib"],
                    "timeout": 10,
                }
            ],
            "mounts": [{"hostPath": "/x", "options": ["ro", "nosuid"]}],
        },
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("a: ", {"a": None}),
        (
            "a: ~\nb: true\nc: no\nd: 1.5\ne: 0x10\nf: -3\ng: 010",
            {"a": None, "b": True, "c": "no", "d": 1.5, "e": 16, "f": -3, "g": 8},
        ),
        ("- 1\n- - 2\n  - 3\n- a: b", [1, [2, 3], {"a": "b"}]),
        ("a: |\n  one\n   two\nb: >-\n  three\n  four", {"a": "one\n two\n", "b": "three four"}),
        ("a: 'it''s'\nb: \"x\\ty\\u00e9\\x41\"", {"a": "it's", "b": "x\ty\u00e9A"}),
        ("a: http://x:1/y#z", {"a": "http://x:1/y#z"}),
        ('"a b": 1', {"a b": 1}),
        ("a:\n- 1\n-  2\nb: {}", {"a": [1, 2], "b": {}}),
        ("a: [1, [2, {b: c}], 'x, y']", {"a": [1, [2, {"b": "c"}], "x, y"]}),
        ("plain words", "plain words"),
        ("a: 1.2.3\nb: 12h", {"a": "1.2.3", "b": "12h"}),
    ],
)
def test_values(text, value):
    assert yaml_text.loads(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "a: &x 1\nb: *x",
        "a: !!python/object/apply:os.system [id]",
        "a: 1\na: 2",
        "a: [1, 2",
        "a: 'x",
        "\ta: 1",
        "a: 1\n  b: 2",
        "a: b: c",
        "a: {b: 1, b: 2}",
        "a: 1\n---\nb: 2",
        "- 1\nb: 2",
        'a: "\\q"',
        "a: [1] 2",
        "a: |q\n  x",
    ],
)
def test_what_is_refused_names_the_line(text):
    with pytest.raises(ValueError, match=r"^line \d+: "):
        yaml_text.loads(text)


@pytest.mark.parametrize(
    "text", ["[" * 5000, "a: " + "[" * 5000 + "]" * 5000, "\n".join(" " * n + "- " for n in range(200))]
)
def test_depth_is_bounded(text):
    with pytest.raises(ValueError, match="line"):
        yaml_text.loads(text)


def test_what_json_says_yaml_says_too():
    value = {"a": [1, "two", None, {"b": False}], "c": {"d": [], "e": "x: y # z"}}
    assert yaml_text.loads(json.dumps(value)) == value
