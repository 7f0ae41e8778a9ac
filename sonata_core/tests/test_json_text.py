"""What `json_text` reads and writes is what `json` does, and it is light; so are the words of `lite`."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys

import pytest

from sonata_core import json_text
from sonata_core.lite import StrEnum

VALUES = [
    None,
    True,
    -1,
    10**30,
    0.1,
    1e300,
    float("inf"),
    "",
    'quote " slash \\ tab \t é \u2028 \U0001f600 \x00',
    [],
    [1, [2, {}]],
    {"b": 1, "a": [None, {"c": "é"}], "1": (1, 2)},
]
TEXTS = ['{"a" : [1, 2.5e3, -0, "\\ud83d\\ude00"]}', " \n[true]\t", '"x"', "12", "Infinity", '{"a":1,"a":2}']
WRONG = ["", " ", "{", "[1,]", "{'a':1}", "1 2", "nul", '"\n"', '{"a":1}x', "\ufeff1", '["\\ud83d"', "[1] []"]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(
    "how",
    [{}, {"separators": (",", ":")}, {"sort_keys": True}, {"ensure_ascii": False}, {"indent": 2}],
)
def test_it_writes_what_json_writes(value: object, how: dict[str, object]) -> None:
    assert json_text.dumps(value, **how) == json.dumps(value, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", TEXTS)
def test_it_reads_what_json_reads(text: str) -> None:
    assert json_text.loads(text) == json.loads(text)
    for coding in ("utf-8", "utf-8-sig", "utf-16", "utf-32-le"):
        assert json_text.loads(text.encode(coding)) == json.loads(text.encode(coding))
    assert json_text.loads(bytearray(text.encode())) == json.loads(text)


@pytest.mark.parametrize("text", WRONG)
def test_it_refuses_what_json_refuses_in_the_same_words(text: str) -> None:
    with pytest.raises(json.JSONDecodeError) as theirs:
        json.loads(text)
    with pytest.raises(json.JSONDecodeError) as ours:
        json_text.loads(text)
    assert str(ours.value) == str(theirs.value)


def test_what_only_javascript_knows_can_be_refused() -> None:
    assert json_text.loads("[1]", constants=False) == [1]
    with pytest.raises(ValueError, match="NaN is no JSON value"):
        json_text.loads("[NaN]", constants=False)


def test_what_json_has_no_word_for_is_refused() -> None:
    with pytest.raises(TypeError, match="Object of type set is not JSON serializable"):
        json_text.dumps({"a": {1}})
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(ValueError, match="Circular reference detected"):
        json_text.dumps(loop)


class Colour(StrEnum):
    """For the tests."""

    RED = "red"
    GREEN = "green"

    @property
    def warm(self) -> bool:
        return self is Colour.RED


def test_words_are_their_texts_and_one_of_a_kind() -> None:
    assert Colour("red") is Colour.RED is Colour["RED"]
    assert Colour.RED == "red" and f"{Colour.RED}" == str(Colour.RED) == "red"
    assert Colour.RED.name == "RED" and Colour.RED.value == "red" and Colour.RED.warm and not Colour.GREEN.warm
    assert list(Colour) == ["red", "green"] and len(Colour) == 2 and "red" in Colour and "blue" not in Colour
    assert repr(Colour.GREEN) == "<Colour.GREEN: 'green'>"
    assert copy.deepcopy(Colour.RED) is Colour.RED is copy.copy(Colour.RED) is pickle.loads(pickle.dumps(Colour.RED))
    assert json.dumps({Colour.RED: Colour.GREEN}) == '{"red": "green"}'
    assert {"red": 1}[Colour.RED] == 1
    with pytest.raises(ValueError, match="'blue' is not a valid Colour"):
        Colour("blue")
    with pytest.raises(AttributeError, match="cannot be changed"):
        Colour.RED.value = "blue"  # type: ignore[misc]
    with pytest.raises(AttributeError, match="cannot reassign"):
        Colour.RED = "blue"  # type: ignore[misc,assignment]


def test_neither_brings_anything_heavy() -> None:
    script = (
        "import sys; before = set(sys.modules); from sonata_core import json_text, lite;"
        "class_ = type('C', (lite.StrEnum,), {'A': 'a'}); json_text.loads(json_text.dumps([1, 'a']));"
        "print(*(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"json", "re", "enum", "functools", "typing"} & set(done.stdout.split())


@pytest.mark.parametrize("text", ["{", "[1,", '{"a" 1}', "", "nul", '"open', "[1] 2", '{"a":}', '"\x01"'])
def test_a_fresh_interpreter_refuses_what_is_no_json(text: str) -> None:
    # In a fresh interpreter `json.decoder` was never imported, from which the scanner takes its error.
    code = (
        "import sys; from sonata_core import json_text\n"
        "try: json_text.loads(sys.argv[1])\n"
        "except ValueError as error: print('refused', error)"
    )
    argv = [sys.executable, "-c", code, text]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("refused"), done.stderr
