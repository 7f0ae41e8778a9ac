"""The option tables against the published interface of Podman (tests/compat/data/podman-cli.json)."""

import json
from pathlib import Path

import pytest

from sonata.cli import root, table
from sonata.cli.options.root import LEADING, PERSISTENT
from sonata.cli.pflag import extras
from sonata.cli.to_come import TO_COME

DATA = json.loads((Path(__file__).parent / "data/podman-cli.json").read_text())

OURS_ONLY = {
    "artifact referrers",
    "container debug",
    "debug",
    "doctor",
    "help",
    "image audit",
    "image copy",
    "image sync",
    "network reconcile",
    "plugin",
    "plugin check",
    "plugin inspect",
    "plugin ls",
    "system state",
}

DIFFERENT_ON_PURPOSE = {
    # Podman's --trace is a hidden switch for its own tracing; ours writes a timeline to a file.
    ("", "trace"),
}

STRICT = {("choice", "string")}


def rows(path):
    return {row[0]: row for row in root.options_of(path)}


OWN = {
    "container cleanup": {"unless-gone"},
    "container create": {"explain"},
    "network create": {"from"},
    "container inspect": {"effective"},
    "container run": {"explain"},
    "create": {"explain"},
    "inspect": {"effective"},
    "run": {"explain"},
    **{f"{group}{verb}": {"progress"} for group in ("", "image ") for verb in ("load", "pull", "push", "save")},
    **{path: {"source-date-epoch"} for path in ("commit", "container commit", "image import", "import")},
    "artifact pull": {"progress"},
    "artifact push": {"progress"},
}
"""Options that Sonata alone has: beyond the peers, and hidden ones, by which it calls itself."""


OLDER = {(f"image trust {verb}", "signature-policy"): ("policypath",) for verb in ("set", "show")}
"""Names that options had in Podman 5."""


OURS = sorted(set(DATA["options"]) & set(table.TABLE))


@pytest.mark.parametrize("path", OURS)
def test_options_have_podmans_names_letters_types_and_defaults(path):
    ours = rows(path) if table.TABLE[path][0] else {}
    theirs = {option["long"][2:]: option for option in DATA["options"][path]["options"]}
    assert set(ours) - OWN.get(path, set()) == set(theirs)
    for name, option in theirs.items():
        row = ours[name]
        kind = option["go_type"] or "string"
        assert row[1] == (option["short"] or "-")[1:], name
        assert row[2] == kind or (row[2], kind) in STRICT, name
        aliases = (*(alias[2:] for alias in option.get("aliases", ())), *OLDER.get((path, name), ()))
        assert tuple(extras(row).get("aliases", ())) == aliases, name
        assert bool(extras(row).get("hidden")) == option["hidden"], name
        assert str(extras(row).get("bare", "")) == str(option.get("value_if_bare", "")), name
        if option.get("choices"):
            assert tuple(extras(row)["choices"]) == tuple(
                # Some are words of a list, which the data tell by the source's way of joining them.
                choice.rpartition(">")[2]
                for choice in option["choices"]
            ), name
        _same_default(row, option["default"])


def _same_default(row, default):
    """Where Podman's default is a plain value, ours is the same; where it depends on the host, ours is empty.

    `run --tls-verify` says false in Podman's table though it means "as registries.conf says, else true".
    """
    if row[0] == "tls-verify":
        return
    if isinstance(default, list):
        assert list(row[3]) == default, row[0]
    elif isinstance(default, bool) or (isinstance(default, (int, float)) and row[2] != "string"):
        assert row[3] == default, row[0]
    elif isinstance(default, str) and " " not in default and row[2] in ("string", "choice"):
        assert row[3] in (default, ""), row[0]


@pytest.mark.parametrize("path", OURS)
def test_options_end_where_podmans_do(path):
    stops = path in table.STOPS_AT_FIRST_ARGUMENT
    assert DATA["options"][path]["options_after_args"] is not stops


def test_every_command_of_podman_is_ours_or_named_as_to_come():
    ours = set(table.TABLE) | set(table.ALIASES)
    for name in DATA["commands"]:
        parts = name.split()
        known = any(" ".join(parts[:n]) in TO_COME for n in (1, 2, 3))
        assert name in ours or known, name
    assert not ours & TO_COME
    assert set(table.TABLE) - set(DATA["commands"]) <= OURS_ONLY


def test_global_options_have_podmans_names_and_places():
    places = {row[0]: (row, True) for row in PERSISTENT} | {row[0]: (row, False) for row in LEADING}
    for option in DATA["global"]:
        name = option["long"][2:]
        if name not in places or ("", name) in DIFFERENT_ON_PURPOSE:
            continue
        row, persistent = places[name]
        assert row[1] == (option["short"] or "-")[1:], name
        assert row[2] == option["go_type"], name
        assert persistent == option["persistent"], name
    hidden = {option["long"][2:] for option in DATA["global"] if option["hidden"]}
    missing = {option["long"][2:] for option in DATA["global"]} - set(places) - hidden
    assert not missing


def test_rows_are_well_formed():
    from sonata.cli import pflag

    for path in table.TABLE:
        for row in root.options_of(path) + PERSISTENT + LEADING:
            assert len(row) in (6, 7), row
            assert row[2] in pflag._SCALARS or row[2] in pflag._LISTS or row[2] in ("choice", "stringToString"), row
            assert set(extras(row)) <= set(pflag.EXTRAS), row
            assert row[5], row


def test_every_target_exists():
    for path, row in table.TABLE.items():
        if row[0]:
            assert callable(root.target(path)), path
