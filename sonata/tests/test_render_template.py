"""Go templates: each row is a template, and what Go's text/template makes of it or complains about."""

from __future__ import annotations

import time

import pytest

from sonata.cli.render.gotemplate.evaluate import Template
from sonata.cli.render.gotemplate.fmt import quote, sprintf, unquote
from sonata.cli.render.gotemplate.times import Time
from sonata.cli.render.gotemplate.values import Duration, GoMap, Struct
from sonata_core.errors import UsageError

STATE = Struct("*define.State", {"Status": "running", "Pid": 42, "Running": True, "Error": None})
DATA = Struct(
    "main.T",
    {
        "ID": "0123456789abcdef",
        "Name": "web",
        "Empty": "",
        "N": 7,
        "Zero": 0,
        "Big": 1234567890123,
        "F": 2.5,
        "Yes": True,
        "No": False,
        "List": ["a", "b", "c"],
        "Nums": [3, 1, 2],
        "None_": None,
        "NoList": [],
        "Map": {"b": "2", "a": "1"},
        "Any": {"x": 1, "y": "z", "deep": {"k": "v"}, "nil": None},
        "NoMap": GoMap.of({}, "string"),
        "Ints": {2: "two", 10: "ten"},
        "State": STATE,
        "Rows": [{"K": "1"}, {"K": "2"}],
        "When": Time.parse("2024-02-29T13:04:05.123456789Z"),
        "Took": Duration(3_723_500_000_000),
        "Label": lambda name: {"k": "v"}.get(name, ""),
        "Computed": lambda: "worked out",
        "Html": "<a href='x'>&\"",
    },
)

