"""What the HTTP services read out of a request. Pure."""

from __future__ import annotations


def product_id_of(text: str) -> int | None:
    """The id in a URL, None if that is no number (of at most nine digits, which is what fits an int32)."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None
