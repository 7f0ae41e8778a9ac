"""Running a parsed template over data, by the rules and with the messages of Go's text/template/exec.go."""

from __future__ import annotations

from collections.abc import Mapping

from sonata.cli.render.gotemplate import nodes
from sonata.cli.render.gotemplate.fmt import quote, show
from sonata.cli.render.gotemplate.funcs import FUNCTIONS, PARAMETERS, FuncError
from sonata.cli.render.gotemplate.nodes import Node
from sonata.cli.render.gotemplate.parse import Tree, parse
from sonata.cli.render.gotemplate.values import MISSING, Struct, go_type, sorted_items, truth
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_FINAL = object()
"""Stands for: nothing was piped in."""
_LARGEST = 64 << 20


class Template:
    """A parsed template, ready to be run any number of times."""

    def __init__(self, name: str, text: str) -> None:
        """Raises UsageError with Go's message for text that is no template."""
        self.tree = parse(name, text, FUNCTIONS)

    def execute(self, data: Any) -> str:
        """The text for this data. Raises UsageError with Go's message."""
        run = _Run(self.tree, self.tree.name, data)
        try:
            run.walk(data, self.tree.defined[self.tree.name])
        except RecursionError:
            raise run.error("exceeded maximum template depth (100000)") from None
        return "".join(run.written)


class _Given:
    """What a field or function is given: the words after it, and what was piped in."""

    __slots__ = ("dot", "piped", "words")

    def __init__(self, dot: Any, words: Sequence[Node] = (), piped: Any = _FINAL) -> None:
        self.dot = dot
        self.words = words
        self.piped = piped

    def __len__(self) -> int:
        return len(self.words) + (self.piped is not _FINAL)


class _Jump(Exception):
    """`break` or `continue` on its way to its `range`."""

    def __init__(self, keyword: str) -> None:
        super().__init__(keyword)
        self.keyword = keyword


