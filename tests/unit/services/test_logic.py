"""What the services know and how they put it."""

import pytest

from bookinfo_pb.v1 import hop_pb2, reviews_pb2
from delivery.logic import Delivery, delivery_of
from details.logic import BOOKS, details_of
from productpage import logic
from ratings.logic import REVIEWERS, ratings_of
from reviews.logic import REVIEWS, reviews_of, star_color
from serving.failures import Failure, failure, http_status, response_failure
from serving.hops import hop_tree
from serving.requests import product_id_of


def test_all_services_know_the_same_books_and_reviewers() -> None:
    assert set(logic.CATALOGUE) == set(BOOKS) == set(REVIEWS) == set(REVIEWERS)
    assert logic.CATALOGUE[0].title == "The Comedy of Errors"
    for product_id, reviews in REVIEWS.items():
        assert tuple(review.reviewer for review in reviews) == REVIEWERS[product_id]
        assert len(set(REVIEWERS[product_id])) == len(reviews)


@pytest.mark.parametrize(("version", "stars"), [("v1", 1), ("v2", 5), ("v3", 5), ("mine", 5)])
def test_ratings(version: str, stars: int) -> None:
    assert ratings_of(0, version) == {"Reviewer1": stars, "Reviewer2": stars}
    assert ratings_of(99, version) is None


@pytest.mark.parametrize(
    ("version", "color"), [("v1", None), ("v2", "black"), ("v3", "red"), ("mine", "red")]
)
def test_star_color(version: str, color: str | None) -> None:
    assert star_color(version) == color


def test_unknown_books() -> None:
    assert reviews_of(99) is None
    assert details_of(99, "v1") is None


def test_genre_is_known_from_version_2_on() -> None:
    first, second = details_of(0, "v1"), details_of(0, "v2")
    assert first is not None
    assert second is not None
    assert (first.genre, second.genre) == ("", "comedy")


@pytest.mark.parametrize("product_id", [i for i in BOOKS if i])  # Istio made up the first one's
def test_isbn_check_digits(product_id: int) -> None:
    book = BOOKS[product_id]
    ten = [10 if digit == "X" else int(digit) for digit in book.isbn_10]
    thirteen = [int(digit) for digit in book.isbn_13 if digit != "-"]
    assert sum(weight * digit for weight, digit in zip(range(10, 0, -1), ten, strict=True)) % 11 == 0
    assert sum(digit * (3 if i % 2 else 1) for i, digit in enumerate(thirteen)) % 10 == 0
    assert thirteen[3:12] == ten[:9]


@pytest.mark.parametrize(
    ("text", "product_id"),
    [
        ("0", 0),
        ("007", 7),
        ("999999999", 999999999),
        ("9999999999", None),
        ("", None),
        ("-1", None),
        ("x", None),
        ("1.0", None),
        ("²", None),
        ("٣", None),
    ],
)
def test_product_id_of(text: str, product_id: int | None) -> None:
    assert product_id_of(text) == product_id


def test_hop_tree() -> None:
    hop = hop_pb2.Hop(service="a", version="v1", instance="i", lane="dev", calls=[hop_pb2.Hop(service="b")])
    inner = {"service": "b", "version": "", "instance": "", "lane": "", "calls": []}
    assert hop_tree(hop) == {
        "service": "a",
        "version": "v1",
        "instance": "i",
        "lane": "dev",
        "calls": [inner],
    }


def test_reviews_json_tells_no_stars_from_missing_ones() -> None:
    answer = reviews_pb2.GetReviewsResponse(reviews=[reviews_pb2.Review(reviewer="R", text="t")])
    assert logic.reviews_json(answer) == {"reviews": [{"reviewer": "R", "text": "t"}]}
    answer.ratings_error = "UNAVAILABLE: no"
    assert logic.reviews_json(answer)["ratings_error"] == "UNAVAILABLE: no"


@pytest.mark.parametrize(
    ("code", "status"),
    [("NOT_FOUND", 404), ("UNAVAILABLE", 503), ("DEADLINE_EXCEEDED", 504), ("INTERNAL", 502)],
)
def test_http_status(code: str, status: int) -> None:
    assert http_status(code) == status


def test_reasons_are_short() -> None:
    assert failure("UNKNOWN", None).reason == "no reason given"
    assert failure("UNKNOWN", "a\n  b").reason == "a b"
    assert len(failure("UNKNOWN", "x" * 1000).reason) == 300


@pytest.mark.parametrize(
    ("pages", "version", "delivery"),
    [
        (200, "v1", Delivery("standard", 3, 300)),
        (720, "v1", Delivery("standard", 4, 924)),
        (720, "v2", Delivery("express", 1, 924)),
    ],
)
def test_how_long_a_book_is_under_way(pages: int, version: str, delivery: Delivery) -> None:
    assert delivery_of(pages, version) == delivery


@pytest.mark.parametrize(
    ("status", "body", "failed"),
    [
        (
            404,
            '{"error": {"code": "NOT_FOUND", "reason": "no such book"}}',
            Failure("NOT_FOUND", "no such book"),
        ),
        (503, "fault filter abort", Failure("UNAVAILABLE", "fault filter abort")),
        (418, "", Failure("UNKNOWN", "HTTP 418")),
        (503, "[1]", Failure("UNAVAILABLE", "[1]")),
    ],
)
def test_how_an_http_service_says_that_it_failed(status: int, body: str, failed: Failure) -> None:
    assert response_failure(status, body) == failed
