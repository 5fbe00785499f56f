"""Parsing of a spec's text: values, each with the place where it was written.

YAML 1.2's core schema: `1e-3` is a number, `no` and `on` are words, `01:30:00` is text. But `007`
is text too, as a name or an account would lose its zeros. Of YAML's further abilities, a spec has
comments, quotes and flow style; anchors work as long as they stay small; tags, merge keys (`<<`,
which YAML 1.2 no longer has) and several documents are refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from hpc_dl.jobspec.credentials import covered

MAX_BYTES = 1_000_000
MAX_NODES = 20_000
"""A spec has some dozens of values; anchors within anchors soon have millions."""
MAX_DIGITS = 1000
"""Python reads no number of several thousand digits; such a one is text."""
COMMAND_LINE = "command line"
"""The source of what was written as an override."""
MERGE = "<<"
MERGE_HINT = "Write the keys out. A whole section may be an alias: `data: *name`."

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)|0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULL = frozenset({"", "~", "null", "Null", "NULL"})

Path = tuple[str | int, ...]
"""Keys and list positions from the top to a value."""


@dataclass(frozen=True)
class Mark:
    """A place in a source: lines and columns count from 1."""

    source: str
    line: int
    column: int
    text: str
    """The whole line."""
    width: int = 1


@dataclass(frozen=True)
class Problem:
    """A fault at a place in a source."""

    mark: Mark
    message: str
    hint: str = ""

    def __str__(self) -> str:
        mark = self.mark
        number, text = str(mark.line), covered(mark.text)
        margin, caret = " " * len(number), "^" * mark.width
        lead = re.sub(r"[^\t]", " ", mark.text[: mark.column - 1])
        lines = [
            f"{mark.source}:{mark.line}:{mark.column}: {covered(self.message)}",
            f"  {number} | {text}",
            f"  {margin} | {lead}{caret}",
        ]
        lines += [f"  {line}" for line in self.hint.splitlines()]
        return "\n".join(lines)


@dataclass
class Document:
    """The values of a source and their places."""

    values: Any = None
    keys: dict[Path, Mark] = field(default_factory=dict)
    """Where each key was written."""
    places: dict[Path, Mark] = field(default_factory=dict)
    """Where each value was written."""
    problems: list[Problem] = field(default_factory=list)


class _Loader(yaml.SafeLoader):
    """Scanner and parser alone: the meaning of a plain word is decided here, not by YAML 1.1."""

    yaml_implicit_resolvers = {}

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose a node whose tag is the one that was written, or None."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        node = super().compose_node(parent, index)
        if node is not None and not isinstance(event, yaml.AliasEvent):
            node.tag = event.tag
        return node


def has_comment(text: str) -> bool:
    """Return whether something in `text`, which is YAML, is dropped as a comment."""
    marks = [(token.start_mark.index, token.end_mark.index) for token in yaml.scan(text, _Loader)]
    gaps = zip(marks, [*marks[1:], (len(text), 0)], strict=True)
    return any("#" in text[end:start] for (_, end), (start, _) in gaps)


def parse(text: str, source: str) -> Document:
    """Parse YAML. Its faults are in `problems`; `values` may then be incomplete."""
    document = Document()
    reader = _Reader(text, source, document)
    try:
        node = yaml.compose(text, _Loader)
    except yaml.YAMLError as error:
        document.problems.append(reader.syntax_problem(error))
    except RecursionError:
        document.problems.append(Problem(reader.mark_at(1, 1), "brackets are nested too deeply"))
    else:
        document.values = None if node is None else reader.read(node, ())
    return document


def scalar(text: str) -> Any:
    """Return the meaning of a word without quotes."""
    if text in _NULL:
        return None
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > MAX_DIGITS:
        return text
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
    if _FLOAT.fullmatch(text) or _SPECIAL.fullmatch(text):
        return float(text.replace(".inf", "inf").replace(".Inf", "inf").replace(".INF", "inf")
                     .lower().replace(".nan", "nan"))  # fmt: skip
    return text


class _Reader:
    def __init__(self, text: str, source: str, document: Document) -> None:
        self.lines = text.splitlines() or [""]
        self.source = source
        self.document = document
        self.nodes = 0

    def mark_at(self, line: int, column: int, width: int = 1) -> Mark:
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        width = max(1, min(width, len(text) - column + 1))
        return Mark(self.source, line, column, text, width)

    def mark_of(self, node: yaml.Node) -> Mark:
        start, end = node.start_mark, node.end_mark
        width = end.column - start.column if start.line == end.line else len(self.lines[start.line])
        return self.mark_at(start.line + 1, start.column + 1, width)

    def read(self, node: yaml.Node, path: Path) -> Any:
        mark = self.mark_of(node)
        self.document.places[path] = mark
        self.nodes += 1
        if self.nodes > MAX_NODES:
            if self.nodes == MAX_NODES + 1:
                self._complain(mark, f"more than {MAX_NODES} values: do anchors repeat each other?")
            return None
        self._check_tag(node, mark)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*path, number)) for number, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return scalar(node.value) if node.style is None else node.value

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            mark = self.mark_of(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                self._complain(mark, "a key has to be a word")
                continue
            self._check_tag(key_node, mark)
            key = key_node.value
            if key == MERGE:
                self._complain(mark, f"unknown key '{MERGE}': a spec has no merge keys", MERGE_HINT)
                continue
            if key in values:
                first = self.document.keys[(*path, key)]
                self._complain(
                    mark, f"'{key}' is there twice: it was already given in line {first.line}"
                )
                continue
            self.document.keys[(*path, key)] = mark
            values[key] = self.read(value_node, (*path, key))
        return values

    def _check_tag(self, node: yaml.Node, mark: Mark) -> None:
        if node.tag is not None:
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")
            self._complain(mark, f"the tag {tag} has no place in a spec", "A word has quotes.")

    def _complain(self, mark: Mark, message: str, hint: str = "") -> None:
        self.document.problems.append(Problem(mark, message, hint))

    def syntax_problem(self, error: yaml.YAMLError) -> Problem:
        """Return YAML's complaint in the words of who writes a spec."""
        mark = getattr(error, "problem_mark", None)
        complaint = getattr(error, "problem", None) or str(error)
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        if "\t" in (self.lines[line - 1] if line <= len(self.lines) else "") and "\\t" in complaint:
            return Problem(
                self.mark_at(line, column), "a tab: YAML indents with spaces", "Put spaces instead."
            )
        if "expected a single document" in str(error):
            return Problem(self.mark_at(line, column), "a second document: a file holds one spec")
        if "mapping values are not allowed" in complaint:
            complaint = "a ':' too many, or a line that is indented too far"
        context = getattr(error, "context", None)
        opened = getattr(error, "context_mark", None)
        if context and opened:
            complaint = f"{complaint}, {context} that began in line {opened.line + 1}"
        if line > len(self.lines):  # the end of the file is no place to point at
            line, column = len(self.lines), len(self.lines[-1]) + 1
        return Problem(self.mark_at(line, column), f"not YAML: {complaint}")