class _Run:
    def __init__(self, tree: Tree, name: str, data: Any) -> None:
        self.tree = tree
        self.name = name
        self.variables: list[tuple[str, Any]] = [("$", data)]
        self.written: list[str] = []
        self.node: Node | None = None

    def error(self, message: str) -> UsageError:
        """Go's message: where, in which template, at which node, and what."""
        if self.node is None:
            return UsageError(f"template: {self.name}: {message}")
        before = self.tree.text[: self.node.pos]
        line, column = 1 + before.count("\n"), self.node.pos - (before.rfind("\n") + 1)
        where = f"{self.tree.name}:{line}:{column}"
        return UsageError(
            f"template: {where}: executing {quote(self.name)} at <{self.node}>: {message}",
            hint="`--format json` shows which fields there are.",
        )

    # Nodes

    def walk(self, dot: Any, body: Sequence[Node]) -> None:
        """Run nodes in order."""
        for node in body:
            self.node = node if not isinstance(node, nodes.Text) else self.node
            if isinstance(node, nodes.Text):
                self.written.append(node.text)
            elif isinstance(node, nodes.Action):
                self._act(dot, node)
            elif isinstance(node, nodes.Branch):
                self._branch(dot, node)
            elif isinstance(node, nodes.Call):
                self._call_template(dot, node)
            elif isinstance(node, nodes.Jump):
                raise _Jump(node.keyword)

    def _act(self, dot: Any, node: nodes.Action) -> None:
        value = self.pipeline(dot, node.pipe)
        if not node.pipe.names:
            self.node = node
            self._print(value)

    def _print(self, value: Any) -> None:
        if callable(value):
            raise self.error(f"can't print {self.node} of type func()")
        self.written.append(show(value))
        if len(self.written[-1]) > _LARGEST:
            raise self.error("output is too large")

    def _branch(self, dot: Any, node: nodes.Branch) -> None:
        mark = len(self.variables)
        if node.keyword == "range":
            self._range(dot, node)
        else:
            value = self.pipeline(dot, node.pipe)
            if truth(value):
                self.walk(value if node.keyword == "with" else dot, node.body)
            elif node.otherwise is not None:
                self.walk(dot, node.otherwise)
        del self.variables[mark:]

    def _range(self, dot: Any, node: nodes.Branch) -> None:
        value = self.pipeline(dot, node.pipe)
        mark = len(self.variables)
        any_at_all = False
        for key, item in self._pairs(value, node):
            any_at_all = True
            self._bind(node.pipe, key, item)
            inner = len(self.variables)
            try:
                self.walk(item, node.body)
            except _Jump as jump:
                if jump.keyword == "break":
                    break
            finally:
                del self.variables[inner:]
            del self.variables[mark:]
        if not any_at_all and node.otherwise is not None:
            self.walk(dot, node.otherwise)

    def _pairs(self, value: Any, node: nodes.Branch) -> Iterator[tuple[Any, Any]]:
        if isinstance(value, (list, tuple)):
            return iter(enumerate(value))
        if isinstance(value, Mapping) and not isinstance(value, Struct):
            return iter(sorted_items(value))
        if value is MISSING or value is None:
            return iter(())
        if isinstance(value, int) and not isinstance(value, bool):
            return iter((number, number) for number in range(value))
        self.node = node.pipe
        raise self.error(f"range can't iterate over {show(value)}")

    def _bind(self, pipe: nodes.Pipe, key: Any, item: Any) -> None:
        """One name gets the item; of two the first gets the index."""
        values = (item,) if len(pipe.names) == 1 else (key, item)
        for name, value in zip(pipe.names, values, strict=False):
            if pipe.assigns:
                self._assign(name, value)
            else:
                self.variables.append((name, value))

    def _assign(self, name: str, value: Any) -> None:
        for at in range(len(self.variables) - 1, -1, -1):
            if self.variables[at][0] == name:
                self.variables[at] = (name, value)
                return
        raise self.error(f"undefined variable: {name}")

    def _call_template(self, dot: Any, node: nodes.Call) -> None:
        body = self.tree.defined.get(node.name)
        if body is None:
            raise self.error(f"template {quote(node.name)} not defined")
        given = MISSING if node.pipe is None else self.pipeline(dot, node.pipe)
        inner = _Run(self.tree, node.name, given)
        inner.written = self.written
        inner.walk(given, body)

    # Pipelines

    def pipeline(self, dot: Any, pipe: nodes.Pipe) -> Any:
        """The value of a pipeline; its variables are set."""
        self.node = pipe
        value: Any = _FINAL
        for command in pipe.commands:
            value = self._command(dot, command, value)
        for name in pipe.names:
            if pipe.assigns:
                self._assign(name, value)
            else:
                self.variables.append((name, value))
        return value

    def _command(self, dot: Any, command: nodes.Command, piped: Any) -> Any:
        first = command.args[0]
        given = _Given(dot, command.args[1:], piped)
        self.node = first if not isinstance(first, nodes.Pipe) else self.node
        if isinstance(first, nodes.Field):
            return self._fields(dot, first.names, given)
        if isinstance(first, nodes.Chain):
            return self._chain(first, given)
        if isinstance(first, nodes.Variable):
            return self._variable(first, given)
        if isinstance(first, nodes.Identifier):
            return self._function(first, command, given)
        self._not_a_function(first, given)
        if isinstance(first, nodes.Pipe):
            return self.pipeline(dot, first)
        if isinstance(first, nodes.Constant):
            return first.value
        if isinstance(first, nodes.Dot):
            return dot
        raise self.error("nil is not a command")

    def _not_a_function(self, first: Node, given: _Given) -> None:
        if len(given):
            self.node = first
            raise self.error(f"can't give argument to non-function {first}")

    def _chain(self, chain: nodes.Chain, given: _Given) -> Any:
        if isinstance(chain.node, nodes.Nil):
            raise self.error(f"indirection through explicit nil in {chain}")
        value = self._argument(given.dot, chain.node)
        self.node = chain
        return self._fields(value, chain.names, given)

    def _variable(self, variable: nodes.Variable, given: _Given) -> Any:
        value: Any = MISSING
        for name, held in reversed(self.variables):
            if name == variable.names[0]:
                value = held
                break
        if len(variable.names) == 1:
            self._not_a_function(variable, given)
            return value
        return self._fields(value, variable.names[1:], given)

    def _fields(self, receiver: Any, names: Sequence[str], given: _Given) -> Any:
        """`.A.B` of a value; only the last name is given anything. `self.node` is what errors quote."""
        nothing = _Given(given.dot)
        for name in names[:-1]:
            receiver = self._field(receiver, name, nothing)
        return self._field(receiver, names[-1], given)

    def _field(self, receiver: Any, name: str, given: _Given) -> Any:
        if receiver is MISSING:
            return MISSING
        if receiver is None:
            raise self.error(f"nil pointer evaluating interface {{}}.{name}")
        members = getattr(receiver, "methods", None)
        source: Any = members() if members is not None else receiver
        is_map = isinstance(source, Mapping) and not isinstance(source, Struct)
        if not isinstance(source, Mapping) or (name not in source and (members is not None or not is_map)):
            raise self.error(f"can't evaluate field {name} in type {go_type(receiver)}")
        value = source.get(name, MISSING)
        if callable(value):
            return self._invoke(name, value, _parameters_of(value), given)
        if len(given):
            what = "is not a method but has arguments" if is_map else "has arguments but cannot be invoked as function"
            raise self.error(f"{name} {what}")
        return value

    # Functions

    def _function(self, word: nodes.Identifier, whole: Node, given: _Given) -> Any:
        self.node = word
        if word.name in ("and", "or"):
            return self._short_circuit(word, given)
        try:
            return self._invoke(word.name, FUNCTIONS[word.name], PARAMETERS[word.name], given)
        except FuncError as error:
            self.node = whole
            raise self.error(f"error calling {word.name}: {error}") from error

    def _short_circuit(self, word: nodes.Identifier, given: _Given) -> Any:
        if not len(given):
            raise self.error(f"wrong number of args for {word.name}: want at least 1 got 0")
        value: Any = MISSING
        for arg in given.words:
            value = self._argument(given.dot, arg)
            if truth(value) == (word.name == "or"):
                return value
        return given.piped if given.piped is not _FINAL else value

    def _invoke(self, name: str, function: Callable[..., Any], kinds: tuple[str, ...], given: _Given) -> Any:
        where, count = self.node, len(given)
        fixed = len([kind for kind in kinds if kind != "*"])
        if count < fixed or (count > fixed and "*" not in kinds):
            want = f"at least {fixed}" if "*" in kinds else str(fixed)
            raise self.error(f"wrong number of args for {name}: want {want} got {count}")
        values = []
        for number, word in enumerate(given.words):
            values.append(self._checked(self._argument(given.dot, word), kinds[min(number, len(kinds) - 1)], word))
        self.node = where
        if given.piped is not _FINAL:
            values.append(self._checked(given.piped, kinds[min(len(values), len(kinds) - 1)], where))
        return function(*values)

    def _argument(self, dot: Any, node: Node) -> Any:
        """One word's value."""
        if isinstance(node, nodes.Dot):
            return dot
        if isinstance(node, nodes.Nil):
            return None
        if isinstance(node, nodes.Constant):
            return node.value
        if isinstance(node, nodes.Pipe):
            return self.pipeline(dot, node)
        if isinstance(node, nodes.Identifier):
            return self._function(node, node, _Given(dot))
        return self._command(dot, nodes.Command(node.pos, [node]), _FINAL)

    def _checked(self, value: Any, kind: str, node: Node | None) -> Any:
        """The value if the parameter takes it."""
        if kind in ("any", "*", "interface {}"):
            return value
        self.node = node
        if value is MISSING:
            raise self.error(f"invalid value; expected {kind}")
        if value is None and isinstance(node, nodes.Nil):
            raise self.error(f"cannot assign nil to {kind}")
        good = {
            "string": isinstance(value, str),
            "int": isinstance(value, int) and not isinstance(value, bool),
            "[]string": isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value),
        }
        if good[kind]:
            return value
        if isinstance(node, nodes.Constant):
            raise self.error(f"expected {'integer' if kind == 'int' else kind}; found {node}")
        raise self.error(f"wrong type for value; expected {kind}; got {go_type(value)}")


def _parameters_of(function: Callable[..., Any]) -> tuple[str, ...]:
    """A computed member's parameters: strings, as many as its code takes without defaults."""
    code: Any = getattr(function, "__code__", None)
    if code is None:
        return ()
    owned = 1 if hasattr(function, "__self__") else 0
    taken: int = code.co_argcount - owned - len(getattr(function, "__defaults__", None) or ())
    return ("string",) * max(taken, 0)
