"""The pure parts of HTTP: what a fault answers, what ejects, and a library without aiohttp."""

from __future__ import annotations

import subprocess
import sys

import pytest
from proxyless.balance import OutlierDetector
from proxyless.fault import draw_fault
from proxyless.http.connector import MadeAnswer
from proxyless.match import CallHeaders, RequestHeaders
from proxyless.resources import FaultAbort, FaultPolicy, Fraction, OutlierDetection


def request(**headers: str) -> RequestHeaders:
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return RequestHeaders("GET", "/", "h:80", named)


@pytest.mark.parametrize(
    ("abort", "call", "status"),
    [
        (FaultAbort(14, Fraction(100)), request(), 503),
        (FaultAbort(2, Fraction(100)), request(), 500),
        (FaultAbort(14, Fraction(100), 418), request(), 418),
        (FaultAbort(14, Fraction(100), 418), CallHeaders("/s/m", "h"), 14),
        (FaultAbort(0, Fraction(100), 200), request(), 200),
        (FaultAbort(0, Fraction(100), 200), CallHeaders("/s/m", "h"), None),
        (FaultAbort(14, Fraction(0)), request(), None),
        (FaultAbort(None, Fraction(100)), request(), None),
        (FaultAbort(None, Fraction(100)), request(x_envoy_fault_abort_request="404"), 404),
        (FaultAbort(None, Fraction(100)), request(x_envoy_fault_abort_request="199"), None),
        (FaultAbort(None, Fraction(100)), request(x_envoy_fault_abort_request="600"), None),
        (FaultAbort(None, Fraction(100)), request(x_envoy_fault_abort_grpc_request="7"), 403),
    ],
)
def test_an_abort_speaks_the_language_of_the_call(
    abort: FaultAbort, call: CallHeaders, status: int | None
) -> None:
    assert draw_fault(FaultPolicy(abort=abort), call, lambda bound: 0).abort == status


@pytest.mark.parametrize(
    ("config", "statuses", "ejected"),
    [
        (OutlierDetection(consecutive_5xx=2), [500, 501], True),
        (OutlierDetection(consecutive_5xx=2), [500, 404, 500], False),
        (OutlierDetection(consecutive_5xx=2), [429, 499], False),
        (
            OutlierDetection(
                consecutive_5xx=0, consecutive_gateway_failure=2, enforcing_consecutive_gateway_failure=100
            ),
            [502, 504],
            True,
        ),
        (
            OutlierDetection(
                consecutive_5xx=0, consecutive_gateway_failure=2, enforcing_consecutive_gateway_failure=100
            ),
            [503, 500, 503],
            False,
        ),
    ],
)
def test_which_answers_eject(config: OutlierDetection, statuses: list[int], ejected: bool) -> None:
    outliers = OutlierDetector(config, lambda bound: 0)
    outliers.keep(["a", "b"])
    told = [outliers.answered("a", status, 0.0) for status in statuses]
    assert any(told) == ejected
    assert outliers.ejected == ({"a"} if ejected else set())


def test_an_answer_that_is_made_here() -> None:
    made = MadeAnswer(418, b"short", (("X-By", "mesh"),))
    assert made.head.decode().split("\r\n") == [
        "HTTP/1.1 418 I'm a Teapot",
        "X-By: mesh",
        "Content-Length: 5",
        "Connection: close",
        "Content-Type: text/plain",
        "",
        "",
    ]
    assert MadeAnswer(204, b"x").body == b""


@pytest.mark.parametrize(
    "broken", ["sys.modules['aiohttp'] = None", "import aiohttp; del aiohttp.ClientMiddlewareType"]
)
def test_without_aiohttp_the_error_names_the_extra_and_the_rest_works(broken: str) -> None:
    code = f"import sys, proxyless; {broken}; import proxyless.http"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "proxyless.http needs aiohttp 3.12 or newer" in done.stderr
    assert "pip install 'proxyless-xds[http]'" in done.stderr
    seen = subprocess.run(
        [sys.executable, "-c", "import sys, proxyless; sys.exit('aiohttp' in sys.modules)"], check=False
    )
    assert seen.returncode == 0