GOOD = [
    ("", ""),
    ("plain", "plain"),
    ("{{.Name}}", "web"),
    ("{{ .Name }}", "web"),
    ("{{.}}x{{$}}", None),
    ("a{{.N}}b{{.F}}c{{.Yes}}", "a7b2.5ctrue"),
    ("{{.Zero}}{{.No}}{{.Big}}", "0false1234567890123"),
    ("{{.List}} {{.Nums}} {{.NoList}}", "[a b c] [3 1 2] []"),
    ("{{.Map}} {{.NoMap}} {{.Ints}}", "map[a:1 b:2] map[] map[2:two 10:ten]"),
    ("{{.Any}}", "map[deep:map[k:v] nil:<nil> x:1 y:z]"),
    ("{{.None_}}", "<nil>"),
    ("{{.State}}", "{running 42 true <nil>}"),
    ("{{.State.Status}}/{{.State.Pid}}", "running/42"),
    ("{{.Map.a}}{{.Map.zz}}", "1<no value>"),
    ("{{.Any.nope.deeper}}", "<no value>"),
    ("{{.Any.deep.k}}", "v"),
    ("{{.When}}", "2024-02-29 13:04:05.123456789 +0000 UTC"),
    ("{{.When.Unix}} {{.When.Year}}", "1709211845 2024"),
    ('{{.When.Format "2006-01-02 15:04"}}', "2024-02-29 13:04"),
    ('{{.When.Format "Mon Jan _2 3:04PM 06 MST Z07:00 .000"}}', "Thu Feb 29 1:04PM 24 UTC Z .123"),
    ("{{.Took}}", "1h2m3.5s"),
    ('{{.Label "k"}}|{{.Label "q"}}|{{"k" | .Label}}', "v||v"),
    ("{{.Computed}}{{len .Computed}}", "worked out10"),
    # white space
    ("a {{- .N -}} b", "a7b"),
    ("a {{- 1}} {{2 -}} b", "a1 2b"),
    ("a{{/* no */}}b", "ab"),
    ("a {{- /* no */ -}} b", "ab"),
    ("{{/* first */}}{{.N}}", "7"),
    ("{{.N}}\n{{- .N}}", "77"),
    ("{{ -3 }}", "-3"),
    # constants
    ('{{"s"}}{{`raw\\n`}}{{1}}{{0x10}}{{1e3}}{{true}}{{010}}', "sraw\\n1161000true8"),
    (r'{{"\t\x41\u00e9\""}}', '\tA\u00e9"'),
    ("{{'a'}}{{1_000}}", "971000"),
    # if, with
    ("{{if .Yes}}y{{end}}{{if .No}}n{{end}}", "y"),
    ("{{if .Empty}}y{{else}}n{{end}}", "n"),
    ("{{if .Zero}}1{{else if .N}}2{{else}}3{{end}}", "2"),
    ("{{if .Zero}}1{{else if .No}}2{{else if .Yes}}3{{end}}", "3"),
    ("{{if .NoList}}y{{else}}n{{end}}{{if .State}}s{{end}}", "ns"),
    ("{{if .Map.zz}}y{{else}}n{{end}}", "n"),
    ("{{with .State}}{{.Status}}{{$.Name}}{{end}}", "runningweb"),
    ("{{with .Empty}}y{{else}}{{.Name}}{{end}}", "web"),
    ("{{with $x := .N}}{{$x}}{{.}}{{end}}", "77"),
    ("{{with .Empty}}y{{else with .Name}}{{.}}{{end}}", "web"),
    # range
    ("{{range .List}}{{.}};{{end}}", "a;b;c;"),
    ("{{range $e := .List}}{{$e}}{{end}}", "abc"),
    ("{{range $i, $e := .List}}{{$i}}{{$e}}{{end}}", "0a1b2c"),
    ("{{range $k, $v := .Map}}{{$k}}={{$v}} {{end}}", "a=1 b=2 "),
    ("{{range .Ints}}{{.}} {{end}}", "two ten "),
    ("{{range .NoList}}x{{else}}empty{{end}}", "empty"),
    ("{{range .None_}}x{{else}}empty{{end}}", "empty"),
    ("{{range .Map.zz}}x{{else}}empty{{end}}", "empty"),
    ('{{range .List}}{{if eq . "b"}}{{continue}}{{end}}{{.}}{{end}}', "ac"),
    ('{{range .List}}{{if eq . "b"}}{{break}}{{end}}{{.}}{{end}}', "a"),
    ("{{range .Rows}}{{.K}}{{range $.List}}{{.}}{{end}}{{end}}", "1abc2abc"),
    ("{{range 3}}{{.}}{{end}}", "012"),
    # variables
    ("{{$x := .N}}{{$x}}", "7"),
    ("{{$x := 1}}{{if .Yes}}{{$x = 2}}{{end}}{{$x}}", "2"),
    ("{{$x := 1}}{{if .Yes}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21"),
    ("{{$s := .State}}{{$s.Status}}", "running"),
    ("{{$x := 0}}{{range .Nums}}{{$x = .}}{{end}}{{$x}}", "2"),
    ("{{$i := 9}}{{range $i, $e := .List}}{{end}}{{$i}}", "9"),
    # pipelines
    ("{{.Name | upper}}", "WEB"),
    ('{{.Name | printf "%s-%s" "x" | upper}}', "X-WEB"),
    ("{{(.Name)}}{{(.State).Status}}", "webrunning"),
    ("{{(index .Rows 1).K}}", "2"),
    ("{{len (slice .ID 0 4)}}", "4"),
    ('{{printf "%d" (len .List)}}', "3"),
    # define, template, block
    ('{{define "u"}}[{{.}}]{{end}}{{template "u" .N}}{{template "u"}}', "[7][<no value>]"),
    ('{{block "b" .List}}{{range .}}{{.}}{{end}}{{end}}', "abc"),
    ('{{template "later" .}}{{define "later"}}{{.N}}{{end}}', "7"),
    # comparisons
    ("{{eq 1 1}}{{eq 1 2}}{{eq 1 2 1}}{{ne 1 2}}", "truefalsetruetrue"),
    ("{{lt 1 2}}{{le 2 2}}{{gt 1 2}}{{ge 2 2}}", "truetruefalsetrue"),
    ('{{eq .Name "web"}}{{lt "a" "b"}}{{eq true .Yes}}', "truetruetrue"),
    ("{{eq .None_ nil}}{{ne .None_ nil}}", "truefalse"),
    ("{{and .Yes .N}}{{and .Zero .Name}}{{or .Zero .Name}}{{or .Empty .Zero}}", "70web0"),
    ("{{not .Yes}}{{not .Empty}}", "falsetrue"),
    ("{{or .Yes (index .List 99)}}", "true"),
    ("{{and .No (index .List 99)}}", "false"),
    ("{{if and .Yes (not .No) (gt .N 5)}}y{{end}}", "y"),
    # functions
    ('{{len .List}}{{len .Map}}{{len .Name}}{{len "é"}}', "3232"),
    ('{{index .List 1}}{{index .Map "a"}}{{index .Map "q"}}|{{index .Any "deep" "k"}}', "b1|v"),
    ('{{index .Any "q"}}', "<no value>"),
    ('{{index "abc" 1}}', "98"),
    ("{{slice .List 1}}{{slice .List 1 2}}{{slice .Name 1 2}}", "[b c][b]e"),
    ('{{print "a" 1 2 "b" 3}}|{{println "a" 1}}', "a1 2b3|a 1\n"),
    ("{{html .Html}}", "&lt;a href=&#39;x&#39;&gt;&amp;&#34;"),
    ("{{js .Html}}", "\\u003Ca href\\u003D\\'x\\'\\u003E\\u0026\\\""),
    ('{{urlquery "a b/c&é"}}', "a+b%2Fc%26%C3%A9"),
    ('{{join .List ", "}}{{split "a-b" "-"}}', "a, b, c[a b]"),
    ('{{upper "aB"}}{{lower "aB"}}{{title "two words"}}', "ABabTwo Words"),
    ('{{pad "x" 1 2}}|{{pad "" 1 2}}|{{truncate .ID 4}}|{{truncate "ab" 9}}', " x  ||0123|ab"),
    ("{{json .List}}{{json .Map}}{{json .Name}}{{json .None_}}", '["a","b","c"]{"b":"2","a":"1"}"web"null'),
    ("{{json .State}}", '{"Status":"running","Pid":42,"Running":true,"Error":null}'),
    ("{{json .Html}}", '"<a href=\'x\'>&\\""'),
    ("{{json .When}}", '"2024-02-29T13:04:05.123456789Z"'),
    ('{{range $i, $e := split "x,y" ","}}{{if $i}}+{{end}}{{$e}}{{end}}', "x+y"),
]

