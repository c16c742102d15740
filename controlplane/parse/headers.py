"""`headers` of a route or a destination, by the rules of Istio's `validateHTTPRoute`."""

from __future__ import annotations

import re

from controlplane.edits import HeaderOperations, Headers
from controlplane.fields import Fields
from controlplane.names import is_authority, is_internal

_VALUE = re.compile("[^\x00-\x08\x0a-\x1f\x7f]*")
_VARIABLE = re.compile(
    r"""(?:[^%]|%%|%[^%(]*%|%[^%(]*\(\s*(?:\[\s*"(?:[^"\\)]|\\.)*"(?:\s*,\s*"(?:[^"\\)]|\\.)*")*\s*\]\s*\)|"""
    r"""[^\s\[](?:[^"\\)]|\\.)*\))%)*""",
    re.DOTALL,
)


def parse_headers(fields: Fields) -> Headers | None:
    """Read `headers`; None where it is absent."""
    headers = fields.child("headers")
    if headers is None:
        return None
    found = Headers(_operations(headers, "request"), _operations(headers, "response"))
    headers.close()
    return found


def _operations(headers: Fields, name: str) -> HeaderOperations:
    operations = headers.child(name)
    if operations is None:
        return HeaderOperations()
    found = HeaderOperations(
        _values(operations, "set", may_be_authority=name == "request"),
        _values(operations, "add", may_be_authority=name == "request"),
        operations.strings("remove"),
    )
    for text, path, line in operations.placed_strings("remove"):
        if wrong := _wrong_name(text, may_be_authority=False):
            operations.report.error(line, path, wrong)
    operations.close()
    return found


def _values(operations: Fields, name: str, *, may_be_authority: bool) -> dict[str, str]:
    values = operations.string_map(name)
    if inner := operations.child(name):
        for header, value in values.items():
            wrong = _wrong_name(header, may_be_authority=may_be_authority) or _wrong_value(value)
            if wrong:
                inner.error(wrong, header)
    return values


def _wrong_name(name: str, *, may_be_authority: bool) -> str | None:
    if not name:
        return "a header name cannot be empty"
    if is_internal(name) and not (may_be_authority and is_authority(name)):
        return f'"{name}" cannot be changed here: it is part of the request itself'
    return None


def _wrong_value(value: str) -> str | None:
    """Envoy's rule: `%VARIABLE%` and `%VARIABLE(…)%` are filled in, any other `%` is written twice."""
    if _VALUE.fullmatch(value) is None:
        return "a header value may not hold control characters"
    if "%" in value and _VARIABLE.fullmatch(value) is None:
        return f'"{value}" has a % that begins no variable; write %%'
    return None
