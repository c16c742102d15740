"""Checks that several kinds share, each reporting at the field it looked at."""

from __future__ import annotations

from collections.abc import Mapping

import re2

from controlplane import names
from controlplane.fields import Fields

MAX_REGEX = 1024
"""Istio's limit for the length of a regex."""


def check(fields: Fields, name: str, wrong: str | None) -> None:
    """Report what a check of `names` found, if anything, at a field."""
    if wrong is not None:
        fields.error(wrong, name)


def check_labels(fields: Fields, name: str) -> Mapping[str, str]:
    """A mapping of labels, each key and value well-formed."""
    labels = fields.string_map(name)
    if inner := fields.child(name):
        for key, value in labels.items():
            check(inner, key, names.wrong_label_key(key) or names.wrong_label_value(value))
    return labels


def wrong_regex(regex: str) -> str | None:
    """Why RE2 refuses the expression, or None."""
    if not regex:
        return "a regex cannot be empty"
    if len(regex.encode()) > MAX_REGEX:
        return f"the regex is longer than {MAX_REGEX} bytes"
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(regex, options)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        return f"not an RE2 regex: {text} (https://github.com/google/re2/wiki/Syntax)"
    return None
