"""YAML text to node trees that know their lines.

PyYAML's C composer stops one step before values, so each node still carries its mark; the strictness that a
constructor would drop (duplicate keys, merge keys, keys that are no strings) is checked here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from controlplane.problems import Report

MAX_NODES = 200_000
"""Aliases are shared nodes, so a small text can unfold to a huge tree; past this many it is refused."""

MAX_DEPTH = 100
"""How deeply a document may nest; Istio's own kinds need about ten."""

_NULL = "tag:yaml.org,2002:null"
_MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document of a file; `number` counts from 1, empty documents included."""

    number: int
    root: yaml.MappingNode


def line_of(node: yaml.Node) -> int:
    """The line a node starts at, from 1."""
    return int(node.start_mark.line) + 1


def is_null(node: yaml.Node) -> bool:
    """Whether the node is `null`, `~` or nothing at all."""
    return isinstance(node, yaml.ScalarNode) and node.tag == _NULL


def join(path: str, key: str) -> str:
    """The field path of `key` below `path`; keys that are no plain word are quoted in brackets."""
    if not key.replace("_", "").replace("-", "").isalnum():
        return f'{path}["{key}"]'
    return f"{path}.{key}" if path else key


def compose(text: str, file: str) -> tuple[list[Document], list[Report]]:
    """Split a text into documents.

    Returns the documents that can be read further, and a report for every document that cannot; a syntax
    error ends the reading of the file.
    """
    documents: list[Document] = []
    reports: list[Report] = []
    number = 0
    try:
        for number, root in enumerate(_nodes(text), start=1):
            report = Report(file, number)
            if root is None or is_null(root):
                continue
            if not isinstance(root, yaml.MappingNode):
                report.error(line_of(root), "", "a document must be a mapping with apiVersion and kind")
            else:
                _check(root, "", report, _Budget())
            if report.errors:
                reports.append(report)
            elif isinstance(root, yaml.MappingNode):
                documents.append(Document(number, root))
    except yaml.MarkedYAMLError as error:
        report = Report(file, number + 1)
        mark = error.problem_mark or error.context_mark
        text_of = ", ".join(part for part in (error.context, error.problem) if part)
        last = text.count("\n", 0, len(text.rstrip())) + 1  # the end is marked one line behind it
        report.error(min(int(mark.line) + 1, last) if mark else 0, "", f"not YAML: {text_of}")
        reports.append(report)
    except yaml.YAMLError as error:
        report = Report(file, number + 1)
        report.error(0, "", f"not YAML: {' '.join(str(error).split())}")
        reports.append(report)
    except RecursionError:
        report = Report(file, number + 1)
        report.error(0, "", f"nested more than {MAX_DEPTH} levels deep")
        reports.append(report)
    return documents, reports


def _check_depth(text: str) -> None:
    """Raise RecursionError for what would overflow the C composer's stack, which is the process's end."""
    openings = text.count("[") + text.count("{")
    if openings <= MAX_DEPTH and max(map(len, text.splitlines()), default=0) <= MAX_DEPTH:
        return  # too little to nest that deeply; spares nearly every file a second reading
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise RecursionError


def _nodes(text: str) -> Iterator[yaml.Node | None]:
    _check_depth(text)
    # compose_all() is a generator that drops its loader only at the end; a loader per text is fine here.
    loader = yaml.CSafeLoader(text)
    try:
        while loader.check_node():
            yield loader.get_node()
    finally:
        loader.dispose()


class _Budget:
    def __init__(self) -> None:
        self.left = MAX_NODES


def _check(node: yaml.Node, path: str, report: Report, budget: _Budget, depth: int = 0) -> None:
    if depth > MAX_DEPTH:
        # The text itself does not nest like that, or it would not have got here.
        report.error(line_of(node), "", "an alias stands for a value that contains it")
        budget.left = -1
        return
    budget.left -= 1
    if budget.left < 0:
        if budget.left == -1:
            report.error(line_of(node), path, "the document unfolds to too many values (aliases of aliases?)")
        return
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _check(item, f"{path}[{index}]", report, budget, depth + 1)
    elif isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                report.error(line_of(key), path, "YAML merge keys (<<) are not read; write the fields out")
                continue
            # `on: x` and `1: x` are a bool and an int in YAML 1.1; as JSON keys they are what was written.
            if not isinstance(key, yaml.ScalarNode) or is_null(key):
                report.error(line_of(key), path, "a key must be a string")
                continue
            name = str(key.value)
            here = join(path, name)
            if name in seen:
                report.error(line_of(key), here, f"duplicate key; first given on line {seen[name]}")
                continue
            seen[name] = line_of(key)
            _check(value, here, report, budget, depth + 1)
