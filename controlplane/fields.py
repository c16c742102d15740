"""A mapping read field by field, strictly: what nobody asked for is unknown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache

import yaml

from controlplane.problems import Report
from controlplane.yamltree import is_null, join, line_of

_TAG = "tag:yaml.org,2002:"
_SCALARS = {
    "int": "number",
    "float": "number",
    "bool": "boolean",
    "null": "null",
    "str": "string",
    "timestamp": "string",
}
_DURATION_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_DURATION_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)")
_SHORT_BOOLEANS = ("y", "Y", "n", "N")
_TRUE, _FALSE = ("true", "yes", "on", "y"), ("false", "no", "off", "n")


def parse_duration(text: str) -> int | None:
    """Go's duration syntax (`1h2m`, `0.5s`, `100ms`) in nanoseconds; None where it is none."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest == "0":
        return 0
    total, end = Fraction(0), 0
    for part in _DURATION_PART.finditer(rest):
        if part.start() != end:
            return None
        total += Fraction(part[1]) * _DURATION_UNITS[part[2]]
        end = part.end()
    return sign * int(total) if end and end == len(rest) else None


@lru_cache(maxsize=1_000)
def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda m: "_" + m[0].lower(), name)


class Fields:
    """One mapping of a document.

    Each reader returns the value, or its default after reporting what is wrong. `close()` reports every key
    that was never read. Protobuf's JSON takes a field by its camelCase and its snake_case name; so does this.
    """

    def __init__(self, node: yaml.MappingNode, path: str, report: Report) -> None:
        self.path = path
        self.report = report
        self.line = line_of(node)
        self._values: dict[str, yaml.Node] = {str(key.value): value for key, value in node.value}
        self._lines: dict[str, int] = {str(key.value): line_of(key) for key, _ in node.value}
        self._read: set[str] = set()

    # -- where and what -----------------------------------------------------------------------------

    def at(self, name: str = "") -> str:
        """The field path of `name`, or of this mapping."""
        return join(self.path, name) if name else self.path

    def line_at(self, name: str = "") -> int:
        """The line of `name`'s key, or of this mapping where it is absent."""
        return self._lines[name] if name in self._lines else self._lines.get(_snake(name), self.line)

    def error(self, message: str, name: str = "") -> None:
        """Report an error at a field of this mapping, or at the mapping."""
        self.report.error(self.line_at(name), self.at(name), message)

    def warn(self, message: str, name: str = "") -> None:
        """Report a warning at a field of this mapping, or at the mapping."""
        self.report.warn(self.line_at(name), self.at(name), message)

    def has(self, name: str) -> bool:
        """Whether the field is given and not null."""
        return self._find(name) is not None

    def names(self) -> list[str]:
        """Every key as written."""
        return list(self._values)

    def _find(self, name: str) -> yaml.Node | None:
        found: yaml.Node | None = None
        for spelling in dict.fromkeys((name, _snake(name))):
            if spelling not in self._values:
                continue
            if found is not None and spelling not in self._read:
                self.error(f"given twice, as {name} and as {spelling}", spelling)
            self._read.add(spelling)
            if found is None and not is_null(self._values[spelling]):
                found = self._values[spelling]
        return found

    # -- scalars ------------------------------------------------------------------------------------

    def _scalar(self, name: str, wanted: str) -> yaml.ScalarNode | None:
        node = self._find(name)
        if node is None or isinstance(node, yaml.ScalarNode):
            return node
        self.error(f"must be {wanted}, not a {_kind(node)}", name)
        return None

    def string(self, name: str, default: str = "") -> str:
        """A string."""
        node = self._scalar(name, "a string")
        if node is None:
            return default
        text = as_string(node)
        if text is None:
            self.error(f'must be a string, not a {_kind(node)}: write "{node.value}"', name)
            return default
        return text

    def integer(self, name: str, *, minimum: int = -(2**31), maximum: int = 2**31 - 1) -> int | None:
        """A whole number, or None where absent; protobuf's JSON also takes it as a string."""
        node = self._scalar(name, "a whole number")
        if node is None:
            return None
        text = str(node.value).replace("_", "")
        number: int | None = None
        try:
            if node.tag == _TAG + "int" and text.lstrip("+-").startswith("0"):
                number = int(text, 0) if text[-1:] and not text.lstrip("+-").isdigit() else int(text, 8)
            else:
                number = int(text, 10)
        except ValueError:
            if node.tag == _TAG + "float":
                exact = float(text)
                number = int(exact) if exact == exact and exact not in (float("inf"), float("-inf")) else None
                if number != exact:
                    number = None
        if number is None:
            self.error(f'must be a whole number, not "{node.value}"', name)
        elif not minimum <= number <= maximum:
            self.error(f"must be between {minimum} and {maximum}, not {number}", name)
            number = None
        return number

    def number(self, name: str) -> float | None:
        """A number, or None where absent."""
        node = self._scalar(name, "a number")
        if node is None:
            return None
        try:
            value = float(str(node.value))
        except ValueError:
            value = float("nan")
        if value != value or value in (float("inf"), float("-inf")):
            self.error(f'must be a number, not "{node.value}"', name)
            return None
        return value

    def boolean(self, name: str) -> bool | None:
        """True or false, or None where absent."""
        node = self._scalar(name, "true or false")
        if node is None:
            return None
        if node.tag == _TAG + "bool" or _is_short_boolean(node):
            word = str(node.value).lower()
            if word in _TRUE or word in _FALSE:
                return word in _TRUE
        self.error(f'must be true or false, not "{node.value}"', name)
        return None

    def duration(self, name: str, *, is_exact: bool = False) -> int | None:
        """A duration in nanoseconds of at least 1 ms and whole milliseconds (Istio's ValidateDuration).

        With `is_exact` any duration is taken, for what Istio does not check.
        """
        node = self._scalar(name, 'a duration such as "1.5s"')
        if node is None:
            return None
        text = as_string(node)
        value = parse_duration(text) if text is not None else None
        if value is None:
            self.error(f'must be a duration such as "1.5s", not "{node.value}"', name)
        elif is_exact:
            return value
        elif value < 1_000_000:
            self.error(f"duration must be at least 1ms, not {node.value}", name)
        elif value % 1_000_000:
            self.error(f"duration must be whole milliseconds, not {node.value}", name)
        else:
            return value
        return None

    def enum(self, name: str, values: Iterable[str], default: str) -> str:
        """One of the named values."""
        value = self.string(name, default)
        known = list(values)
        if value not in known:
            self.error(f'must be one of {", ".join(known)}, not "{value}"', name)
            return default
        return value

    # -- collections --------------------------------------------------------------------------------

    def child(self, name: str) -> Fields | None:
        """A mapping, or None where absent."""
        node = self._find(name)
        if node is None:
            return None
        if not isinstance(node, yaml.MappingNode):
            self.error(f"must be a mapping, not a {_kind(node)}", name)
            return None
        return Fields(node, self.at(name), self.report)

    def _items(self, name: str) -> list[yaml.Node]:
        node = self._find(name)
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            self.error(f"must be a list, not a {_kind(node)}", name)
            return []
        return list(node.value)

    def children(self, name: str) -> list[Fields]:
        """A list of mappings; a null item is an error, as in Istio."""
        found = []
        for index, node in enumerate(self._items(name)):
            path = f"{self.at(name)}[{index}]"
            if isinstance(node, yaml.MappingNode):
                found.append(Fields(node, path, self.report))
            elif is_null(node):
                self.report.error(line_of(node), path, "may not be null")
            else:
                self.report.error(line_of(node), path, f"must be a mapping, not a {_kind(node)}")
        return found

    def strings(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        return tuple(text for text, _, _ in self.placed_strings(name))

    def placed_strings(self, name: str) -> list[tuple[str, str, int]]:
        """A list of strings, each with its field path and line."""
        found = []
        for index, node in enumerate(self._items(name)):
            path = f"{self.at(name)}[{index}]"
            text = as_string(node) if isinstance(node, yaml.ScalarNode) else None
            if text is None:
                self.report.error(line_of(node), path, f"must be a string, not a {_kind(node)}")
            else:
                found.append((text, path, line_of(node)))
        return found

    def string_map(self, name: str) -> dict[str, str]:
        """A mapping of strings to strings."""
        inner = self.child(name)
        if inner is None:
            return {}
        found = {}
        for key in inner.names():
            node = inner._values[key]
            inner._read.add(key)
            text = as_string(node) if isinstance(node, yaml.ScalarNode) else None
            if text is None:
                written = (
                    f': write "{node.value}"' if isinstance(node, yaml.ScalarNode) and node.value else ""
                )
                inner.error(f"must be a string, not a {_kind(node)}{written}", key)
            else:
                found[key] = text
        return found

    def child_map(self, name: str) -> dict[str, Fields | None]:
        """A mapping of strings to mappings; None stands for an explicit null."""
        inner = self.child(name)
        if inner is None:
            return {}
        found: dict[str, Fields | None] = {}
        for key in inner.names():
            node = inner._values[key]
            inner._read.add(key)
            if isinstance(node, yaml.MappingNode):
                found[key] = Fields(node, inner.at(key), self.report)
            elif is_null(node):
                found[key] = None
            else:
                inner.error(f"must be a mapping, not a {_kind(node)}", key)
        return found

    # -- the end ------------------------------------------------------------------------------------

    def skip(self, *names: str) -> None:
        """Fields that are known and say nothing about what is served."""
        for name in names:
            self._find(name)

    def close(self) -> None:
        """Report every key that was never read."""
        for key in self._values:
            if key not in self._read:
                self.error("unknown field", key)


def as_string(node: yaml.ScalarNode) -> str | None:
    """The node's text where JSON would have a string; a plain date is one there too.

    Go's YAML, which Istio reads with, takes a plain `y` or `n` for a boolean; PyYAML does not.
    """
    if _is_short_boolean(node):
        return None
    if node.tag in (_TAG + "str", _TAG + "timestamp"):
        return str(node.value)
    return None


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "mapping"
    if isinstance(node, yaml.SequenceNode):
        return "list"
    if isinstance(node, yaml.ScalarNode) and _is_short_boolean(node):
        return "boolean"
    tag = str(node.tag)
    return _SCALARS.get(tag.removeprefix(_TAG)) or f"value tagged {tag.replace(_TAG, '!!')}"


def _is_short_boolean(node: yaml.ScalarNode) -> bool:
    """Whether it is a y or n without quotes."""
    return not node.style and node.value in _SHORT_BOOLEANS
