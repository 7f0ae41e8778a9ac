"""Tables, headings, sizes, times, JSON and progress: to the letter."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sonata.cli.render.human import bytes_size, human_duration, human_size, image_size
from sonata.cli.render.json import dumps
from sonata.cli.render.report import Report, is_json, json_text, ranges, render_object, render_objects, render_rows
from sonata.cli.render.table import align, heading_of, table
from sonata_core.errors import UsageError

REPORT = Report("ps", "containers.psReporter", [("ID", "CONTAINER ID"), ("Names", "NAMES")], {"PIDNS": "pidns"})
ROWS = [
    {"ID": "0123456789ab", "Names": "one", "PIDNS": "", "Label": lambda name: f"<{name}>", "CreatedAt": "now"},
    {"ID": "ba9876543210", "Names": "a-longer-name", "PIDNS": "7", "Label": lambda name: "", "CreatedAt": "then"},
]


def test_json_of_several_objects():
    """Recorded with Podman 5.8: `{{json .}}` is an object a line."""
    assert json_text("json", [{"a": 1}, {}]) == '[\n  {\n    "a": 1\n  },\n  {}\n]\n'
    assert json_text("{{json}}", []) == "[]\n"
    assert json_text("{{ json . }}", [{"a": 1}, {"b": "<"}]) == '{"a":1}\n{"b":"<"}\n'


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("a\tb\n", "a           b\n"),
        ("a\tb\nccccccccccccc\td\n", "a              b\nccccccccccccc  d\n"),
        ("123456789012\tx\n", "123456789012  x\n"),
        ("1234567890\tx\n", "1234567890  x\n"),
        ("12345678901\tx\n", "12345678901  x\n"),
        ("\tx\n", "            x\n"),
        ("a\t\n", "a           \n"),
        ("a\t\tb\n", "a                       b\n"),
        ("one\n", "one\n"),
        ("", ""),
        ("aaaaaaaaaaaaaaaaaa\tb\nplain\na\tb\n", "aaaaaaaaaaaaaaaaaa  b\nplain\na           b\n"),
        ("aaaaaaaaaaaaaaa\tb\tc\nx\ty\n", "aaaaaaaaaaaaaaa  b           c\nx                y\n"),
        ("é\tb\n", "é           b\n"),
        ("no newline\tat the end", "no newline\tat the end"),
    ],
)
def test_align(text: str, want: str) -> None:
    assert align(text) == want


@pytest.mark.parametrize(
    ("field", "heading"),
    [
        ("ID", "ID"),
        ("Names", "NAMES"),
        ("CreatedAt", "CREATED AT"),
        ("ImageID", "IMAGE ID"),
        ("RunningFor", "RUNNING FOR"),
        ("IPv6Enabled", "I PV 6 ENABLED"),
        ("CIDFile", "CID FILE"),
        ("IPAMOptions", "IPAM OPTIONS"),
        ("PIDNS", "PIDNS"),
        ("DNSEnabled", "DNS ENABLED"),
        ("x", "X"),
        ("", ""),
    ],
)
def test_headings(field: str, heading: str) -> None:
    assert heading_of(field) == heading


def test_own_columns() -> None:
    want = "CONTAINER ID  NAMES\n0123456789ab  one\nba9876543210  a-longer-name\n"
    assert render_rows(REPORT, ROWS) == want
    assert table(REPORT.columns, ROWS) == want
    assert render_rows(REPORT, [], None) == "CONTAINER ID  NAMES\n"
    assert render_rows(REPORT, ROWS, heading=False).count("\n") == 2
    cells = table([("A", "A"), ("B", "B")], [{"A": 1, "B": True}, {"A": lambda: "c", "B": ["x"]}])
    assert cells == "A           B\n1           true\nc           [x]\n"


@pytest.mark.parametrize(
    ("form", "want"),
    [
        ("{{.ID}}", "0123456789ab\nba9876543210\n"),
        (r"{{.ID}}\t{{.Names}}", "0123456789ab\tone\nba9876543210\ta-longer-name\n"),
        ("{{.ID}}\n", "0123456789ab\nba9876543210\n"),
        (r"{{.ID}}\n", "0123456789ab\nba9876543210\n"),
        ("{{range .}}{{.Names}};{{end}}", "one;a-longer-name;\n"),
        ("{{ range . }}{{.Names}};{{ end -}}", "one;a-longer-name;"),
        (r'{{printf "%s\n" .Names}}', "one\n\na-longer-name\n\n"),
        ("", "\n\n"),
        ("table", "table\ntable\n"),
        (
            r"table {{.Names}}\t{{.ID}}",
            "NAMES          ID\none            0123456789ab\na-longer-name  ba9876543210\n".replace(
                "ID\n", "CONTAINER ID\n"
            ),
        ),
        (r"table {{.PIDNS}}\t{{.CreatedAt}}", "PIDNS       CREATED AT\n            now\n7           then\n"),
        (
            "table {{.Names}} {{.ID}}",
            "NAMES          CONTAINER ID\none            0123456789ab\na-longer-name  ba9876543210\n",
        ),
        ('{{.Label "k"}}', "<k>\n\n"),
        ("{{range .}}{{range $k, $v := .}}{{end}}{{end}}", None),
    ],
)
def test_formats(form: str, want: str | None) -> None:
    if want is None:
        with pytest.raises(UsageError, match="range can't iterate over"):
            render_rows(REPORT, ROWS, form)
    elif form.startswith(r"{{printf"):
        assert render_rows(REPORT, ROWS, form).startswith("one\n")
    else:
        assert render_rows(REPORT, ROWS, form) == want


def test_no_heading_and_no_rows() -> None:
    assert render_rows(REPORT, ROWS[:1], r"table {{.ID}}\t{{.Names}}", heading=False) == "0123456789ab  one\n"
    assert render_rows(REPORT, [], "{{.ID}}") == ""
    assert render_rows(REPORT, [], "table {{.ID}}") == "CONTAINER ID\n"


@pytest.mark.parametrize(
    ("form", "told"),
    [
        (
            "{{.Foo}}",
            'template: ps:1:13: executing "ps" at <.Foo>: can\'t evaluate field Foo in type containers.psReporter',
        ),
        ("{{.ID", "template: ps:1: bad character U+007B '{'"),
        ("{{if}}", "template: ps:1: missing value for if"),
        ("{{.ID | foo}}", 'template: ps:1: function "foo" not defined'),
        ("{{.Names.x}}", 'template: ps:1:19: executing "ps" at <.Names.x>: can\'t evaluate field x in type string'),
        (r'table {{.Names "k"}}\t{{.ID}}', "Names has arguments but cannot be invoked as function"),
    ],
)
def test_errors_are_podmans(form: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        render_rows(REPORT, ROWS, form)
    assert told in caught.value.message


def test_objects() -> None:
    assert render_object("version", {"Client": {"Version": "1"}}, "{{.Client.Version}}") == "1\n"
    assert render_objects("inspect", [{"Id": "a"}, {"Id": "b"}], "{{.Id}}") == "a\nb\n"


@pytest.mark.parametrize(
    ("form", "yes"),
    [
        ("json", True),
        ("{{json}}", True),
        ("{{ json . }}", True),
        (" json ", True),
        ("{{json .ID}}", False),
        ("table", False),
    ],
)
def test_json_selector(form: str, yes: bool) -> None:
    assert is_json(form) is yes


def test_ranges() -> None:
    assert ranges("{{range .}}x{{end}}")
    assert ranges("a{{- range . -}}\nx{{end -}}")
    assert not ranges("{{range .Names}}x{{end}}")
    assert not ranges("{{.}}")


def test_json() -> None:
    value = {"b": [1, 2.5, 3.0, None, True], "a": {}, "s": "<é&\u2028\n", "e": []}
    assert dumps(value) == '{"b":[1,2.5,3,null,true],"a":{},"s":"<é&\\u2028\\n","e":[]}'
    assert dumps("<&>", escape_html=True) == '"\\u003c\\u0026\\u003e"'
    assert dumps({"a": [1], "b": {}}, indent=4) == '{\n    "a": [\n        1\n    ],\n    "b": {}\n}'


@pytest.mark.parametrize(
    ("amount", "want"),
    [
        (0, "0B"),
        (999, "999B"),
        (1000, "1kB"),
        (1024, "1.024kB"),
        (999999, "1000kB"),
        (1e6, "1MB"),
        (2746000, "2.746MB"),
        (1e9, "1GB"),
        (123456789, "123.5MB"),
        (5e24, "5YB"),
    ],
)
def test_human_size(amount: float, want: str) -> None:
    assert human_size(amount) == want


def test_other_sizes() -> None:
    assert human_size(2746000, 3) == "2.75MB"
    assert [image_size(n) for n in (0, 12, 1500, 2746000)] == ["0 B", "12 B", "1.5 kB", "2.75 MB"]
    assert [bytes_size(n) for n in (0, 1023, 1024, 1536, 1 << 20, 1234567890)] == [
        "0B",
        "1023B",
        "1KiB",
        "1.5KiB",
        "1MiB",
        "1.15GiB",
    ]


HOUR, DAY = 3600, 86400


@pytest.mark.parametrize(
    ("seconds", "want"),
    [
        (0.9, "Less than a second"),
        (1, "1 second"),
        (1.9, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (119, "About a minute"),
        (120, "2 minutes"),
        (3599, "59 minutes"),
        (3600, "About an hour"),
        (1.4 * HOUR, "About an hour"),
        (1.5 * HOUR, "2 hours"),
        (47.4 * HOUR, "47 hours"),
        (48 * HOUR, "2 days"),
        (13 * DAY, "13 days"),
        (14 * DAY, "2 weeks"),
        (59 * DAY, "8 weeks"),
        (60 * DAY, "2 months"),
        (729 * DAY, "24 months"),
        (730 * DAY, "2 years"),
        (4000 * DAY, "10 years"),
    ],
)
def test_human_duration(seconds: float, want: str) -> None:
    assert human_duration(seconds) == want


def test_own_tables_need_no_template_engine() -> None:
    program = f"""
import sys
sys.path[:0] = {[path for path in sys.path if path]!r}
from sonata.cli.render.report import Report, render_rows
print(render_rows(Report("ps", "t", [("ID", "ID"), ("N", "N")]), [{{"ID": "a", "N": 1}}]), end="")
heavy = {{"typing", "dataclasses", "pathlib", "re", "datetime", "sonata.cli.render.gotemplate.evaluate"}}
print(*sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "ID          N\na           1\n\n"


@pytest.mark.parametrize("indent", [1, 2, 5, "\t"])
def test_indented_json_is_what_json_writes(indent: int | str) -> None:
    import json

    from sonata.cli.render.json import dumps, plain

    value = {"a": [1, 2.0, 1.5, None, True, {"x": {}, "y": [], "z": 'é<>&"\n'}], 1: (2, []), "e": 1e300, "b": 10**25}
    expected = json.dumps(plain(value), ensure_ascii=False, indent=indent, separators=(",", ": "))
    assert dumps(value, indent=indent) == expected
