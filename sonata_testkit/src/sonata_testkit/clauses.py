"""Clauses: which test proves which numbered sentence of the contract, and the report of what was proved.

This is a pytest plugin; installing the kit is all that is needed. After a run it prints, for each
suite, every clause: passed, failed, not offered (a capability that the plugin does not have), or not
run, with the reason. `--strict-clauses` makes a failure of every clause that was not run.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any, NoReturn, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])

_MARK = "sonata_clauses"
_NOT_RUN = "not run: "
_NOT_OFFERED = "not offered: "


def clause(*ids: str) -> Callable[[F], F]:
    """Mark a test as the proof of one or more clauses, such as `S-01`."""

    def mark(function: F) -> F:
        setattr(function, _MARK, ids)
        return function

    return mark


def clauses_of(function: object) -> tuple[str, ...]:
    """The clauses that a test proves."""
    found: tuple[str, ...] = getattr(function, _MARK, ())
    return found


def clauses_in(suite: type) -> frozenset[str]:
    """The clauses that a suite's class proves, inherited ones included."""
    return frozenset(one for name in dir(suite) for one in clauses_of(getattr(suite, name)))


def not_run(reason: str) -> NoReturn:
    """End a test that this host cannot run. With `--strict-clauses` this is a failure."""
    pytest.skip(_NOT_RUN + reason)


def not_offered(what: str) -> NoReturn:
    """End a test of something optional that the plugin does not have: nothing is wrong with that."""
    pytest.skip(_NOT_OFFERED + what)


class _Suite:
    """What is known of one suite's clauses."""

    def __init__(self) -> None:
        self.passed: set[str] = set()
        self.failed: dict[str, str] = {}
        self.not_run: dict[str, str] = {}
        self.not_offered: dict[str, str] = {}

    def note(self, ids: tuple[str, ...], report: pytest.TestReport) -> None:
        reason = skip_reason(report)
        test = report.nodeid.rpartition("::")[2]
        for one in ids:
            if report.failed:
                self.failed[one] = test
            elif reason.startswith(_NOT_OFFERED):
                self.not_offered[one] = reason.removeprefix(_NOT_OFFERED)
            elif report.skipped:
                self.not_run[one] = reason.removeprefix(_NOT_RUN)
            elif report.when == "call":
                self.passed.add(one)

    def lines(self) -> list[str]:
        settled = set(self.failed) | set(self.not_run)
        passed = sorted(self.passed - settled)
        lines = [f"  passed       {' '.join(passed)}"] if passed else []
        lines += [f"  failed       {one}: {test}" for one, test in sorted(self.failed.items())]
        lines += [f"  not run      {one}: {why}" for one, why in sorted(self.not_run.items()) if one not in self.failed]
        for one, what in sorted(self.not_offered.items()):
            if one not in settled and one not in self.passed:
                lines.append(f"  not offered  {one}: {what}")
        return lines


class ClauseReport:
    """Collects outcomes of tests that prove clauses, and prints them at the end."""

    def __init__(self, strict: bool) -> None:
        self.strict = strict
        self.suites: dict[str, _Suite] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        ids = clauses_of(getattr(item, "function", None))
        if ids and self.strict and report.skipped and skip_reason(report).startswith(_NOT_RUN):
            report.outcome = "failed"
            report.longrepr = f"{', '.join(ids)} {skip_reason(report)} (--strict-clauses)"
        if ids:
            report.user_properties.append((_MARK, ids))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Hears of tests that other processes ran, too (pytest-xdist)."""
        for name, ids in report.user_properties:
            if name == _MARK:
                assert isinstance(ids, tuple | list)
                self.suites.setdefault(report.nodeid.rpartition("::")[0], _Suite()).note(tuple(ids), report)
                return

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for name, suite in sorted(self.suites.items()):
            terminalreporter.write_sep("-", f"clauses: {name}")
            for line in suite.lines():
                terminalreporter.write_line(line)


def skip_reason(report: pytest.TestReport) -> str:
    """Why a test was skipped; empty where it was not."""
    if not report.skipped:
        return ""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("sonata").addoption(
        "--strict-clauses", action="store_true", help="a clause of the contract that was not run is a failure"
    )
    parser.getgroup("sonata").addoption(
        "--clauses", default="", metavar="IDS", help="run only the tests of these clauses, such as S-03,S-05"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs_root: changes namespaces, mounts or the network of this host")
    config.pluginmanager.register(ClauseReport(bool(config.getoption("--strict-clauses"))), "sonata-clauses-report")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = {one.strip() for one in str(config.getoption("--clauses")).split(",") if one.strip()}
    if wanted:
        left = [item for item in items if not wanted & set(clauses_of(getattr(item, "function", None)))]
        items[:] = [item for item in items if item not in left]
        config.hook.pytest_deselected(items=left)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if clauses_of(getattr(item, "function", None)) and item.get_closest_marker("needs_root") and os.geteuid():
        not_run("needs root")
