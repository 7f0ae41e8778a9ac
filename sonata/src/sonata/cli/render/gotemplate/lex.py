"""Template text to tokens, by the rules of Go's text/template/parse/lex.go."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SPACES = " \t\r\n"
KEYWORDS = frozenset(("block", "break", "continue", "define", "else", "end", "if", "nil", "range", "template", "with"))
_TERMINATORS = frozenset((*SPACES, "", ".", ",", "|", ":", ")", "("))


class Token:
    """A piece of the text. `kind` is a word such as `field`; a keyword's kind is `keyword`."""

    __slots__ = ("kind", "line", "pos", "text")

    def __init__(self, kind: str, pos: int, text: str, line: int) -> None:
        self.kind = kind
        self.pos = pos
        self.text = text
        self.line = line

    def __str__(self) -> str:
        """As Go's errors show it."""
        if self.kind == "eof":
            return "EOF"
        if self.kind == "error":
            return self.text
        if self.kind == "keyword":
            return f"<{self.text}>"
        from sonata.cli.render.gotemplate.fmt import quote

        return f"{quote(self.text[:10])}..." if len(self.text) > 10 else quote(self.text)


class LexError(Exception):
    """Turned into an `error` token, since Go's parser complains only when it comes to it."""


def lex(text: str) -> list[Token]:
    """All tokens; the last one is `eof` or `error`."""
    lexer = _Lexer(text)
    tokens: list[Token] = []
    try:
        tokens.extend(lexer.pieces(tokens))
    except LexError as error:
        tokens.append(Token("error", lexer.start, str(error), lexer.line_at(lexer.pos)))
        return tokens
    tokens.append(Token("eof", len(text), "", lexer.line_at(len(text))))
    return tokens


