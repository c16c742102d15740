"""YAML as Kubernetes reads it: JSON's values and no others, nested no deeper than a person would."""

from __future__ import annotations

from typing import Any

import yaml

MAX_DEPTH = 100
"""How deeply a document may nest; Istio's own kinds need about ten."""

_TAG = "tag:yaml.org,2002:"
_JSON = {f"{_TAG}{name}" for name in ("map", "seq", "str", "int", "float", "bool", "null")}


# The C versions: the others take ten times as long, and the mesh watches over its processes meanwhile.
class _Loader(yaml.CSafeLoader):
    """Dates are text, and what JSON does not have is an unknown tag."""


_Loader.yaml_constructors = {
    tag: constructor
    for tag, constructor in yaml.CSafeLoader.yaml_constructors.items()
    if tag is None or tag in _JSON
}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in (f"{_TAG}timestamp", f"{_TAG}value")]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


class YamlError(Exception):
    """A text that cannot be read; the message says why and, where known, at which line and column."""


def load_all(text: str) -> list[Any]:
    """Every document of a text; raises YamlError."""
    try:
        _check_depth(text)
        return list(yaml.load_all(text, Loader=_Loader))
    except yaml.YAMLError as error:
        raise YamlError(_place(error)) from None
    except UnicodeError:
        raise YamlError("it holds characters that are no text") from None
    except (ValueError, LookupError):  # `!!int x`, a number of ten thousand digits
        raise YamlError("it has a value that does not fit its type") from None


def dump(document: Any) -> str:
    """Block-style YAML in the order the document was written in."""
    return str(yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=110))


def _check_depth(text: str) -> None:
    """What nests deeper would end recursive readers, ours and others, in an error of their own."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise YamlError(f"it nests more than {MAX_DEPTH} levels deep (line {line})")


def _place(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"{problem} (line {mark.line + 1}, column {mark.column + 1})" if mark else str(problem)
