"""Helper programs that take a JSON document on stdin and answer with one on stdout."""

from sonata_core import json_text as json
from sonata_core.errors import CommandFailed
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.process import Command, CommandResult

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWER_LIMIT = 16 * 1024 * 1024
"""Bytes of an answer that are looked at; no helper has a reason to say more."""


def ask_json(
    run: "Callable[[Command], CommandResult]", command: Command, question: object, *, name: str = ""
) -> "dict[str, Any] | None":
    """Run `command` with `question` on its stdin; its answer, or None if it said nothing.

    Raises CommandFailed with the helper's own words for one that exits with an error: the field
    `error` of its answer where it has one, else the end of its stderr.
    """
    asked = command.replace(input=json.dumps(question, separators=(",", ":")).encode())
    result = run(asked)
    answer = _thaw(result.stdout)
    if result.code == 0 and (answer is not None or not result.stdout.strip()):
        return answer
    program = name or command.argv[0].rsplit("/", 1)[-1]
    raise CommandFailed(
        f"{program}: {_complaint(result, answer)}",
        argv=command.argv,
        code=result.code,
        stderr=tail(result.stderr),
    )


def tail(output: bytes, limit: int = 2000) -> str:
    """The end of a program's output, as text."""
    return output[-limit:].decode(errors="replace").strip()


def _thaw(output: bytes) -> "dict[str, Any] | None":
    text = output.strip()
    if not text or len(text) > ANSWER_LIMIT:
        return None
    try:
        answer = json.loads(text)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _complaint(result: CommandResult, answer: "dict[str, Any] | None") -> str:
    if answer is not None and isinstance(answer.get("error"), str):
        return str(answer["error"])
    said = tail(result.stderr) or tail(result.stdout)
    if result.code < 0:
        return f"killed by signal {-result.code}" + (f": {said}" if said else "")
    return said or f"exited with {result.code} and said nothing"
