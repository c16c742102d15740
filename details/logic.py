"""The bibliographic facts of each book. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Book:
    """What is known of an edition."""

    author: str
    year: int
    type: str
    pages: int
    publisher: str
    language: str
    isbn_10: str
    isbn_13: str
    genre: str = ""


BOOKS: dict[int, Book] = {
    # As in Istio's bookinfo, its made-up publisher and ISBN included.
    0: Book(
        author="William Shakespeare",
        year=1595,
        type="paperback",
        pages=200,
        publisher="PublisherA",
        language="English",
        isbn_10="1234567890",
        isbn_13="123-1234567890",
        genre="comedy",
    ),
    1: Book(
        author="William Shakespeare",
        year=1602,
        type="paperback",
        pages=272,
        publisher="Simon & Schuster",
        language="English",
        isbn_10="0743482778",
        isbn_13="978-0743482776",
        genre="comedy",
    ),
    2: Book(
        author="Jane Austen",
        year=1813,
        type="paperback",
        pages=480,
        publisher="Penguin Classics",
        language="English",
        isbn_10="0141439513",
        isbn_13="978-0141439518",
        genre="novel of manners",
    ),
    3: Book(
        author="Herman Melville",
        year=1851,
        type="paperback",
        pages=720,
        publisher="Penguin Classics",
        language="English",
        isbn_10="0142437247",
        isbn_13="978-0142437247",
        genre="sea story",
    ),
    4: Book(
        author="George Eliot",
        year=1871,
        type="paperback",
        pages=880,
        publisher="Penguin Classics",
        language="English",
        isbn_10="0141439548",
        isbn_13="978-0141439549",
        genre="study of provincial life",
    ),
}
"""The books by id."""


def details_of(product_id: int, version: str) -> Book | None:
    """The facts this version gives of a book, None if it is unknown; only v1 does not know the genre."""
    book = BOOKS.get(product_id)
    return replace(book, genre="") if book is not None and version == "v1" else book
