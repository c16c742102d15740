"""Client interceptors as grpc.aio has them, run once a call and before routing.

grpc.aio's own machinery ends in a call on one fixed connection; here the innermost step is the whole of
routing, so that what an interceptor adds to the metadata is matched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Sequence
from itertools import takewhile
from typing import Any, TypeAlias

import grpc
from grpc import aio
from msgspec import Struct

from .around import IteratedCall
from .dispatch import CallKind, CallSpec

_KINDS: dict[CallKind, tuple[type[Any], str]] = {
    "unary_unary": (aio.UnaryUnaryClientInterceptor, "intercept_unary_unary"),
    "unary_stream": (aio.UnaryStreamClientInterceptor, "intercept_unary_stream"),
    "stream_unary": (aio.StreamUnaryClientInterceptor, "intercept_stream_unary"),
    "stream_stream": (aio.StreamStreamClientInterceptor, "intercept_stream_stream"),
}


Metadata: TypeAlias = tuple[tuple[str, str | bytes], ...]


class Steps(Struct, frozen=True):
    """The interceptors of one kind of call, in order: first those that need no task, then the rest."""

    additions: tuple[Callable[[Metadata], Metadata], ...] = ()
    chain: tuple[Any, ...] = ()


def by_kind(interceptors: Sequence[aio.ClientInterceptor]) -> dict[CallKind, Steps]:
    """Sort interceptors by the call kinds they handle; one that handles several counts for each.

    An interceptor that only adds metadata may say so with a method `add_metadata(metadata)`, which returns
    all of it: while those come first they are asked at once, and no task is run for them. Raises ValueError
    for an object that handles no kind.
    """
    for each in interceptors:
        if not any(isinstance(each, base) for base, _ in _KINDS.values()):
            raise ValueError(f"{each!r} is not a grpc.aio client interceptor of any of the four kinds")
    return {
        kind: _steps([each for each in interceptors if isinstance(each, base)], name)
        for kind, (base, name) in _KINDS.items()
    }


def _steps(interceptors: Sequence[Any], name: str) -> Steps:
    first = list(takewhile(lambda each: hasattr(each, "add_metadata"), interceptors))
    chain = tuple(getattr(each, name) for each in interceptors[len(first) :])
    return Steps(tuple(each.add_metadata for each in first), chain)


async def run_chain(
    steps: tuple[Any, ...], spec: CallSpec, start: Callable[[CallSpec], aio.Call]
) -> aio.Call:
    """Run the interceptors in order around `start`; returns the call the outermost one gives back."""
    loop = asyncio.get_running_loop()
    latest: aio.Call | None = None

    async def run(rest: tuple[Any, ...], details: aio.ClientCallDetails, request: Any) -> Any:
        nonlocal latest
        if not rest:
            latest = start(_apply(spec, details, request, loop.time()))
            return latest

        async def continuation(details: aio.ClientCallDetails, request: Any) -> Any:
            return await run(rest[1:], details, request)

        result = await rest[0](continuation, details, request)
        if isinstance(result, aio.Call):
            latest = result
        elif not spec.method.streams_responses:
            latest = FinishedCall(result)
        else:
            latest = IteratedCall(latest, result)
        return latest

    remaining = None if spec.deadline is None else spec.deadline - loop.time()
    details = aio.ClientCallDetails(
        spec.method.path.encode(),  # type: ignore[arg-type] # bytes, as grpc.aio passes it
        remaining,
        aio.Metadata(*spec.metadata),
        spec.credentials,
        spec.wait_for_ready,
    )
    call: aio.Call = await run(steps, details, spec.request)
    return call


def _apply(spec: CallSpec, details: aio.ClientCallDetails, request: Any, now: float) -> CallSpec:
    """The call as the interceptors want it made."""
    path = details.method.decode() if isinstance(details.method, bytes) else details.method
    return CallSpec(
        method=spec.method if path == spec.method.path else spec.method.renamed(path),
        request=request,
        deadline=None if details.timeout is None else now + details.timeout,
        metadata=tuple(details.metadata or ()),
        credentials=details.credentials,
        wait_for_ready=details.wait_for_ready,
        compression=spec.compression,
    )


class FinishedCall(aio.UnaryUnaryCall, aio.StreamUnaryCall):  # type: ignore[type-arg]
    """A response an interceptor gave without a call."""

    def __init__(self, response: Any) -> None:
        self._response = response

    def __await__(self) -> Generator[Any, None, Any]:
        yield from ()
        return self._response

    def cancel(self) -> bool:
        return False

    def cancelled(self) -> bool:
        return False

    def done(self) -> bool:
        return True

    def time_remaining(self) -> float | None:
        return None

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        asyncio.get_running_loop().call_soon(callback, self)

    async def initial_metadata(self) -> aio.Metadata:
        return aio.Metadata()

    async def trailing_metadata(self) -> aio.Metadata:
        return aio.Metadata()

    async def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.OK

    async def details(self) -> str:
        return ""

    async def debug_error_string(self) -> str:
        """Return nothing: there was no error."""
        return ""

    async def wait_for_connection(self) -> None:
        return None

    async def write(self, request: Any) -> None:
        raise asyncio.InvalidStateError("RPC already finished.")

    async def done_writing(self) -> None:
        return None
