"""Rewritten paths and the Location of redirects: a table each, as Envoy computes them."""

from __future__ import annotations

import pytest
from proxyless.resources import PathMatch, PathRewrite, RedirectAction
from proxyless.rewrites import location, rewritten

PREFIX, EXACT = PathMatch("prefix", "/api"), PathMatch("exact", "/api/v1")
REGEX, SEPARATED = PathMatch("regex", "/a.*"), PathMatch("path_separated_prefix", "/api")


@pytest.mark.parametrize(
    ("rewrite", "match", "target", "becomes"),
    [
        (None, PREFIX, "/api/v1?x=1", "/api/v1?x=1"),
        (PathRewrite("/"), PREFIX, "/api/v1", "//v1"),  # Envoy warns of just this
        (PathRewrite("/new"), PREFIX, "/api/v1?x=/api", "/new/v1?x=/api"),
        (PathRewrite("/new"), PathMatch("prefix", "/API", True), "/api/v1", "/new/v1"),
        (PathRewrite("/new"), PathMatch("prefix", ""), "/api", "/new/api"),
        (PathRewrite("/new"), SEPARATED, "/api/v1#top", "/new/v1#top"),
        (PathRewrite("/new"), SEPARATED, "/api?x", "/new?x"),
        (PathRewrite("/new"), EXACT, "/api/v1?x=1", "/new?x=1"),
        (PathRewrite("/new"), REGEX, "/api/v1?x=1", "/new?x=1"),
        (PathRewrite(None, "/v([0-9])", r"/\1\\"), PREFIX, "/api/v1/v2?x=/v3", "/api/1\\/2\\?x=/v3"),
        (PathRewrite(None, "^/api/(.*)$", r"/\1/\0"), PREFIX, "/api/v1", "/v1//api/v1"),
        (PathRewrite(None, "nowhere", "x"), PREFIX, "/api/v1", "/api/v1"),
    ],
)
def test_paths(rewrite: PathRewrite | None, match: PathMatch, target: str, becomes: str) -> None:
    assert rewritten(rewrite, match, target) == becomes


@pytest.mark.parametrize(
    ("redirect", "scheme", "authority", "target", "becomes"),
    [
        (RedirectAction(), "http", "shop", "/api?x=1", "http://shop/api?x=1"),
        (RedirectAction(), "http", "shop:80", "/api", "http://shop:80/api"),
        (RedirectAction(scheme="https"), "http", "shop:80", "/api", "https://shop/api"),
        (RedirectAction(scheme="https"), "http", "shop:8080", "/api", "https://shop:8080/api"),
        (RedirectAction(scheme="https"), "https", "shop:443", "/api", "https://shop:443/api"),
        (RedirectAction(scheme="http"), "https", "shop:443", "/api", "http://shop/api"),
        (RedirectAction(port=9), "http", "shop:8080", "/api", "http://shop:9/api"),
        (RedirectAction(port=9), "http", "shop", "/api", "http://shop:9/api"),
        (RedirectAction(port=9), "http", "[::1]", "/api", "http://[::1]:9/api"),
        (RedirectAction(port=9), "http", "[::1]:8", "/api", "http://[::1]:9/api"),
        (RedirectAction(host="mall"), "http", "shop:8080", "/api", "http://mall/api"),
        (RedirectAction(host="mall", port=9), "http", "shop:8080", "/api", "http://mall:9/api"),
        (RedirectAction(path="/new"), "http", "shop", "/api?x=1", "http://shop/new?x=1"),
        (RedirectAction(path="/new?y=2"), "http", "shop", "/api?x=1", "http://shop/new?y=2"),
        (RedirectAction(path="new"), "http", "shop", "/api", "http://shop/new"),
        (RedirectAction(strip_query=True), "http", "shop", "/api?x=1", "http://shop/api"),
        (RedirectAction(path="/new", strip_query=True), "http", "shop", "/api?x=1", "http://shop/new"),
        # Its own query is never stripped.
        (RedirectAction(path="/new?y", strip_query=True), "http", "shop", "/api?x=1", "http://shop/new?y"),
        (RedirectAction(rewrite=PathRewrite("/n")), "http", "shop", "/api/v1?x", "http://shop/n/v1?x"),
        (RedirectAction(rewrite=PathRewrite("n")), "http", "shop", "/api/v1", "http://shop/n/v1"),
    ],
)
def test_locations(redirect: RedirectAction, scheme: str, authority: str, target: str, becomes: str) -> None:
    assert location(redirect, PREFIX, scheme, authority, target) == becomes
