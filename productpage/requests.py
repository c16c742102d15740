"""Which book a request is about."""

from __future__ import annotations

from aiohttp import web

from productpage import logic
from serving.http_errors import refusal
from serving.requests import product_id_of


def product_of(text: str) -> logic.Product:
    """The book of this id, or the refusal that answers the request."""
    product_id = product_id_of(text)
    if product_id is None:
        reason = f"the id of a product is a number of at most nine digits, not {text[:40]!r}"
        raise refusal(web.HTTPBadRequest, "INVALID_ARGUMENT", reason)
    product = logic.CATALOGUE.get(product_id)
    if product is None:
        raise refusal(web.HTTPNotFound, "NOT_FOUND", f"there is no product {product_id}")
    return product
