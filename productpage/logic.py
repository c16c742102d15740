"""The catalogue, and what the answers of details, reviews and ratings amount to. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bookinfo_pb.v1 import details_pb2, hop_pb2, ratings_pb2, reviews_pb2
from serving.failures import kept_from_base


@dataclass(frozen=True, slots=True)
class Product:
    """A book that is on offer."""

    id: int
    title: str
    description: str


CATALOGUE: dict[int, Product] = {
    product.id: product
    for product in (
        Product(
            0,
            "The Comedy of Errors",
            "Two sets of identical twins, separated at birth, meet in Ephesus by chance, and nobody knows "
            "any more who is who. One of Shakespeare's early plays, his shortest and most farcical.",
        ),
        Product(
            1,
            "Twelfth Night",
            "Viola survives a shipwreck, dresses as a man and enters the service of a duke, whom she loves, "
            "to win for him a countess, who falls in love with her.",
        ),
        Product(
            2,
            "Pride and Prejudice",
            "Elizabeth Bennet learns what first impressions are worth, her own of Mr Darcy in particular.",
        ),
        Product(
            3,
            "Moby-Dick; or, The Whale",
            "Captain Ahab of the Pequod pursues the white whale that took his leg, and takes the crew along.",
        ),
        Product(
            4,
            "Middlemarch",
            "A provincial town on the eve of the Reform Act: Dorothea Brooke and Tertius Lydgate, and what "
            "becomes of great intentions.",
        ),
    )
}
"""The books by id; which ones there are does not depend on any other service."""

FRONT_PAGE = 0
"""The book that is shown when none is asked for."""


def hop_line(hop: hop_pb2.Hop) -> str:
    """A hop in few words, for the page."""
    return f"{hop.service} {hop.version} ({hop.instance})"


def milliseconds(seconds: float) -> str:
    """A time for the page, to two digits or so."""
    value = seconds * 1000
    return f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"


def details_json(answer: details_pb2.GetDetailsResponse) -> dict[str, Any]:
    """The details as the API gives them, with the names of Istio's bookinfo; `genre` only where known."""
    book = answer.details
    fields: dict[str, Any] = {
        "author": book.author,
        "year": book.year,
        "type": book.type,
        "pages": book.pages,
        "publisher": book.publisher,
        "language": book.language,
        "ISBN-10": book.isbn_10,
        "ISBN-13": book.isbn_13,
    }
    return fields | ({"genre": book.genre} if book.genre else {})


def reviews_json(answer: reviews_pb2.GetReviewsResponse) -> dict[str, Any]:
    """The reviews as the API gives them; no `rating` without stars, no `ratings_error` when all is well."""
    reviews = []
    for review in answer.reviews:
        entry: dict[str, Any] = {"reviewer": review.reviewer, "text": review.text}
        if review.HasField("rating"):
            entry["rating"] = {"stars": review.rating.stars, "color": review.rating.color}
        reviews.append(entry)
    failed = {"ratings_error": answer.ratings_error} if answer.ratings_error else {}
    says = kept_from_base(answer.ratings_error, answer.hop.lane)
    return {"reviews": reviews} | failed | ({"ratings_error_says": says} if says else {})


def ratings_json(answer: ratings_pb2.GetRatingsResponse) -> dict[str, Any]:
    """The ratings as the API gives them: reviewer to stars."""
    return {"ratings": dict(sorted(answer.ratings.items()))}


def product_json(product: Product) -> dict[str, Any]:
    """A book of the catalogue as the API gives it."""
    return asdict(product)


def facts(answer: details_pb2.GetDetailsResponse) -> Mapping[str, Any]:
    """The details as the page labels them."""
    labels = {"author": "Author", "year": "Year", "type": "Type", "pages": "Pages", "publisher": "Publisher"}
    labels |= {"language": "Language", "genre": "Genre"}
    return {labels.get(name, name): value for name, value in details_json(answer).items()}
