"""Every matcher, one readable table each: what it is given, and whether it matches."""

from __future__ import annotations

from typing import Any

import pytest
from proxyless.match import CallHeaders, select_virtual_host
from proxyless.match.headers import compile_header, describe_header
from proxyless.match.paths import compile_path
from proxyless.match.strings import compile_string
from proxyless.resources import (
    HeaderMatch,
    PathMatch,
    PresentMatch,
    RangeMatch,
    StringMatch,
    VirtualHost,
)


@pytest.mark.parametrize(
    ("how", "wanted", "fold", "value", "matches"),
    [
        ("exact", "dev", False, "dev", True),
        ("exact", "dev", False, "Dev", False),
        ("exact", "dev", False, "dev2", False),
        ("exact", "Dev", True, "dEV", True),
        ("exact", "", False, "", True),
        ("prefix", "de", False, "dev", True),
        ("prefix", "de", False, "ade", False),
        ("prefix", "DE", True, "dev", True),
        ("suffix", "ev", False, "dev", True),
        ("suffix", "ev", False, "eve", False),
        ("suffix", "EV", True, "dev", True),
        ("contains", "e", False, "dev", True),
        ("contains", "E", False, "dev", False),
        ("contains", "E", True, "dev", True),
        # ASCII only, as Envoy folds: the Kelvin sign is no k, ſ no s, ß no ss.
        ("exact", "k", True, "\u212a", False),
        ("exact", "s", True, "ſ", False),
        ("exact", "ß", True, "ss", False),
        ("exact", "É", True, "é", False),
        # A regex matches the whole value and is not touched by ignore_case.
        ("regex", "de", False, "dev", False),
        ("regex", "ev", False, "dev", False),
        ("regex", "de.*", False, "dev", True),
        ("regex", "a|ab", False, "ab", True),
        ("regex", "dev", True, "DEV", False),
        ("regex", "(?i)dev", False, "DEV", True),
        ("regex", "dev$", False, "dev\n", False),
        ("regex", "", False, "", True),
        ("regex", r"\p{Greek}+", False, "λόγος", True),
        ("regex", "(a+)+b", False, "a" * 4000, False),  # RE2 is linear: `re` would not come back
    ],
)
def test_strings(how: Any, wanted: str, fold: bool, value: str, matches: bool) -> None:
    assert compile_string(StringMatch(how, wanted, fold))(value) is matches


PATH = "/bookinfo.v1.Reviews/GetReviews"


@pytest.mark.parametrize(
    ("how", "wanted", "fold", "path", "matches"),
    [
        ("prefix", "", False, PATH, True),
        ("prefix", "/", False, PATH, True),
        ("prefix", "/bookinfo.v1.Reviews/", False, PATH, True),
        ("prefix", "/bookinfo.v1.Ratings/", False, PATH, False),
        ("prefix", "/BOOKINFO", False, PATH, False),
        ("prefix", "/BOOKINFO", True, PATH, True),
        ("exact", PATH, False, PATH, True),
        ("exact", PATH.lower(), False, PATH, False),
        ("exact", PATH.lower(), True, PATH, True),
        ("exact", "/bookinfo.v1.Reviews", False, PATH, False),
        ("regex", "/.*/Get.*", False, PATH, True),
        ("regex", "/.*/Get", False, PATH, False),
        ("regex", PATH.lower(), True, PATH, False),
        ("path_separated_prefix", "/a/b", False, "/a/b", True),
        ("path_separated_prefix", "/a/b", False, "/a/b/", True),
        ("path_separated_prefix", "/a/b", False, "/a/b/c", True),
        ("path_separated_prefix", "/a/b", False, "/a/bc", False),
        ("path_separated_prefix", "/a/b", False, "/a", False),
        ("path_separated_prefix", "/A/B", True, "/a/b/c", True),
    ],
)
def test_paths(how: Any, wanted: str, fold: bool, path: str, matches: bool) -> None:
    assert compile_path(PathMatch(how, wanted, fold))(path) is matches


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("one", "1"),
        ("many", "a,b"),
        ("upper", "x"),
        ("latin", "é"),
        ("empty", ""),
        ("trace-bin", None),
        ("nothing", None),
        ("content-type", "application/grpc"),
        (":path", PATH),
        (":authority", "reviews:9080"),
        (":method", "POST"),
    ],
)
def test_what_a_call_offers(name: str, value: str | None) -> None:
    headers = CallHeaders(
        PATH,
        "reviews:9080",
        [
            ("one", "1"),
            ("many", "a"),
            ("many", "b"),
            ("Upper", "x"),
            ("latin", b"\xe9"),
            ("empty", ""),
            ("trace-bin", b"\x00"),
            ("content-type", "text/plain"),
            (":path", "/forged"),
            (":authority", "forged"),
        ],
    )
    assert headers.get(name) == value


EXACT = StringMatch("exact", "dev")
REGEX = StringMatch("regex", "de.")
RANGE = RangeMatch(1, 10)
HERE, ABSENT = PresentMatch(True), PresentMatch(False)