BAD = [
    # parse
    ("{{.Name", "t:1: unclosed action"),
    ("{{", "t:1: unclosed action"),
    ("x\n{{.Name\n", "t:3: unclosed action started at t:2"),
    ("{{.ID{{.Name}}", "t:1: bad character U+007B '{'"),
    ("{{nope}}", 't:1: function "nope" not defined'),
    ("{{.Name | nope}}", 't:1: function "nope" not defined'),
    ("{{if}}x{{end}}", "t:1: missing value for if"),
    ("{{}}", "t:1: missing value for command"),
    ("{{if .N}}x", "t:1: unexpected EOF"),
    ("{{end}}", "t:1: unexpected {{end}}"),
    ("{{else}}", "t:1: unexpected {{else}}"),
    ("{{range .List}}{{else}}{{else}}{{end}}", "t:1: expected end; found {{else}}"),
    ("{{$x}}", 't:1: undefined variable "$x"'),
    ("{{break}}", "t:1: {{break}} outside {{range}}"),
    ("{{continue}}", "t:1: {{continue}} outside {{range}}"),
    ("{{.Name)}}", "t:1: unexpected right paren"),
    ("{{(.Name}}", "t:1: unclosed left paren"),
    ('{{"abc}}', "t:1: unterminated quoted string"),
    ("{{`abc}}", "t:1: unterminated raw quoted string"),
    ("{{'ab'}}", "t:1: malformed character constant: 'ab'"),
    ("{{/* x }}", "t:1: unclosed comment"),
    ("{{/* x */ y}}", "t:1: comment ends before closing delimiter"),
    ("{{12abc}}", 't:1: bad number syntax: "12a"'),
    ("{{1 | 2}}", "t:1: non executable command in pipeline stage 2"),
    ('{{.N | "x"}}', "t:1: non executable command in pipeline stage 2"),
    ('{{"x".y}}', 't:1: unexpected . after term "\\"x\\""'),
    ("{{$a, $b := .N}}", "t:1: too many declarations in command"),
    ("{{.N :}}", "t:1: expected :="),
    ("{{.N ! }}", 't:1: unexpected "!" in operand'),
    ("{{ ^ }}", 't:1: unexpected "^" in command'),
    ("{{template}}", 't:1: unexpected "}}" in template clause'),
    ("{{define 1}}{{end}}", 't:1: unexpected "1" in define clause'),
    ("{{if .N}}{{end", "t:1: unclosed action"),
    ("{{\x01}}", "t:1: unrecognized character in action: U+0001"),
    # run
    ("{{.Foo}}", 't:1:2: executing "t" at <.Foo>: can\'t evaluate field Foo in type main.T'),
    ("\n  {{.Foo}}", 't:2:4: executing "t" at <.Foo>: can\'t evaluate field Foo in type main.T'),
    ("{{.State.Foo}}", 't:1:8: executing "t" at <.State.Foo>: can\'t evaluate field Foo in type *define.State'),
    ("{{.Name.x}}", 't:1:7: executing "t" at <.Name.x>: can\'t evaluate field x in type string'),
    ("{{.List.x}}", "can't evaluate field x in type []string"),
    ("{{.Any.nil.x}}", "nil pointer evaluating interface {}.x"),
    ("{{.N | upper}}", 'executing "t" at <upper>: wrong type for value; expected string; got int'),
    ("{{upper .N}}", 'executing "t" at <.N>: wrong type for value; expected string; got int'),
    ("{{upper 1}}", 'executing "t" at <1>: expected string; found 1'),
    ("{{upper .Map.zz}}", "invalid value; expected string"),
    ("{{upper}}", 'executing "t" at <upper>: wrong number of args for upper: want 1 got 0'),
    ("{{upper .Name .Name}}", "wrong number of args for upper: want 1 got 2"),
    ("{{.Label}}", 't:1:2: executing "t" at <.Label>: wrong number of args for Label: want 1 got 0'),
    ('{{.Name "x"}}', "Name has arguments but cannot be invoked as function"),
    ('{{.Map.a "x"}}', "a is not a method but has arguments"),
    ("{{1 2}}", 'executing "t" at <1>: can\'t give argument to non-function 1'),
    ("{{nil}}", "nil is not a command"),
    ("{{range .Name}}{{end}}", "range can't iterate over web"),
    ("{{range .Yes}}{{end}}", "range can't iterate over true"),
    ('{{eq .N "x"}}', 'executing "t" at <eq .N "x">: error calling eq: incompatible types for comparison'),
    ("{{eq .N}}", "error calling eq: missing argument for comparison"),
    ("{{eq .List .List}}", "error calling eq: non-comparable type []string"),
    ("{{lt .Yes .No}}", "error calling lt: invalid type for comparison"),
    ("{{lt .N .F}}", "error calling lt: incompatible types for comparison"),
    ("{{ne 1}}", "wrong number of args for ne: want 2 got 1"),
    ("{{index .List 4}}", "error calling index: index out of range: 4"),
    ("{{index .List 3}}", "error calling index: reflect: slice index out of range"),
    ('{{index .List "x"}}', "error calling index: cannot index slice/array with type string"),
    ("{{index .Map 1}}", "error calling index: value has type int; should be string"),
    ("{{index .N 1}}", "error calling index: can't index item of type int"),
    ("{{len .N}}", "error calling len: len of type int"),
    ("{{len nil}}", "error calling len: len of nil pointer"),
    ("{{slice .Name 2 1}}", "error calling slice: invalid slice index: 2 > 1"),
    ("{{slice .N 1}}", "error calling slice: can't slice item of type int"),
    ('{{pad "x" 999999999999 1}}', "error calling pad: strings: Repeat output length overflow"),
    ('{{pad "x" -1 1}}', "error calling pad: strings: negative Repeat count"),
    ('{{template "no"}}', 'template "no" not defined'),
    ('{{define "r"}}{{template "r"}}{{end}}{{template "r"}}', "exceeded maximum template depth"),
    ("{{.Label 1}}", "expected string; found 1"),
]


