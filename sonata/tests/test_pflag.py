# ruff: noqa: E501  error texts stand in one piece
"""The parser: pflag's grammar and pflag's words. Error texts were taken from Podman 5.8."""

import pytest

from sonata.cli import pflag

OPTIONS = (
    ("rm", "", "bool", False, "", ""),
    ("interactive", "i", "bool", False, "", ""),
    ("tty", "t", "bool", False, "", ""),
    ("publish", "p", "stringSlice", (), "", ""),
    ("env", "e", "stringArray", (), "", ""),
    ("name", "", "string", "", "", "", {"aliases": ("called",)}),
    ("cpus", "", "float64", 0.0, "", ""),
    ("swappiness", "", "int64", -1, "", ""),
    ("stop-timeout", "", "uint", 10, "", ""),
    ("score", "", "int32", 0, "", ""),
    ("fd", "", "uintSlice", (), "", ""),
    ("max", "", "duration", 0, "", ""),
    ("ip", "", "ip", "", "", ""),
    ("sort", "", "choice", "a", "", "", {"choices": ("a", "b")}),
    ("mode", "", "string", "", "", "", {"bare": "auto"}),
    ("old", "", "bool", False, "", "", {"deprecated": "use new"}),
    ("map", "", "stringToString", (), "", ""),
)


def parse(*words: str, interspersed: bool = True) -> pflag.Parsed:
    return pflag.parse(OPTIONS, list(words), interspersed=interspersed)


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["--rm"], "rm", True),
        (["--rm=false"], "rm", False),
        (["--rm=T"], "rm", True),
        (["-it"], "tty", True),
        (["-i=false"], "interactive", False),
        (["-p80:80"], "publish", ["80:80"]),
        (["-p=80:80"], "publish", ["80:80"]),
        (["-p", "80:80,81:81", "--publish=82"], "publish", ["80:80", "81:81", "82"]),
        (["-itp80"], "publish", ["80"]),
        (["--publish", 'a,"b,c"'], "publish", ["a", "b,c"]),
        (["--publish", '"say ""hi"""'], "publish", ['say "hi"']),
        (["--publish="], "publish", []),
        (["-e", "A=1,2", "--env", "B"], "env", ["A=1,2", "B"]),
        (["-e=A"], "env", ["A"]),
        (["-e="], "env", ["="]),
        (["--env="], "env", [""]),
        (["--name", "--rm"], "name", "--rm"),
        (["--called=x"], "name", "x"),
        (["--name=a=b"], "name", "a=b"),
        (["--cpus", ".5"], "cpus", 0.5),
        (["--cpus", "1_0"], "cpus", 10.0),
        (["--swappiness", "-1"], "swappiness", -1),
        (["--swappiness", "0x1F"], "swappiness", 31),
        (["--swappiness", "010"], "swappiness", 8),
        (["--swappiness", "1_000"], "swappiness", 1000),
        (["--stop-timeout", "4294967296"], "stop-timeout", 4294967296),
        (["--fd=1,2", "--fd", "3"], "fd", [1, 2, 3]),
        (["--max", "1h2m3.5s"], "max", 3723_500_000_000),
        (["--max=-1.5ms"], "max", -1_500_000),
        (["--ip", "10.0.0.1"], "ip", "10.0.0.1"),
        (["--mode"], "mode", "auto"),
        (["--mode=x"], "mode", "x"),
        (["--map", "a=1,b=2"], "map", {"a": "1", "b": "2"}),
    ],
)
def test_values(words, name, value):
    assert parse(*words)[name] == value


def test_defaults_stay_apart_from_what_was_given():
    parsed = parse("--stop-timeout=10")
    assert parsed.changed("stop-timeout")
    assert not parsed.changed("swappiness")
    assert parsed["swappiness"] == -1
    assert parsed.get("swappiness") is None
    assert parsed["env"] == []
    with pytest.raises(KeyError):
        parsed["nothing"]


