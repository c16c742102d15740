"""Whether it was the right one who answered."""

from __future__ import annotations


class WrongAnswer(Exception):
    """A call did not go where it had to go: there is nothing to be measured."""


def expect(answer: bytes, version: str) -> None:
    """Raise WrongAnswer where somebody else has answered."""
    if answer.rstrip() != version.encode():
        raise WrongAnswer(f"{answer.rstrip()!r} answered, not {version}")
