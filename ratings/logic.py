"""Which reviewer gave which book how many stars. Pure."""

from __future__ import annotations

REVIEWERS: dict[int, tuple[str, ...]] = {
    0: ("Reviewer1", "Reviewer2"),
    1: ("Viola", "Malvolio", "Feste"),
    2: ("Charlotte", "Mary", "Kitty"),
    3: ("Ishmael", "Starbuck"),
    4: ("Celia", "Will", "Tertius"),
}
"""The reviewers of each book, by its id, in the order of their reviews."""

# Every rating of a version is the same, so that one look at the page tells which version gave it.
_STARS = {"v1": 1, "v2": 5}


def stars_of(version: str) -> int:
    """The stars that a version of ratings gives every book; later versions give what v2 gives."""
    return _STARS.get(version, _STARS["v2"])


def ratings_of(product_id: int, version: str) -> dict[str, int] | None:
    """Reviewer to stars (1 to 5) as this version has it; None for a book that is not known."""
    reviewers = REVIEWERS.get(product_id)
    return None if reviewers is None else dict.fromkeys(reviewers, stars_of(version))
