"""The observer: told in the context of the call, harmless when it fails."""

from __future__ import annotations

import asyncio
import logging
from contextvars import ContextVar

import proxyless
import pytest
from proxyless.resources import LocalityName

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane

from .conftest import METHOD, NAME, TARGET, bootstrap_for
from .routing import RETRY, unavailable_first

request: ContextVar[str] = ContextVar("request")


class Notes(proxyless.Observer):
    """Writes down what it is told of calls, and the request that was being served."""

    def __init__(self) -> None:
        self.routed: list[tuple[proxyless.Attempt, str]] = []
        self.retried: list[tuple[proxyless.Attempt, str, str]] = []
        self.attempts: list[tuple[proxyless.Attempt, str, str]] = []
        self.calls: list[tuple[str, str, str, int, str]] = []
        self.over = asyncio.Event()

    def call_routed(self, attempt: proxyless.Attempt) -> None:
        self.routed.append((attempt, request.get()))

    def call_retried(self, attempt: proxyless.Attempt, code: str) -> None:
        self.retried.append((attempt, code, request.get()))

    def attempt_ended(self, attempt: proxyless.Attempt, code: str, seconds: float) -> None:
        assert 0 < seconds < 20
        self.attempts.append((attempt, code, request.get()))

    def call_ended(self, target: str, method: str, code: str, seconds: float, attempts: int) -> None:
        assert 0 < seconds < 20
        self.calls.append((target, method, code, attempts, request.get()))
        self.over.set()


async def test_a_call_from_its_first_attempt_to_its_end(control_plane: FakeControlPlane) -> None:
    notes = Notes()
    async with (
        Backend("v1", unavailable_first(1)) as backend,
        proxyless.Client(bootstrap_for(control_plane), observer=notes) as mesh,
    ):
        route = build.route("v1")
        route["name"] = "base"
        route["route"]["retry_policy"] = RETRY
        control_plane.set(*build.service(NAME, {"v1": [backend.address]}, [route]))
        request.set("mine")
        await mesh.channel(TARGET).unary_unary(METHOD)(b"", timeout=20)
        request.set("another")  # what is told later is told in the call's own context
        await notes.over.wait()
        where = (TARGET, METHOD, "base", "v1", backend.address, LocalityName())
        first, second = (proxyless.Attempt(*where, number) for number in (1, 2))
    assert notes.routed == [(first, "mine"), (second, "mine")]
    assert notes.retried == [(first, "UNAVAILABLE", "mine")]
    assert notes.attempts == [(first, "UNAVAILABLE", "mine"), (second, "OK", "mine")]
    assert notes.calls == [(TARGET, METHOD, "OK", 2, "mine")]


async def test_a_call_that_fails_before_any_attempt(control_plane: FakeControlPlane) -> None:
    notes = Notes()
    async with proxyless.Client(bootstrap_for(control_plane), observer=notes) as mesh:
        request.set("mine")
        code = await mesh.channel(TARGET).unary_unary(METHOD)(b"", timeout=20).code()
        await notes.over.wait()
    assert code.name == "UNAVAILABLE"
    assert (notes.routed, notes.calls) == ([], [(TARGET, METHOD, "UNAVAILABLE", 0, "mine")])


async def test_an_observer_that_fails_is_logged_and_harms_no_call(
    control_plane: FakeControlPlane, v1: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(proxyless.Observer):
        def call_routed(self, attempt: proxyless.Attempt) -> None:
            raise LookupError("mine")

    control_plane.set(*build.service(NAME, {"v1": [v1.address]}, [build.route("v1")]))
    with caplog.at_level(logging.ERROR, "proxyless"):
        async with proxyless.Client(bootstrap_for(control_plane), observer=Broken()) as mesh:
            assert await mesh.channel(TARGET).unary_unary(METHOD)(b"", timeout=20) == b"v1"
    assert "LookupError: mine" in caplog.text