def test_arguments_among_options():
    assert parse("a", "--rm", "b").args == ["a", "b"]
    assert parse("--rm", "a", "--rm", "-x", interspersed=False).args == ["a", "--rm", "-x"]
    parsed = parse("a", "--", "--rm", "-x")
    assert parsed.args == ["a", "--rm", "-x"]
    assert parsed.dash == 1
    assert not parsed.changed("rm")
    assert parse("-", "", "--rm").args == ["-", ""]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--foo"], "unknown flag: --foo"),
        (["--foo=1"], "unknown flag: --foo"),
        (["-x"], "unknown shorthand flag: 'x' in -x"),
        (["-itx"], "unknown shorthand flag: 'x' in -x"),
        (["-ixt"], "unknown shorthand flag: 'x' in -xt"),
        (["--name"], "flag needs an argument: --name"),
        (["-ite"], "flag needs an argument: 'e' in -e"),
        (["--=x"], "bad flag syntax: --=x"),
        (["---x"], "bad flag syntax: ---x"),
        (["--rm=maybe"], 'invalid argument "maybe" for "--rm" flag: strconv.ParseBool: parsing "maybe": invalid syntax'),
        (["-i=x"], 'invalid argument "x" for "-i, --interactive" flag: strconv.ParseBool: parsing "x": invalid syntax'),
        (["--cpus", "x"], 'invalid argument "x" for "--cpus" flag: strconv.ParseFloat: parsing "x": invalid syntax'),
        (["--cpus=0x10"], 'invalid argument "0x10" for "--cpus" flag: strconv.ParseFloat: parsing "0x10": invalid syntax'),
        (["--cpus=1e400"], 'invalid argument "1e400" for "--cpus" flag: strconv.ParseFloat: parsing "1e400": value out of range'),
        (["--swappiness=1__0"], 'invalid argument "1__0" for "--swappiness" flag: strconv.ParseInt: parsing "1__0": invalid syntax'),
        (["--swappiness=9" + "9" * 19], f'invalid argument "{"9" * 20}" for "--swappiness" flag: strconv.ParseInt: parsing "{"9" * 20}": value out of range'),
        (["--score=2147483648"], 'invalid argument "2147483648" for "--score" flag: strconv.ParseInt: parsing "2147483648": value out of range'),
        (["--stop-timeout", "-1"], 'invalid argument "-1" for "--stop-timeout" flag: strconv.ParseUint: parsing "-1": invalid syntax'),
        (["--stop-timeout", "٣"], 'invalid argument "٣" for "--stop-timeout" flag: strconv.ParseUint: parsing "٣": invalid syntax'),
        (["--fd=1,x"], 'invalid argument "1,x" for "--fd" flag: strconv.ParseUint: parsing "x": invalid syntax'),
        (["-p", 'a"b'], 'invalid argument "a\\"b" for "-p, --publish" flag: parse error on line 1, column 2: bare " in non-quoted-field'),
        (["-p", '"a"b'], 'invalid argument "\\"a\\"b" for "-p, --publish" flag: parse error on line 1, column 3: extraneous or missing " in quoted-field'),
        (["--sort=c"], 'invalid argument "c" for "--sort" flag: "c" is not a valid value.  Choose from: "a, b"'),
        (["--max", "5"], 'invalid argument "5" for "--max" flag: time: missing unit in duration "5"'),
        (["--max", "5d"], 'invalid argument "5d" for "--max" flag: time: unknown unit "d" in duration "5d"'),
        (["--max="], 'invalid argument "" for "--max" flag: time: invalid duration ""'),
        (["--ip", "1.2"], 'invalid argument "1.2" for "--ip" flag: failed to parse IP: "1.2"'),
    ],
)  # fmt: skip
def test_errors_are_pflags(words, text):
    with pytest.raises(pflag.FlagError) as caught:
        parse(*words)
    assert str(caught.value) == text


def test_deprecated_options_warn():
    assert parse("--old").warnings == ["Flag --old has been deprecated, use new"]


def test_free_h_means_help_at_once():
    with pytest.raises(pflag.HelpWanted):
        parse("-h", "--unknown")


def test_quoting_of_odd_bytes():
    assert pflag.quote('a\tb"c\\\x01\udcff') == '"a\\tb\\"c\\\\\\x01\\xff"'