@pytest.mark.parametrize(
    ("test", "values", "plain", "inverted", "missing_as_empty", "both"),
    [
        # A value that is there: inversion inverts, treat_missing_header_as_empty changes nothing.
        (EXACT, ["dev"], True, False, True, False),
        (EXACT, ["qa"], False, True, False, True),
        (EXACT, [""], False, True, False, True),
        (REGEX, ["dev"], True, False, True, False),
        (REGEX, ["dev2"], False, True, False, True),
        (StringMatch("exact", "a,b"), ["a", "b"], True, False, True, False),
        (StringMatch("exact", "a"), ["a", "b"], False, True, False, True),
        # A header that is missing: no test of its value holds, inverted or not, unless it counts as "".
        (EXACT, [], False, False, False, True),
        (REGEX, [], False, False, False, True),
        (StringMatch("exact", ""), [], False, False, True, False),
        (StringMatch("regex", ".*"), [], False, False, True, False),
        (RANGE, [], False, False, False, True),
        # Presence is (has == wanted) != invert, whatever the value.
        (HERE, ["x"], True, False, True, False),
        (HERE, [""], True, False, True, False),
        (HERE, [], False, True, False, True),
        (ABSENT, ["x"], False, True, False, True),
        (ABSENT, [], True, False, True, False),
        # A range is [start, end) of a base-10 integer.
        (RANGE, ["1"], True, False, True, False),
        (RANGE, ["9"], True, False, True, False),
        (RANGE, ["10"], False, True, False, True),
        (RANGE, ["0"], False, True, False, True),
        (RANGE, ["+5"], True, False, True, False),
        (RANGE, ["05"], True, False, True, False),
        (RangeMatch(-5, 0), ["-5"], True, False, True, False),
        (RANGE, ["5.0"], False, True, False, True),
        (RANGE, ["0x5"], False, True, False, True),
        (RANGE, ["1_0"], False, True, False, True),
        (RANGE, ["٥"], False, True, False, True),
        (RANGE, ["5\n"], False, True, False, True),
        (RANGE, [""], False, True, False, True),
        (RANGE, ["5", "6"], False, True, False, True),
        (RANGE, ["9" * 5000], False, True, False, True),
        (RangeMatch(-(2**63), 2**63 - 1), [str(-(2**63))], True, False, True, False),
        (RangeMatch(3, 3), ["3"], False, True, False, True),
    ],
)
def test_headers(
    test: Any, values: list[str], plain: bool, inverted: bool, missing_as_empty: bool, both: bool
) -> None:
    call = CallHeaders("/", "a", [("lane", value) for value in values])
    outcomes = [
        compile_header(HeaderMatch("lane", test, invert, as_empty))(call)
        for invert, as_empty in ((False, False), (True, False), (False, True), (True, True))
    ]
    assert outcomes == [plain, inverted, missing_as_empty, both]


@pytest.mark.parametrize(
    ("match", "text"),
    [
        (HeaderMatch("lane", EXACT), "header 'lane' exact 'dev'"),
        (HeaderMatch("lane", REGEX, invert=True), "header 'lane' not regex 'de.'"),
        (HeaderMatch("n", RANGE), "header 'n' in [1, 10)"),
        (HeaderMatch("n", RANGE, invert=True), "header 'n' not in [1, 10)"),
        (HeaderMatch("lane", HERE), "header 'lane' present"),
        (HeaderMatch("lane", HERE, invert=True), "header 'lane' absent"),
        (HeaderMatch("lane", ABSENT), "header 'lane' absent"),
        (HeaderMatch("lane", ABSENT, invert=True), "header 'lane' present"),
    ],
)
def test_header_descriptions(match: HeaderMatch, text: str) -> None:
    assert describe_header(match) == text


@pytest.mark.parametrize(
    ("authority", "domains", "chosen"),
    [
        # exact > suffix > prefix > everything
        ("a.b.com", ["*", "a.*", "*.com", "a.b.com"], "a.b.com"),
        ("a.b.com", ["*", "a.*", "*.com"], "*.com"),
        ("a.b.com", ["*", "a.*"], "a.*"),
        ("a.b.com", ["*"], "*"),
        ("a.b.com", ["b.com"], None),
        # the longest within a class, but never across classes
        ("a.b.com", ["*.com", "*.b.com"], "*.b.com"),
        ("a.b.com", ["a.*", "a.b.*"], "a.b.*"),
        ("a.b.com", ["a.b.co*", "*m"], "*m"),
        # the star stands for at least one character
        ("a.com", ["*a.com"], None),
        ("a.com", ["a.com*"], None),
        ("xa.com", ["*a.com"], "*a.com"),
        # case does not count; ports do
        ("A.B.com", ["a.B.COM"], "a.B.COM"),
        ("A.B.com", ["*.B.COM"], "*.B.COM"),
        ("a:9080", ["a"], None),
        ("a:9080", ["a:*"], "a:*"),
        # the first of equals
        ("ab", ["*b", "*B"], "*b"),
        ("", ["*"], "*"),
    ],
)
def test_domains(authority: str, domains: list[str], chosen: str | None) -> None:
    hosts = [VirtualHost(domain, (domain,), ()) for domain in domains]
    for order in (hosts, hosts[::-1]) if chosen != "*b" else (hosts,):
        host = select_virtual_host(order, authority)
        assert (host.name if host else None) == chosen
    one = VirtualHost("all", tuple(domains), ())
    assert (select_virtual_host([one], authority) is one) == (chosen is not None)
