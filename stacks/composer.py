"""YAML text to PyYAML nodes, or one mistake in words with its place. Pure."""

from typing import Any, NamedTuple

import yaml
import yaml.reader

from stacks.problem import Path

MOST_NESTED = 100
"""Levels of mappings and lists; the deepest that a stack file needs is 9."""
_TAB = "a tab; YAML is indented with spaces"
_HINTS = {
    "found a tab character that violates indentation": _TAB,
    "mapping values are not allowed in this context": (
        'a colon where none can be; check the indentation, or put text with ": " in quotes'
    ),
    "could not find expected ':'": 'a key without ":" after it, or text over several lines without quotes',
    "did not find expected key": (
        "this line isn't indented like the others of its mapping, or a quote or bracket is left open"
    ),
    "did not find expected '-' indicator": 'this line isn\'t indented like the others of its list, or lacks its "-"',
    "did not find expected ',' or '}'": "a { without its }, or a comma is missing",
    "did not find expected ',' or ']'": "a [ without its ], or a comma is missing",
    "did not find expected node content": "a value is missing here, or a bracket is left open",
    "found unexpected end of stream": "a quote is left open",
    "found unexpected document indicator": "a quote is left open",
    "but found another document": "a second document (---); a stack file has one",
    "did not find expected <document start>": "text after the end of the document; a stack file has one document",
    "found undefined alias": "an alias (*) of an anchor (&) that isn't above it",
    "second occurrence": "an anchor (&) whose name is taken already",
}


class Place(NamedTuple):
    """Line and column, both 1-based; columns count characters."""

    line: int
    column: int


class Mistake(NamedTuple):
    """Something that no stack file may have, whatever its keys."""

    message: str
    place: Place
    path: Path = ()
    code: str = "CFG002"


class Refused(Exception):
    """A text without any values, because of one mistake."""

    def __init__(self, mistake: Mistake) -> None:
        super().__init__(mistake.message)
        self.mistake = mistake


class _Composer(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Nodes whose tag is the parser's (plain, quoted) pair, or the text of a tag that the file has."""

    _depth = 0

    def resolve(self, kind: type, value: str | None, implicit: Any) -> Any:
        return implicit

    def descend_resolver(self, parent: yaml.Node | None, index: Any) -> None:
        self._depth += 1
        # libyaml's composer recurses on the C stack, which 200,000 brackets overflow
        if self._depth > MOST_NESTED:
            raise Refused(Mistake(f"nested deeper than {MOST_NESTED} levels", start(parent)))

    def ascend_resolver(self) -> None:
        self._depth -= 1


def compose(content: bytes) -> yaml.Node | None:
    """The root node of the one document in UTF-8 text, with or without a byte order mark; None when it is empty.

    Raises Refused for what isn't YAML, with the first mistake.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        good = content[: error.start].decode("utf-8-sig", "replace")
        raise Refused(Mistake(f"byte 0x{content[error.start]:02x} isn't UTF-8", _end(good))) from None
    try:
        loader = _Composer(text)
        try:
            return loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.reader.ReaderError:
        at = next((at for at, one in enumerate(text) if not _readable(one)), 0)
        raise Refused(Mistake(f"the character U+{ord(text[at]):04X} can't be in YAML", _end(text[:at]))) from None
    except yaml.MarkedYAMLError as error:
        raise Refused(_mistake(error, text)) from None


def start(node: yaml.Node | None) -> Place:
    """Where a node starts."""
    return Place(node.start_mark.line + 1, node.start_mark.column + 1) if node else Place(1, 1)


def _mistake(error: yaml.MarkedYAMLError, text: str) -> Mistake:
    mark = error.problem_mark or error.context_mark
    problem = error.problem or "this can't be read as YAML"
    words = _HINTS.get(problem, problem)
    if problem == "found character that cannot start any token" and mark and mark.index < len(text):
        one = text[mark.index]
        words = _TAB if one == "\t" else f"{one} can't start a value; put the value in quotes"
    begun = error.context_mark
    if begun and mark and begun.line != mark.line and (error.context or "").startswith("while"):
        words = f"{words} (begun at line {begun.line + 1})"
    return Mistake(words, Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1))


def _end(text: str) -> Place:
    return Place(text.count("\n") + 1, len(text) - text.rfind("\n"))


def _readable(one: str) -> bool:
    """YAML 1.1 and 1.2, production c-printable."""
    return one in "\t\n\r\x85" or " " <= one <= "~" or "\xa0" <= one <= "\ufffd" or one > "\uffff"
