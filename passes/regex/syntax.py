"""Patterns in RE2's syntax to trees: https://github.com/google/re2/wiki/Syntax.

What Perl adds beyond it (references back, looking around) is refused, as RE2 does. Greedy and lazy repetitions are the same here:
they match the same strings.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .runes import ALL, PERL, POSIX, Runes, category, folded, negated, union

MOST_REPEATS = 1000
MOST_NESTED = 200


class PatternError(ValueError):
    """What is wrong with a pattern, and where."""


@dataclass(frozen=True)
class Rune:
    """One code point of a set."""

    runes: Runes


@dataclass(frozen=True)
class AnyByte:
    """One byte, whatever it is."""


@dataclass(frozen=True)
class Place:
    """A place between bytes: "text begin", "text end", "line begin", "line end", "word edge" or "no word edge"."""

    kind: str


@dataclass(frozen=True)
class Sequence:
    """One after another; none is the empty string."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Choice:
    """One of several; none matches nothing."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Repeat:
    """From `least` to `most` times, without end for None."""

    part: Node
    least: int
    most: int | None


Node = Rune | AnyByte | Place | Sequence | Choice | Repeat


@dataclass(frozen=True)
class _Flags:
    """What (?i), (?m), (?s) and (?U) set."""

    i: bool = False
    m: bool = False
    s: bool = False
    U: bool = False


def parse(pattern: str) -> Node:
    """The tree of a pattern. Raises PatternError."""
    parser = _Parser(pattern)
    tree = parser.choice()
    if parser.at < len(pattern):
        raise parser.error("a ) closes no group")
    return tree


_ESCAPES = {"a": 7, "f": 12, "t": 9, "n": 10, "r": 13, "v": 11}
_PLACES = {"A": "text begin", "z": "text end", "b": "word edge", "B": "no word edge"}


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.flags = _Flags()
        self.nested = 0

    def error(self, message: str) -> PatternError:
        return PatternError(f"{message}, at {self.at} of {self.text!r}")

    def peek(self, count: int = 1) -> str:
        return self.text[self.at : self.at + count]

    def eat(self, text: str) -> bool:
        if self.text.startswith(text, self.at):
            self.at += len(text)
            return True
        return False

    def take(self) -> str:
        if self.at == len(self.text):
            raise self.error("the pattern ends too early")
        self.at += 1
        return self.text[self.at - 1]

    # -- the tree

    def choice(self) -> Node:
        parts = [self.sequence()]
        while self.eat("|"):
            parts.append(self.sequence())
        return parts[0] if len(parts) == 1 else Choice(tuple(parts))

    def sequence(self) -> Node:
        parts: list[Node] = []
        while self.at < len(self.text) and self.peek() not in "|)":
            repeated = self._repetition()
            if repeated is not None:
                raise self.error("a repetition follows nothing")
            atoms = self._quoted() if self.eat("\\Q") else self._atom()
            if atoms and (repetition := self._repetition()) is not None:
                atoms = [*atoms[:-1], Repeat(atoms[-1], *repetition)]
                if self._repetition() is not None:
                    raise self.error("a repetition follows a repetition")
            parts += atoms
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _repetition(self) -> tuple[int, int | None] | None:
        """A repetition, with the ? that makes it lazy; None where there is none."""
        simple: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        if (found := simple.get(self.peek())) is not None:
            self.at += 1
        elif (found := self._counts()) is None:
            return None
        self.eat("?")
        return found

    def _counts(self) -> tuple[int, int | None] | None:
        """{n}, {n,} or {n,m}; what only looks like it is text."""
        start = self.at
        end = self.text.find("}", start)
        if self.peek() != "{" or end < 0:
            return None
        least, comma, most = self.text[start + 1 : end].partition(",")
        if not _is_number(least) or (most and not _is_number(most)):
            return None
        self.at = end + 1
        first = int(least)
        last = int(most) if most else None if comma else first
        if max(first, last or 0) > MOST_REPEATS or (last is not None and last < first):
            raise self.error(f"{self.text[start : end + 1]} counts beyond {MOST_REPEATS}, or backwards")
        return first, last

    def _quoted(self) -> list[Node]:
        """Plain text up to \\E, which may be missing."""
        end = self.text.find("\\E", self.at)
        quoted = self.text[self.at :] if end < 0 else self.text[self.at : end]
        self.at = len(self.text) if end < 0 else end + 2
        return [self._letter(ord(c)) for c in quoted]

    def _letter(self, code: int) -> Rune:
        runes: Runes = ((code, code),)
        return Rune(folded(runes) if self.flags.i else runes)

    def _atom(self) -> list[Node]:
        c = self.take()
        if c == "(":
            return self._group()
        if c == "[":
            return [Rune(self._class())]
        if c == ".":
            return [Rune(ALL if self.flags.s else negated(((10, 10),)))]
        if c == "^":
            return [Place("line begin" if self.flags.m else "text begin")]
        if c == "$":
            return [Place("line end" if self.flags.m else "text end")]
        if c != "\\":
            return [self._letter(ord(c))]
        if (place := _PLACES.get(self.peek())) is not None:
            self.at += 1
            return [Place(place)]
        if self.eat("C"):
            return [AnyByte()]
        if (runes := self._named()) is not None:
            return [Rune(runes)]
        return [self._letter(self._escape())]

    def _group(self) -> list[Node]:
        outer = self.flags
        if self.eat("?"):
            if self.eat("P<") or (self.peek() == "<" and self.peek(2) not in ("<=", "<!") and self.eat("<")):
                self._name()
            elif not self._set_flags():
                return []
        self.nested += 1
        if self.nested > MOST_NESTED:
            raise self.error(f"groups are nested more than {MOST_NESTED} deep")
        inside = self.choice()
        self.nested -= 1
        if not self.eat(")"):
            raise self.error("a group is not closed")
        self.flags = outer
        return [inside]

    def _name(self) -> None:
        end = self.text.find(">", self.at)
        name = self.text[self.at : end] if end >= 0 else ""
        if not name or not all(c == "_" or c.isalnum() for c in name):
            raise self.error("a group's name is no word")
        self.at = end + 1

    def _set_flags(self) -> bool:
        """Reads flags; whether a group of their own follows, else they hold for the rest of the group around."""
        on, flags = True, self.flags
        while (c := self.take()) not in ":)":
            if c == "-" and on:
                on = False
            elif c in "imsU":
                flags = replace(flags, **{c: on})
            else:
                self.at -= 1
                raise self.error("RE2 has no such group")
        if self.text[self.at - 2] in "-?" and c == ")":
            raise self.error("flags are missing")
        self.flags = flags
        return c == ":"

    # -- sets and escapes

    def _named(self) -> Runes | None:
        """What follows a backslash, if it names a set."""
        c = self.peek()
        if c and c.lower() in PERL:
            self.at += 1
            return self._signed(PERL[c.lower()], c.isupper())
        if c in ("p", "P"):
            self.at += 1
            name = self.take()
            if name == "{":
                end = self.text.find("}", self.at)
                if end < 0:
                    raise self.error("a class's name does not end")
                name, self.at = self.text[self.at : end], end + 1
            inverse = name.startswith("^")
            if (runes := category(name.removeprefix("^"))) is None:
                raise self.error(f"there is no category {name!r} (of Unicode's classes the categories are known, not the scripts)")
            return self._signed(runes, (c == "P") != inverse)
        return None

    def _signed(self, runes: Runes, negative: bool) -> Runes:
        runes = folded(runes) if self.flags.i else runes
        return negated(runes) if negative else runes

    def _escape(self) -> int:
        """The code point that an escape stands for; its backslash is read."""
        c = self.take()
        if c in _ESCAPES:
            return _ESCAPES[c]
        if c in "01234567" and (c == "0" or (self.peek() and self.peek() in "01234567")):
            digits = c
            while len(digits) < 3 and self.peek() and self.peek() in "01234567":
                digits += self.take()
            return int(digits, 8)
        if c == "x":
            return self._hexadecimal()
        if c < "\x80" and not (c.isalnum() or c == "_"):
            return ord(c)
        self.at -= 1
        raise self.error(f"RE2 has no escape \\{c}")

    def _hexadecimal(self) -> int:
        if self.eat("{"):
            end = self.text.find("}", self.at)
            digits = self.text[self.at : max(end, self.at)]
            self.at = end + 1
        else:
            digits = self.peek(2)
            self.at += 2
            if len(digits) < 2:
                digits = ""
        if not digits or any(d not in "0123456789abcdefABCDEF" for d in digits) or int(digits, 16) > 0x10FFFF:
            raise self.error("\\x is not followed by a number of hexadecimal digits")
        return int(digits, 16)

    def _class(self) -> Runes:
        """A set in brackets; the first of them is read."""
        negative = self.eat("^")
        found: list[tuple[int, int]] = []
        first = True
        while first or self.peek() != "]":
            first = False
            if self.peek(2) == "[:" and (runes := self._posix()) is not None:
                found += runes
                continue
            if self.peek() == "\\" and self.peek(2)[1:] and self.peek(2)[1] in "dDsSwWpP":
                self.at += 1
                found += self._named() or ()
                continue
            low = high = self._member()
            if self.peek() == "-" and self.peek(2) != "-]" and len(self.peek(2)) == 2:
                self.at += 1
                high = self._member()
                if high < low:
                    raise self.error("a range runs backwards")
            found.append((low, high))
        self.at += 1
        runes = union(found)
        runes = folded(runes) if self.flags.i else runes
        return negated(runes) if negative else runes

    def _member(self) -> int:
        c = self.take()
        return self._escape() if c == "\\" else ord(c)

    def _posix(self) -> Runes | None:
        end = self.text.find(":]", self.at + 2)
        if end < 0:
            return None
        name = self.text[self.at + 2 : end]
        if (runes := POSIX.get(name.removeprefix("^"))) is None:
            raise self.error(f"there is no class [:{name}:]")
        self.at = end + 2
        return self._signed(runes, name.startswith("^"))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
