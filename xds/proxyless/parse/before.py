"""What need not be parsed again: what is there twice, and what was there before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from ..resources import Resource
from .support import Notes

T = TypeVar("T")


class Before(Protocol):
    """The version of a resource that is in force; read only."""

    @property
    def resource(self) -> Resource | None:
        """What it was parsed to."""

    @property
    def data(self) -> bytes:
        """Its bytes."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What it says without effect here, each with its place."""


class Repeated(Generic[T]):
    """A parser of parts many of which are alike: each is parsed once and shared.

    One with a note is parsed again wherever it stands, because the note says where.
    """

    def __init__(self, parse: Callable[[Any, str, Notes], T]) -> None:
        self._parse = parse
        self._parsed: dict[bytes, T] = {}

    def parse(self, message: Any, where: str, notes: Notes) -> T:
        """Parse `message`, or find what one like it was parsed to."""
        data = message.SerializeToString()
        parsed = self._parsed.get(data)
        if parsed is None:
            noted = len(notes.lines)
            parsed = self._parse(message, where, notes)
            if len(notes.lines) == noted:
                self._parsed[data] = parsed
        return parsed
