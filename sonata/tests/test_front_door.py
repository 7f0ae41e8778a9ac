"""The front door as a program: what a wrong command line says and how it ends."""

import os
import signal
import subprocess
import sys

import pytest


def sonata(*words, **options):
    return subprocess.run(
        [sys.executable, "-m", "sonata", *words], capture_output=True, text=True, check=False, **options
    )


@pytest.mark.parametrize("word", ["--version", "-v"])
def test_version_is_one_line(word):
    done = sonata(word)
    assert (done.returncode, done.stdout, done.stderr) == (0, "sonata version 0.1.0\n", "")


def test_version_table():
    done = sonata("version")
    assert done.returncode == 0
    lines = dict(line.split(":", 1) for line in done.stdout.splitlines())
    assert lines["Version"].strip() == "0.1.0"
    assert lines["OS/Arch"].strip().startswith("linux/")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["run", "--foo"], "Error: unknown flag: --foo\nSee 'sonata run --help'\n"),
        (["container", "run", "-x"], "Error: unknown shorthand flag: 'x' in -x\nSee 'sonata container run --help'\n"),
        (["--foo", "ps"], "Error: unknown flag: --foo\nSee 'sonata --help'\n"),
        (["--foo", "nosuch"], "Error: unknown flag: --foo\nSee 'sonata --help'\n"),
        (["nosuch"], "Error: unrecognized command `sonata nosuch`\nTry 'sonata --help' for more information\n"),
        (
            ["image", "foo"],
            "Error: unrecognized command `sonata image foo`\nTry 'sonata image --help' for more information\n",
        ),
        (["ps", "extra"], "Error: `sonata ps` takes no arguments\n"),
        (["rm"], "Error: you must provide at least one name or id\n"),
        (["run"], "Error: requires at least 1 arg(s), only received 0\n"),
        (["rename", "a"], "Error: accepts 2 arg(s), received 1\n"),
        (["build", "."], "Error: `sonata build` is not supported yet\n  hint: it is to come in a later version\n"),
        (["kube", "play"], "Error: `sonata kube` is not supported yet\n  hint: it is to come in a later version\n"),
        (["ps", "--remote"], "Error: unknown flag: --remote\nSee 'sonata ps --help'\n"),
        (["completion", "tcsh"], 'Error: invalid argument "tcsh" for "sonata completion"\n'),
    ],
)
def test_usage_errors(words, text):
    done = sonata(*words)
    assert done.returncode == 125
    assert done.stderr == text
    assert done.stdout == ""


def test_group_alone_shows_its_help_and_fails():
    done = sonata("image")
    assert done.returncode == 125
    assert "  history     Show history of a specified image\n" in done.stdout
    assert done.stderr == "Error: missing command 'sonata image COMMAND'\n"


@pytest.mark.parametrize("words", [["ps", "--help"], ["help", "ps"], ["ps", "-h", "--nosuch"], ["ps", "x", "--help"]])
def test_help_wins_over_arguments(words):
    done = sonata(*words)
    assert done.returncode == 0
    assert done.stdout.startswith("List containers\n\nDescription:\n")


def test_h_belongs_to_run():
    assert sonata("run", "-h").stderr.startswith("Error: flag needs an argument: 'h' in -h\n")


def test_reader_that_goes_away_ends_it_silently():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-m", "sonata", "--help"], stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert done.returncode == -signal.SIGPIPE
    assert done.stderr == b""


def test_full_disk_under_stdout_is_told():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "sonata", "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 125
    assert done.stderr in ("Error: write stdout: no space left on device\n", "Error: no space left on device\n")


def test_closed_stdout_is_survived():
    done = subprocess.run(
        ["/bin/sh", "-c", f"exec {sys.executable} -m sonata --version >&-"], capture_output=True, check=False
    )
    assert done.returncode == 0


def test_out_and_noout(tmp_path):
    done = sonata("--out", str(tmp_path / "out"), "version")
    assert done.stdout == ""
    assert "0.1.0" in (tmp_path / "out").read_text()
    assert sonata("--noout", "version").stdout == ""


def test_trace_writes_a_timeline(tmp_path):
    import json

    file = tmp_path / "trace.json"
    assert sonata("version", "--trace", str(file)).returncode == 0
    events = json.loads(file.read_text())["traceEvents"]
    assert any(event["name"] == "version" and event["ph"] == "X" and event["dur"] > 0 for event in events)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ru"], "run\tRun a command in a new container"),
        (["image", "hi"], "history\tShow history of a specified image"),
        (["run", "--netw"], "--network\tConnect a container to a network"),
        (["run", "--pull", "mi"], "missing"),
        (["run", "--pull=mi"], "--pull=missing"),
        (["ps", "--sort", "cre"], "created"),
        (["completion", "z"], "zsh"),
    ],
)
def test_completion_candidates(words, expected):
    done = sonata("__complete", *words)
    assert done.returncode == 0
    assert expected in done.stdout.splitlines()
    assert done.stdout.splitlines()[-1].startswith(":")


def test_completion_hides_what_is_refused():
    shown = sonata("__complete", "pull", "--").stdout
    assert "--platform\t" in shown
    assert "--decryption-key\t" not in shown


def test_bash_completion_runs():
    script = sonata("completion", "bash").stdout
    driver = 'sonata() { "$PYTHON" -m sonata "$@"; }\n' + script
    driver += (
        'COMP_WORDS=(sonata image hi); COMP_CWORD=2; COMP_LINE="sonata image hi"; COMP_POINT=15\n'
        'compopt() { :; }; _sonata; printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "-c", driver],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "history\n", done.stderr
