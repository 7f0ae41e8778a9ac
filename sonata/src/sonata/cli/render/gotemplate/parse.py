"""Tokens to a tree, by the rules and with the messages of Go's text/template/parse/parse.go."""

from __future__ import annotations

from sonata.cli.render.gotemplate import nodes
from sonata.cli.render.gotemplate.fmt import quote, unquote
from sonata.cli.render.gotemplate.lex import Token, lex
from sonata.cli.render.gotemplate.nodes import Node
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_OPERANDS = frozenset(
    (
        "bool",
        "charconstant",
        "dot",
        "field",
        "identifier",
        "number",
        "nil",
        "rawstring",
        "string",
        "variable",
        "leftparen",
    )
)
_DEEPEST = 100


class Tree:
    """A parsed text: its own nodes under its name, and what it defines."""

    def __init__(self, name: str, text: str, defined: dict[str, list[Node]]) -> None:
        self.name = name
        self.text = text
        self.defined = defined


def parse(name: str, text: str, functions: Collection[str]) -> Tree:
    """Parse a template. Raises UsageError with Go's message."""
    parser = _Parser(name, text, functions)
    parser.defined[name] = parser.top()
    return Tree(name, text, parser.defined)


class _Parser:
    def __init__(self, name: str, text: str, functions: Collection[str]) -> None:
        self.name = name
        self.tokens = lex(text)
        self.at = 0
        self.functions = functions
        self.variables = ["$"]
        self.ranges = 0
        self.depth = 0
        self.action_line = 0
        self.defined: dict[str, list[Node]] = {}

    # Tokens

    def next(self) -> Token:
        token = self.tokens[min(self.at, len(self.tokens) - 1)]
        self.at += 1
        return token

    def peek(self) -> Token:
        return self.tokens[min(self.at, len(self.tokens) - 1)]

    def next_non_space(self) -> Token:
        while self.peek().kind == "space":
            self.at += 1
        return self.next()

    def peek_non_space(self) -> Token:
        while self.peek().kind == "space":
            self.at += 1
        return self.peek()

    def is_keyword(self, token: Token, word: str) -> bool:
        return token.kind == "keyword" and token.text == word

    def error(self, message: str) -> UsageError:
        last = self.tokens[max(0, min(self.at, len(self.tokens)) - 1)]
        return UsageError(f"template: {self.name}:{last.line}: {message}", hint="sonata(1) describes --format.")

    def unexpected(self, token: Token, context: str) -> UsageError:
        if token.kind != "error":
            return self.error(f"unexpected {token} in {context}")
        extra = ""
        if self.action_line and self.action_line != token.line:
            extra = f" in action started at {self.name}:{self.action_line}"
            if token.text.endswith(" action"):
                extra = extra[len(" in action") :]
        return self.error(f"{token}{extra}")

    def expect(self, kind: str, context: str) -> Token:
        token = self.next_non_space()
        if token.kind != kind:
            raise self.unexpected(token, context)
        return token

    # Lists

    def top(self) -> list[Node]:
        """The text from its beginning to its end."""
        found: list[Node] = []
        while self.peek().kind != "eof":
            start = self.at
            if self.peek().kind == "left":
                self.next()
                if self.is_keyword(self.next_non_space(), "define"):
                    self._definition()
                    continue
                self.at = start
            node = self._text_or_action()
            if isinstance(node, nodes.End):
                raise self.error(f"unexpected {node}")
            found.append(node)
        return found

    def _definition(self) -> None:
        name = self._string(self.next_non_space(), "define clause")
        self.expect("right", "define clause")
        saved, self.variables = self.variables, ["$"]
        body, end = self._list()
        if end.keyword != "end":
            raise self.error(f"unexpected {end} in define clause")
        self._define(name, body)
        self.variables = saved

    def _define(self, name: str, body: list[Node]) -> None:
        if name in self.defined and any(_has_content(node) for node in self.defined[name]):
            raise self.error(f"template: multiple definition of template {quote(name)}")
        self.defined[name] = body

    def _list(self) -> tuple[list[Node], nodes.End]:
        """Nodes up to an `end` or `else`."""
        found: list[Node] = []
        while self.peek_non_space().kind != "eof":
            node = self._text_or_action()
            if isinstance(node, nodes.End):
                return found, node
            found.append(node)
        raise self.error("unexpected EOF")

    def _text_or_action(self) -> Node:
        token = self.next_non_space()
        if token.kind == "text":
            return nodes.Text(token.pos, token.text)
        if token.kind == "left":
            self.action_line = token.line
            made = self._action()
            self.action_line = 0
            return made
        raise self.unexpected(token, "input")

    # Actions

    def _action(self) -> Node:
        token = self.next_non_space()
        if token.kind != "keyword" or token.text == "nil":
            self.at -= 1
            return nodes.Action(self.peek().pos, self._pipeline("command", "right"))
        if token.text in ("if", "with", "range"):
            return self._control(token)
        if token.text in ("break", "continue"):
            return self._jump(token)
        if token.text in ("end", "else"):
            return self._end(token)
        if token.text in ("template", "block"):
            return self._call(token)
        self.at -= 1
        raise self.unexpected(self.next(), "command")

    def _jump(self, token: Token) -> Node:
        after = self.next_non_space()
        if after.kind != "right":
            raise self.unexpected(after, "{{" + token.text + "}}")
        if not self.ranges:
            raise self.error("{{" + token.text + "}} outside {{range}}")
        return nodes.Jump(token.pos, token.text)

    def _end(self, token: Token) -> Node:
        following = self.peek_non_space()
        if token.text == "else" and (self.is_keyword(following, "if") or self.is_keyword(following, "with")):
            return nodes.End(following.pos, "else")
        self.expect("right", token.text)
        return nodes.End(token.pos, token.text)

    def _call(self, token: Token) -> Node:
        context = f"{token.text} clause"
        named = self.next_non_space()
        name = self._string(named, context)
        pipe = None
        if token.text == "block":
            pipe = self._pipeline(context, "right")
            saved, self.variables = self.variables, ["$"]
            body, end = self._list()
            if end.keyword != "end":
                raise self.error(f"unexpected {end} in {context}")
            self._define(name, body)
            self.variables = saved
        elif self.next_non_space().kind != "right":
            self.at -= 1
            pipe = self._pipeline(context, "right")
        return nodes.Call(named.pos, name, pipe)

    def _string(self, token: Token, context: str) -> str:
        if token.kind not in ("string", "rawstring"):
            raise self.unexpected(token, context)
        return self._unquoted(token)

    def _control(self, token: Token) -> Node:
        """`if`, `with` and `range`, with what they hold up to their `end`."""
        keyword, mark = token.text, len(self.variables)
        self._deeper()
        node = nodes.Branch(token.pos, keyword, self._pipeline(keyword, "right"))
        self.ranges += keyword == "range"
        node.body, end = self._list()
        self.ranges -= keyword == "range"
        if end.keyword == "else":
            following = self.peek()
            if keyword in ("if", "with") and self.is_keyword(following, keyword):
                self.next()
                node.otherwise = [self._control(following)]
            else:
                node.otherwise, end = self._list()
                if end.keyword != "end":
                    raise self.error(f"expected end; found {end}")
        del self.variables[mark:]
        self.depth -= 1
        return node

    def _deeper(self) -> None:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self.error("max expression depth exceeded")

    # Pipelines

    def _pipeline(self, context: str, end: str) -> nodes.Pipe:
        self._deeper()
        pipe = nodes.Pipe(self.peek_non_space().pos)
        self._declarations(pipe, context)
        while (token := self.next_non_space()).kind != end:
            if token.kind not in _OPERANDS and not self.is_keyword(token, "nil"):
                raise self.unexpected(token, context)
            self.at -= 1
            pipe.commands.append(self._command())
        self._check(pipe, context)
        self.depth -= 1
        return pipe

    def _declarations(self, pipe: nodes.Pipe, context: str) -> None:
        while self.peek_non_space().kind == "variable":
            start = self.at
            name = self.next().text
            following = self.peek_non_space()
            if following.kind in ("assign", "declare"):
                self.next()
                pipe.assigns = following.kind == "assign"
                self._declare(pipe, name)
                return
            if not (following.kind == "char" and following.text == ","):
                self.at = start
                return
            self.next()
            self._declare(pipe, name)
            if context != "range" or len(pipe.names) > 1:
                raise self.error(f"too many declarations in {context}")
            if self.peek_non_space().kind not in ("variable", "right", "rightparen"):
                raise self.error("range can only initialize variables")

    def _declare(self, pipe: nodes.Pipe, name: str) -> None:
        pipe.names.append(name)
        self.variables.append(name)

    def _check(self, pipe: nodes.Pipe, context: str) -> None:
        if not pipe.commands:
            raise self.error(f"missing value for {context}")
        for number, command in enumerate(pipe.commands[1:], 2):
            if isinstance(command.args[0], (nodes.Constant, nodes.Dot, nodes.Nil)):
                raise self.error(f"non executable command in pipeline stage {number}")

    def _command(self) -> nodes.Command:
        command = nodes.Command(self.peek_non_space().pos, [])
        while True:
            self.peek_non_space()
            operand = self._operand()
            if operand is not None:
                command.args.append(operand)
            token = self.next()
            if token.kind == "space":
                continue
            if token.kind in ("right", "rightparen"):
                self.at -= 1
            elif token.kind != "pipe":
                raise self.unexpected(token, "operand")
            break
        if not command.args:
            raise self.error("empty command")
        return command

    def _operand(self) -> Node | None:
        node = self._term()
        if node is None or self.peek().kind != "field":
            return node
        pos = self.peek().pos
        names: list[str] = []
        while self.peek().kind == "field":
            names.append(self.next().text[1:])
        if isinstance(node, nodes.Field):
            return nodes.Field(pos, (*node.names, *names))
        if isinstance(node, nodes.Variable):
            return nodes.Variable(pos, (*node.names, *names))
        if isinstance(node, (nodes.Constant, nodes.Nil, nodes.Dot)):
            raise self.error(f"unexpected . after term {quote(str(node))}")
        return nodes.Chain(pos, node, tuple(names))

    def _term(self) -> Node | None:
        token = self.next_non_space()
        kind, pos, text = token.kind, token.pos, token.text
        if kind == "identifier":
            if text not in self.functions:
                raise self.error(f"function {quote(text)} not defined")
            return nodes.Identifier(pos, text)
        if kind == "variable":
            if text not in self.variables:
                raise self.error(f"undefined variable {quote(text)}")
            return nodes.Variable(pos, (text,))
        if kind == "leftparen":
            return self._pipeline("parenthesized pipeline", "rightparen")
        return self._plain_term(token)

    def _plain_term(self, token: Token) -> Node | None:
        kind, pos, text = token.kind, token.pos, token.text
        if kind == "dot":
            return nodes.Dot(pos)
        if self.is_keyword(token, "nil"):
            return nodes.Nil(pos)
        if kind == "field":
            return nodes.Field(pos, (text[1:],))
        if kind == "bool":
            return nodes.Constant(pos, "bool", text == "true", text)
        if kind == "number":
            return nodes.Constant(pos, "number", self._number(text), text)
        if kind in ("string", "rawstring"):
            return nodes.Constant(pos, "string", self._unquoted(token), text)
        if kind == "charconstant":
            value = self._unquoted(token)
            if len(value) != 1:
                raise self.error(f"malformed character constant: {text}")
            return nodes.Constant(pos, "number", ord(value), text)
        self.at -= 1
        return None

    def _unquoted(self, token: Token) -> str:
        try:
            return unquote(token.text)
        except ValueError:
            raise self.error("invalid syntax") from None

    def _number(self, text: str) -> int | float:
        """Go's integer and floating-point notations, with `0755` for octal."""
        plain = text.lstrip("+-")
        try:
            octal = len(plain) > 1 and plain[0] == "0" and plain.isdigit()
            value: int | float = int(plain, 8) if octal else int(plain, 0)
        except ValueError:
            try:
                value = float(text.lstrip("+-"))
            except ValueError:
                raise self.error(f"illegal number syntax: {quote(text)}") from None
        return -value if text.startswith("-") else value


def _has_content(node: Node) -> bool:
    return not isinstance(node, nodes.Text) or bool(node.text.strip())
