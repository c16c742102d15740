"""How a text is compared."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StringMatch:
    """`kind` is exact, prefix, regex, or present for Istio's empty match."""

    kind: str
    value: str = ""
