"""What a parsed template is made of. `str()` of a node is how Go's errors quote it."""

from __future__ import annotations

from sonata_core.lite import Any


class Node:
    """Base: `pos` is the offset in the text."""

    __slots__ = ("pos",)

    def __init__(self, pos: int) -> None:
        self.pos = pos


class Text(Node):
    __slots__ = ("text",)

    def __init__(self, pos: int, text: str) -> None:
        super().__init__(pos)
        self.text = text


class Constant(Node):
    """A string, number, bool or character; `source` is how it was written."""

    __slots__ = ("kind", "source", "value")

    def __init__(self, pos: int, kind: str, value: Any, source: str) -> None:
        super().__init__(pos)
        self.kind = kind
        self.value = value
        self.source = source

    def __str__(self) -> str:
        return self.source


class Dot(Node):
    __slots__ = ()

    def __str__(self) -> str:
        return "."


class Nil(Node):
    __slots__ = ()

    def __str__(self) -> str:
        return "nil"


class Field(Node):
    """`.A.B`."""

    __slots__ = ("names",)

    def __init__(self, pos: int, names: tuple[str, ...]) -> None:
        super().__init__(pos)
        self.names = names

    def __str__(self) -> str:
        return "".join(f".{name}" for name in self.names)


class Variable(Node):
    """`$x.A.B`: `names` begins with the variable itself."""

    __slots__ = ("names",)

    def __init__(self, pos: int, names: tuple[str, ...]) -> None:
        super().__init__(pos)
        self.names = names

    def __str__(self) -> str:
        return ".".join(self.names)


class Identifier(Node):
    """A function's name."""

    __slots__ = ("name",)

    def __init__(self, pos: int, name: str) -> None:
        super().__init__(pos)
        self.name = name

    def __str__(self) -> str:
        return self.name


class Chain(Node):
    """`(pipeline).A.B`."""

    __slots__ = ("names", "node")

    def __init__(self, pos: int, node: Node, names: tuple[str, ...]) -> None:
        super().__init__(pos)
        self.node = node
        self.names = names

    def __str__(self) -> str:
        inner = f"({self.node})" if isinstance(self.node, Pipe) else str(self.node)
        return inner + "".join(f".{name}" for name in self.names)


class Command(Node):
    """Words between two pipe signs."""

    __slots__ = ("args",)

    def __init__(self, pos: int, args: list[Node]) -> None:
        super().__init__(pos)
        self.args = args

    def __str__(self) -> str:
        return " ".join(f"({arg})" if isinstance(arg, Pipe) else str(arg) for arg in self.args)


class Pipe(Node):
    """Commands, each given the value of the one before; `names` are variables that get the result."""

    __slots__ = ("assigns", "commands", "names")

    def __init__(self, pos: int) -> None:
        super().__init__(pos)
        self.names: list[str] = []
        self.assigns = False
        self.commands: list[Command] = []

    def __str__(self) -> str:
        head = ", ".join(self.names) + (" = " if self.assigns else " := ") if self.names else ""
        return head + " | ".join(str(command) for command in self.commands)


class Action(Node):
    """`{{pipeline}}`."""

    __slots__ = ("pipe",)

    def __init__(self, pos: int, pipe: Pipe) -> None:
        super().__init__(pos)
        self.pipe = pipe

    def __str__(self) -> str:
        return "{{" + str(self.pipe) + "}}"


class Branch(Node):
    """`if`, `with` and `range`."""

    __slots__ = ("body", "keyword", "otherwise", "pipe")

    def __init__(self, pos: int, keyword: str, pipe: Pipe) -> None:
        super().__init__(pos)
        self.keyword = keyword
        self.pipe = pipe
        self.body: list[Node] = []
        self.otherwise: list[Node] | None = None

    def __str__(self) -> str:
        return "{{" + f"{self.keyword} {self.pipe}" + "}}"


class Jump(Node):
    """`break` and `continue`."""

    __slots__ = ("keyword",)

    def __init__(self, pos: int, keyword: str) -> None:
        super().__init__(pos)
        self.keyword = keyword

    def __str__(self) -> str:
        return "{{" + self.keyword + "}}"


class Call(Node):
    """`template "name" pipeline`."""

    __slots__ = ("name", "pipe")

    def __init__(self, pos: int, name: str, pipe: Pipe | None) -> None:
        super().__init__(pos)
        self.name = name
        self.pipe = pipe

    def __str__(self) -> str:
        return "{{" + f'template "{self.name}"' + (f" {self.pipe}" if self.pipe is not None else "") + "}}"


class End(Node):
    """`end` or `else`: what ends a list of nodes; never part of a tree."""

    __slots__ = ("keyword",)

    def __init__(self, pos: int, keyword: str) -> None:
        super().__init__(pos)
        self.keyword = keyword

    def __str__(self) -> str:
        return "{{" + self.keyword + "}}"
