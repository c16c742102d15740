"""What readers wrote, and how each version shows their ratings. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Review:
    """One reader's text."""

    reviewer: str
    text: str


REVIEWS: dict[int, tuple[Review, ...]] = {
    0: (
        Review(
            "Reviewer1",
            "An extremely entertaining play by Shakespeare. The slapstick humour is refreshing!",
        ),
        Review(
            "Reviewer2",
            "Absolutely fun and entertaining. The play lacks thematic depth when compared to other plays "
            "by Shakespeare.",
        ),
    ),
    1: (
        Review("Viola", "A shipwreck, a disguise and the wrong person in love. I could not put it down."),
        Review("Malvolio", "Some of the jokes are at the expense of hard-working household staff."),
        Review("Feste", "The songs are the best of it, and the rain it raineth every day."),
    ),
    2: (
        Review("Charlotte", "Sensible about money, and so funny that one hardly notices."),
        Review("Mary", "Reading it is improving, though there is more dancing than I would recommend."),
        Review("Kitty", "Not enough officers in the second half."),
    ),
    3: (
        Review("Ishmael", "Come for the whale, stay for the forty pages on rope."),
        Review("Starbuck", "I raised my concerns in the first third. Nobody listened."),
    ),
    4: (
        Review("Celia", "Everyone marries the wrong person and I recognised all of them."),
        Review("Will", "Long, and I wished it longer."),
        Review("Tertius", "The chapters on medical reform should be required reading."),
    ),
}
"""The reviews of each book, by its id."""

_COLORS = {"v1": None, "v2": "black", "v3": "red"}


def star_color(version: str) -> str | None:
    """The colour of this version's stars, None if it shows none; later versions are red like v3."""
    return _COLORS.get(version, "red")


def reviews_of(product_id: int) -> tuple[Review, ...] | None:
    """The reviews of a book, None if it is unknown."""
    return REVIEWS.get(product_id)