class _Lexer:
    def __init__(self, text: str) -> None:
        self.text = text
        self.pos = 0
        self.start = 0
        self.depth = 0

    def line_at(self, pos: int) -> int:
        return 1 + self.text.count("\n", 0, pos)

    def token(self, kind: str) -> Token:
        """What lies between start and pos."""
        made = Token(kind, self.start, self.text[self.start : self.pos], self.line_at(self.start))
        self.start = self.pos
        return made

    def peek(self) -> str:
        return self.text[self.pos : self.pos + 1]

    def pieces(self, tokens: list[Token]) -> Iterator[Token]:
        """Text and actions in turn; tokens of an action are put into `tokens` as they are found."""
        while self.pos < len(self.text):
            opened = self.text.find("{{", self.pos)
            end = len(self.text) if opened < 0 else opened
            raw = self.text[self.start : end]
            if opened >= 0 and self._left_trims(opened + 2):
                raw = raw.rstrip(SPACES)
            if raw:
                tokens.append(Token("text", self.start, raw, self.line_at(self.start)))
            self.pos = self.start = end
            if opened >= 0:
                self._action(tokens)
        yield from ()

    def _left_trims(self, pos: int) -> bool:
        return self.text[pos : pos + 1] == "-" and self.text[pos + 1 : pos + 2] in tuple(SPACES)

    def _right_delimiter(self) -> int:
        """The length of a closing delimiter here, with its trim mark; 0 for none."""
        here = self.text[self.pos : self.pos + 4]
        if here[:1] in tuple(SPACES) and here[1:] == "-}}":
            return 4
        return 2 if here[:2] == "}}" else 0

    def _close(self, length: int) -> None:
        self.pos += length
        if length == 4:
            while self.peek() and self.peek() in SPACES:
                self.pos += 1

    def _action(self, tokens: list[Token]) -> None:
        trims = self._left_trims(self.pos + 2)
        after = self.pos + (4 if trims else 2)
        if self.text.startswith("/*", after):
            self._comment(after)
            return
        self.pos += 2
        tokens.append(self.token("left"))
        self.pos = self.start = after
        self.depth = 0
        while True:
            length = self._right_delimiter()
            if length:
                if self.depth:
                    raise LexError("unclosed left paren")
                self.start = self.pos + length - 2
                self.pos += length
                tokens.append(self.token("right"))
                self.pos -= length
                self._close(length)
                self.start = self.pos
                return
            tokens.append(self._inside())

    def _comment(self, start: int) -> None:
        end = self.text.find("*/", start)
        if end < 0:
            raise LexError("unclosed comment")
        self.pos = end + 2
        length = self._right_delimiter()
        if not length:
            raise LexError("comment ends before closing delimiter")
        self._close(length)
        self.start = self.pos

    def _inside(self) -> Token:
        sign = self.peek()
        if not sign:
            raise LexError("unclosed action")
        if sign in SPACES:
            return self._space()
        if sign in _SINGLE:
            return self._single(sign)
        if sign in _QUOTES:
            return self._quoted(sign)
        following = self.text[self.pos + 1 : self.pos + 2]
        if sign == "$" or (sign == "." and not following.isdigit()):
            return self._name("variable" if sign == "$" else "field")
        if sign in "+-." or sign.isdigit():
            return self._number()
        if _alphanumeric(sign):
            return self._word()
        if sign.isascii() and sign.isprintable():
            self.pos += 1
            return self.token("char")
        raise LexError(f"unrecognized character in action: {_unicode(sign)}")

    def _space(self) -> Token:
        while self.peek() and self.peek() in SPACES and not self._right_delimiter():
            self.pos += 1
        return self.token("space")

    def _single(self, sign: str) -> Token:
        self.pos += 1
        if sign == ":":
            if self.peek() != "=":
                raise LexError("expected :=")
            self.pos += 1
        if sign == "(":
            self.depth += 1
        if sign == ")":
            self.depth -= 1
            if self.depth < 0:
                raise LexError("unexpected right paren")
        return self.token(_SINGLE[sign])

    def _quoted(self, sign: str) -> Token:
        kind, problem = _QUOTES[sign]
        self.pos += 1
        while (here := self.peek()) != sign:
            if not here or (here == "\n" and sign != "`"):
                raise LexError(problem)
            self.pos += 2 if here == "\\" and sign != "`" else 1
            if self.pos > len(self.text) or (self.text[self.pos - 1] == "\n" and sign != "`"):
                raise LexError(problem)
        self.pos += 1
        return self.token(kind)

    def _name(self, kind: str) -> Token:
        """`$x`, `$`, `.X` or `.`."""
        self.pos += 1
        if self._terminated():
            return self.token("dot" if kind == "field" else kind)
        self._alphanumerics()
        return self.token(kind)

    def _word(self) -> Token:
        self._alphanumerics()
        word = self.text[self.start : self.pos]
        if word in KEYWORDS:
            return self.token("keyword")
        return self.token("bool" if word in ("true", "false") else "identifier")

    def _alphanumerics(self) -> None:
        while self.peek() and _alphanumeric(self.peek()):
            self.pos += 1
        if not self._terminated():
            raise LexError(f"bad character {_unicode(self.peek())}")

    def _terminated(self) -> bool:
        return self.peek() in _TERMINATORS or self.text.startswith("}}", self.pos)

    def _number(self) -> Token:
        if self.peek() in "+-":
            self.pos += 1
        digits = "0123456789_"
        if self.peek() == "0":
            self.pos += 1
            base = self.peek().lower()
            bases = {"x": "0123456789abcdefABCDEF_", "o": "01234567_", "b": "01_"}
            if base in bases and base:
                self.pos += 1
                digits = bases[base]
        self._accept_run(digits)
        if self.peek() == ".":
            self.pos += 1
            self._accept_run(digits)
        if len(digits) == 11 and self.peek() in ("e", "E"):
            self.pos += 1
            if self.peek() in ("+", "-"):
                self.pos += 1
            self._accept_run("0123456789_")
        if self.peek() and _alphanumeric(self.peek()):
            self.pos += 1
            from sonata.cli.render.gotemplate.fmt import quote

            raise LexError(f"bad number syntax: {quote(self.text[self.start : self.pos])}")
        return self.token("number")

    def _accept_run(self, allowed: str) -> None:
        while self.peek() and self.peek() in allowed:
            self.pos += 1


_SINGLE = {"=": "assign", ":": "declare", "|": "pipe", "(": "leftparen", ")": "rightparen"}
_QUOTES = {
    '"': ("string", "unterminated quoted string"),
    "`": ("rawstring", "unterminated raw quoted string"),
    "'": ("charconstant", "unterminated character constant"),
}


def _alphanumeric(sign: str) -> bool:
    return sign == "_" or sign.isalpha() or sign.isdigit()


def _unicode(sign: str) -> str:
    return f"U+{ord(sign):04X} '{sign}'" if sign.isprintable() else f"U+{ord(sign):04X}"
