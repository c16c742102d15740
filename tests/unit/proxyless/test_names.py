"""Targets, and the names Istio gives to clusters."""

from __future__ import annotations

import pytest
from proxyless.errors import TargetError
from proxyless.names import SubsetKey, parse_subset_key, parse_target


@pytest.mark.parametrize(
    ("uri", "listener"),
    [
        ("xds:///reviews.default.svc.cluster.local:9080", "reviews.default.svc.cluster.local:9080"),
        ("xds:reviews:9080", "reviews:9080"),
        ("xds:///a%20b", "a b"),
        ("xds:///a%3Fb", "a?b"),
        ("xds:///a/b", "a/b"),
        ("xds:///[::1]:80", "[::1]:80"),
    ],
)
def test_targets(uri: str, listener: str) -> None:
    target = parse_target(uri)
    assert (target.uri, target.listener, target.authority) == (uri, listener, listener)


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("", "expected the scheme 'xds'"),
        ("reviews:9080", "expected the scheme 'xds'"),
        ("dns:///reviews:9080", "expected the scheme 'xds'"),
        ("xds:", "no listener is named"),
        ("xds:///", "no listener is named"),
        ("xds://reviews:9080", "write three slashes: 'xds:///reviews:9080'"),
        ("xds://authority/reviews:9080", "write three slashes: 'xds:///reviews:9080'"),
        ("xds://authority/name", "needs xDS federation"),
        ("xds://[", "Invalid IPv6 URL"),
        ("xds:///a?b=c", "`?` and `#` are not part of a name"),
        ("xds:///a#b", "`?` and `#` are not part of a name"),
        ("xds:///a b", "white space and control characters are written as %20"),
        ("xds:///a\nb", "white space and control characters are written as %20"),
        (" xds:///a", "white space and control characters are written as %20"),
        ("xds:////x", "one slash too many"),
        ("xds:////", "one slash too many"),
    ],
)
def test_targets_that_are_none(uri: str, reason: str) -> None:
    with pytest.raises(TargetError) as caught:
        parse_target(uri)
    assert reason in str(caught.value)
    assert repr(uri) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("outbound|9080|v2|reviews.default", SubsetKey("outbound", 9080, "v2", "reviews.default")),
        ("outbound|9080||reviews", SubsetKey("outbound", 9080, "", "reviews")),
        ("outbound|x|v2|reviews", None),
        ("outbound|٣|v2|reviews", None),
        ("outbound|9080|reviews", None),
        ("a|1|b|c|d", None),
        ("reviews", None),
        ("", None),
    ],
)
def test_subset_keys(name: str, key: SubsetKey | None) -> None:
    assert parse_subset_key(name) == key
    assert key is None or str(key) == name