@pytest.mark.parametrize(("text", "want"), GOOD)
def test_good(text: str, want: str | None) -> None:
    made = Template("t", text).execute(DATA)
    assert want is None or made == want


@pytest.mark.parametrize(("text", "told"), BAD)
def test_bad(text: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        Template("t", text).execute(DATA)
    assert caught.value.message.startswith("template: t:")
    assert told in caught.value.message


@pytest.mark.parametrize(
    ("form", "values", "want"),
    [
        ("%s %d %v", ("a", 1, None), "a 1 <nil>"),
        ("%5s|%-5s|%05d|%+d|% d", ("a", "b", 7, 7, 7), "    a|b    |00007|+7| 7"),
        ("%q %x %X %t", ('a"b', "hi", 255, True), '"a\\"b" 6869 FF true'),
        ("%f %.2f %e %g %G", (1.5, 1.555, 1500.0, 1e21, 1e-7), "1.500000 1.55 1.500000e+03 1e+21 1E-07"),
        ("%v %v %v %v", (1e6, 123456.0, 1234567.5, 0.00001), "1e+06 123456 1.2345675e+06 1e-05"),
        ("%T %T %T %T", ("a", 1, [1], {"a": "b"}), "string int []int map[string]string"),
        ("%U %c %#U", (0x1F600, 65, 0xE9), "U+1F600 A U+00E9 'é'"),
        ("%d%%", (50,), "50%"),
        ("%d", ("x",), "%!d(string=x)"),
        ("%s", (5,), "%!s(int=5)"),
        ("%d", (), "%!d(MISSING)"),
        ("a", (1, "x"), "a%!(EXTRA int=1, string=x)"),
        ("%", (), "%!(NOVERB)"),
        ("%z", (1,), "%!z(int=1)"),
        ("%s", (None,), "%!s(<nil>)"),
        ("%*d|%-*d|", (4, 1, 3, 2), "   1|2  |"),
        ("%.3s|%.0s|%10.2s|", ("abcdef", "x", "abc"), "abc||        ab|"),
        ("%s %d", (["a", "b"], [1, 2]), "[a b] [1 2]"),
        ("%v %+v", (STATE, STATE), "{running 42 true <nil>} {Status:running Pid:42 Running:true Error:<nil>}"),
        ("%#v %#v", ("a", ["b"]), '"a" []string{"b"}'),
        ("%o %b %#x %O", (8, 5, 255, 8), "10 101 0xff 0o10"),
        ("%q %q", (65, "é\n"), "'A' \"é\\n\""),
        ("%+q %x", ("é", "é"), '"\\u00e9" c3a9'),
        ("%6.2f|%-8.1f|%+.1f", (3.14159, 2.0, 1.0), "  3.14|2.0     |+1.0"),
        ("%x", ([1, 255],), "[1 ff]"),
        ("%t", (1,), "%!t(int=1)"),
        ("%8v|%-8v|%08v", ("a", 1, 2), "       a|1       |00000002"),
    ],
)
def test_printf(form: str, values: tuple[object, ...], want: str) -> None:
    assert sprintf(form, values) == want


def test_quote_round_trip() -> None:
    for text in ("", "plain", 'a"b\\c', "\t\n\x00\x7f", "é\u2028😀"):
        assert unquote(quote(text)) == text


@pytest.mark.parametrize(
    ("nanoseconds", "want"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1500, "1.5µs"),
        (2_000_000, "2ms"),
        (1_500_000_000, "1.5s"),
        (60_000_000_000, "1m0s"),
        (-90_000_000_000, "-1m30s"),
        (86_400_000_000_000, "24h0m0s"),
    ],
)
def test_durations(nanoseconds: int, want: str) -> None:
    assert str(Duration(nanoseconds)) == want


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("0001-01-01T00:00:00Z", "0001-01-01 00:00:00 +0000 UTC"),
        ("1970-01-01T00:00:00Z", "1970-01-01 00:00:00 +0000 UTC"),
        ("1969-12-31T23:59:59.5Z", "1969-12-31 23:59:59.5 +0000 UTC"),
        ("2024-12-31T23:59:59.000001Z", "2024-12-31 23:59:59.000001 +0000 UTC"),
        ("2100-03-01T00:00:00Z", "2100-03-01 00:00:00 +0000 UTC"),
    ],
)
def test_times(text: str, want: str) -> None:
    moment = Time.parse(text)
    assert str(moment) == want
    assert Time.parse(moment.rfc3339()) == moment
    assert moment.is_zero() is want.startswith("0001")


def test_times_agree_with_the_standard_library() -> None:
    for seconds in range(-3_000_000_000, 5_000_000_000, 12_345_678):
        there = time.gmtime(seconds)
        parts = Time(seconds * 1_000_000_000).parts()
        assert parts[:7] == (*there[:6], there.tm_wday)


@pytest.mark.heavy
def test_deep_nesting_is_refused_not_crashed() -> None:
    for text in ("{{" + "(" * 5000 + ".N" + ")" * 5000 + "}}", "{{if .N}}" * 5000 + "{{end}}" * 5000):
        with pytest.raises(UsageError, match="max expression depth exceeded"):
            Template("t", text)


def test_a_template_runs_again_unchanged() -> None:
    template = Template("t", "{{$x := .}}{{range $x}}{{.}}{{end}}")
    assert [template.execute(["a"]), template.execute(["b", "c"])] == ["a", "bc"]
