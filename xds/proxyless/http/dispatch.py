"""One request on its way: decide, send it to an endpoint, look at the answer, perhaps try again.

What comes out is aiohttp's response, from an endpoint or as the configuration has it made here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from weakref import WeakSet

import aiohttp
import grpc
from multidict import CIMultiDict
from yarl import URL

from .. import observer
from ..attempts import Retrying
from ..balance import Status
from ..client import AdsClient
from ..deciding import Decider, Undecided, earlier
from ..depgraph import Config
from ..edits import edited, edited_answer
from ..match import CallHeaders, RequestHeaders
from ..mirror import Mirrors
from ..resources import DirectResponse, MessageEdits, RedirectAction, RetryPolicy
from ..retry import Loss, may_retry_request, request_backoff
from ..rewrites import location, rewritten
from ..routing import Chosen, Refused, describe
from ..targets import ActiveTarget
from .attempts import Attempt, code_of
from .connector import MadeAnswer, RoutedConnector, Way
from .copies import Copy
from .errors import ClosedSessionError, EndpointError, HttpError, RouteTimeoutError, UnavailableError
from .exchange import Exchange, Outcome
from .news import RequestNews
from .pool import HttpSubchannel
from .response import RoutedResponse

_SAFE_TO_REPEAT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
_BY_ALIAS: dict[str, str] = {"ws": "http"}


class _AnsweredHere(Exception):
    """The configuration itself answers the request."""

    def __init__(self, answer: MadeAnswer, edits: tuple[MessageEdits, ...] = ()) -> None:
        super().__init__()
        self.answer = answer
        self.edits = edits


class HttpDispatcher(Decider):
    """Sends the requests of one session to one target."""

    def __init__(
        self, client: AdsClient, active: ActiveTarget, connector: RoutedConnector, calls: WeakSet[Any]
    ) -> None:
        super().__init__(client, active)
        self._connector = connector
        self._calls = calls
        self._mirrors = Mirrors(active, client.draw)
        self._news = RequestNews(client, active.target.uri)

    @property
    def active(self) -> ActiveTarget:
        """The target."""
        return self._active

    def close(self) -> None:
        """Give up the copies of requests that are still on their way, and the requests that wait."""
        super().close()
        self._mirrors.close()

    async def run(self, spec: Exchange) -> aiohttp.ClientResponse:
        """Bring the request to its response; raises an HttpError, the caller's error."""
        try:
            return await self._run(spec)
        except BaseException as error:
            self._news.over(spec.name, spec.started, len(spec.tried), code_of(error))
            raise

    async def _run(self, spec: Exchange) -> aiohttp.ClientResponse:
        attempts = 0
        last: Outcome | None = None
        retrying = Retrying()
        try:
            while True:
                config, choice = await self._decide(spec, retrying=last is not None)
                if choice is None:
                    assert last is not None
                    return self._settled(spec, last, None)
                deadline = self._deadline(config, choice, spec)
                policy = config.retry(choice.action)
                outcome = await self._attempt(spec, config, choice, deadline, policy, last)
                if outcome is None:
                    continue
                if outcome.unsent and spec.repeatable:
                    last = None  # as if it had not been made
                    continue
                last = outcome
                attempts += 1
                retrying.end()
                if policy is None or not spec.repeatable or not _retriable(policy, attempts, outcome):
                    return self._settled(spec, outcome, deadline)
                wait = request_backoff(policy, attempts, self._client.rng.uniform)
                if deadline is not None and deadline - self._loop.time() <= wait:
                    return self._settled(spec, outcome, deadline)
                if not retrying.begin(outcome.cluster):
                    return self._settled(spec, outcome, deadline)
                outcome.attempt.end()
                await self._sleep(wait)
                if not self._ended:  # else no attempt follows
                    self._news.retried(outcome.told, outcome.attempt.code)
        except _AnsweredHere as made:
            return await self._answered_here(spec, made)
        except BaseException:
            if last is not None:
                last.discard()
            raise
        finally:
            retrying.end()

    # --- deciding -----------------------------------------------------------------------------------------

    def _headers(self, spec: Undecided) -> CallHeaders:
        assert isinstance(spec, Exchange)
        url = spec.url
        return RequestHeaders(
            spec.request.method, url.raw_path_qs, spec.authority, spec.headers, _scheme(url)
        )

    def _deadline(self, config: Config, choice: Chosen, spec: Undecided) -> float | None:
        """Also by Envoy's own `timeout`, which gRPC does not read; it begins after a fault's delay."""
        assert isinstance(spec, Exchange)
        deadline = super()._deadline(config, choice, spec)
        timeout = None if choice.fault else config.request_timeout(choice.action)
        return deadline if timeout is None else earlier(deadline, spec.started + spec.delayed + timeout)

    async def _inject(self, spec: Undecided, choice: Chosen, deadline: float | None) -> None:
        assert isinstance(spec, Exchange)
        began = self._loop.time()
        await super()._inject(spec, choice, deadline)
        spec.delayed += self._loop.time() - began

    def _refused(self, config: Config, spec: Undecided, choice: Refused) -> Exception:
        assert isinstance(spec, Exchange)
        route = choice.route
        action = route.action if route is not None else None
        if route is None or not isinstance(action, DirectResponse | RedirectAction):
            return super()._refused(config, spec, choice)
        edits = config.edits(route, None)
        if isinstance(action, DirectResponse):
            return _AnsweredHere(MadeAnswer(action.status, action.body), edits)
        to = location(action, route.match.path, _scheme(spec.url), spec.authority, spec.url.raw_path_qs)
        return _AnsweredHere(MadeAnswer(action.status, headers=(("Location", to),)), edits)

    def _error(self, code: grpc.StatusCode, reason: str, skipped: tuple[str, ...] = ()) -> HttpError:
        kind = {
            grpc.StatusCode.DEADLINE_EXCEEDED: RouteTimeoutError,
            grpc.StatusCode.CANCELLED: ClosedSessionError,
        }.get(code, UnavailableError)
        return kind(self._told(reason, skipped))

    def _aborted(self, status: int, reason: str, skipped: tuple[str, ...]) -> Exception:
        text = f"fault filter abort: {self._told(reason, skipped)}"
        return _AnsweredHere(MadeAnswer(status, text.encode()))

    def _told(self, reason: str, skipped: tuple[str, ...] = ()) -> str:
        because = f" (before: {'; '.join(skipped)})" if skipped else ""
        return f"{self._active.target.uri}: {reason}{because}"

    # --- sending ------------------------------------------------------------------------------------------

    async def _attempt(
        self,
        spec: Exchange,
        config: Config,
        choice: Chosen,
        deadline: float | None,
        policy: RetryPolicy | None,
        last: Outcome | None,
    ) -> Outcome | None:
        """Make one attempt on an endpoint of the chosen cluster; None where it has to be decided anew."""
        assert choice.cluster is not None and spec.course is not None
        tried = spec.tried
        name, cluster = self._active.serving(choice.cluster.name)
        where = f"route {describe(choice.route)}: cluster {name}: "
        if (reason := cluster.refusal()) is not None:
            raise self._error(grpc.StatusCode.UNAVAILABLE, where + reason)
        link = cluster.pick(frozenset(tried), spec.course.hash(choice.route))
        if link is Status.WAITING:
            await self._wait(
                deadline, f"{where}connecting to the endpoint that the request's hash or the order picks"
            )
            return None
        if not isinstance(link, HttpSubchannel):
            return None
        if (reason := cluster.full()) is not None:
            raise self._error(grpc.StatusCode.UNAVAILABLE, where + reason)
        attempt = Attempt()
        cluster.started(link, attempt)  # from here on, its end takes the count back
        self._calls.add(attempt)
        address = link.key.address
        target, route = self._active.target.uri, choice.route.name or f"#{choice.route.index}"
        place, number = cluster.locality(address), len(tried) + 1
        told = observer.Attempt(target, spec.name, route, name, address, place, number)
        edits = config.edits(choice.route, choice.cluster)
        # Envoy asks for the hash, and makes a cookie for it, only where a policy goes by it.
        cookies = spec.course.cookies(choice.route) if cluster.hashes else ()
        outcome = Outcome(attempt, cluster, f"{where}{address}: ", edits, cookies, told)
        try:
            if last is not None:
                last.discard()
                await spec.request.close()  # what still writes the body has to end first
            self._prepare(spec, choice, outcome.edits)
            if choice.action.mirrors and not tried:
                self._mirror(spec, choice)
            self._news.routed(told, attempt)
            until = deadline
            if policy is not None and policy.per_try_timeout is not None:
                until = earlier(deadline, self._loop.time() + policy.per_try_timeout)
            again = address in tried
            tried.append(address)
            await self._send(spec, link, outcome, until, again=again)
        except BaseException as error:
            attempt.failed(None, error)
            raise
        finally:
            spec.request.url = spec.url
        return outcome

    async def _send(
        self, spec: Exchange, link: HttpSubchannel, outcome: Outcome, until: float | None, *, again: bool
    ) -> None:
        """Have aiohttp send it, and note how that went."""
        attempt, request = outcome.attempt, spec.request
        request.url = request.url.with_host(link.host).with_port(link.port)
        limit = attempt.until(until)
        try:
            with self._connector.going(request, Way(link)) as way:
                async with limit:
                    outcome.response = await spec.handler(request)
                    attempt.answered(outcome.response)
        except aiohttp.ClientConnectorError as error:
            link.doubt(error.strerror or str(error))
            self._lost(outcome, "connect-failure", 503, error)
            outcome.unsent = not again
        except (
            aiohttp.ConnectionTimeoutError,
            aiohttp.ServerDisconnectedError,
            aiohttp.ClientOSError,
        ) as error:
            self._lost(outcome, "reset", 503, error)
            outcome.unsent = way.reused and (
                request.method in _SAFE_TO_REPEAT or _nothing_sent(request, error)
            )
        except aiohttp.ClientResponseError as error:  # what it said was not HTTP
            self._lost(outcome, "reset", 502, error)
        except TimeoutError:
            if attempt.cancelled:
                raise self._error(grpc.StatusCode.CANCELLED, "the session was closed") from None
            if not limit.expired():
                raise  # the caller's own limit
            reason = f"{outcome.where}no response within the time that the route gives"
            late = self._error(grpc.StatusCode.DEADLINE_EXCEEDED, reason)
            self._lost(outcome, "reset", 504, late)

    def _lost(self, outcome: Outcome, how: Loss, status: int, error: Exception) -> None:
        outcome.lost = how
        if not isinstance(error, HttpError):
            cause, error = error, EndpointError(self._told(f"{outcome.where}{error or type(error).__name__}"))
            error.__cause__ = cause
        outcome.error = error
        outcome.attempt.failed(status, error)

    def _prepare(self, spec: Exchange, choice: Chosen, edits: tuple[MessageEdits, ...]) -> None:
        """Make the request what this attempt sends: its headers, its path, its authority."""
        assert spec.course is not None
        request, action = spec.request, choice.action
        pairs = edited(spec.headers, (level.request for level in edits), spec.course.call.get)
        request.headers = CIMultiDict((name, _text(value)) for name, value in pairs)
        request.headers["Host"] = action.host_rewrite or spec.authority
        target = rewritten(action.rewrite, choice.route.match.path, spec.url.raw_path_qs)
        if target != spec.url.raw_path_qs:
            request.url = URL(f"{spec.url.origin()}{target}", encoded=True)

    def _mirror(self, spec: Exchange, choice: Chosen) -> None:
        """Send copies of a request whose body is at hand; a stream is not kept for that."""
        body = spec.request.body
        if isinstance(body, aiohttp.Payload) and not isinstance(body, aiohttp.BytesPayload):
            return
        method, headers = spec.request.method, tuple(spec.request.headers.items())
        target = spec.request.url.raw_path_qs

        def start(link: HttpSubchannel) -> Copy:
            shadow = link.key.authority if link.key.authority != self._active.target.authority else None
            return Copy(link, method, target, headers, body, shadow)

        self._mirrors.copy(choice.action.mirrors, lambda: start)

    # --- answering ----------------------------------------------------------------------------------------

    def _settled(self, spec: Exchange, outcome: Outcome, deadline: float | None) -> aiohttp.ClientResponse:
        """Give the caller what this attempt came to."""
        response = outcome.response
        if response is None:
            assert outcome.error is not None
            raise outcome.error
        if deadline is not None and response.status != 101:
            reason = f"{outcome.where}the response was not complete within the time that the route gives"
            outcome.attempt.limit(deadline, self._error(grpc.StatusCode.DEADLINE_EXCEEDED, reason))
        self._edit(spec, response, outcome.edits, outcome.cookies)
        self._news.answered(spec.name, spec.started, len(spec.tried), outcome.attempt)
        return response

    async def _answered_here(self, spec: Exchange, made: _AnsweredHere) -> aiohttp.ClientResponse:
        with self._connector.going(spec.request, made.answer):
            response = await spec.handler(spec.request)
        self._edit(spec, response, made.edits)
        self._news.over(spec.name, spec.started, len(spec.tried), str(response.status))
        return response

    def _edit(
        self,
        spec: Exchange,
        response: aiohttp.ClientResponse,
        edits: Iterable[MessageEdits],
        cookies: Sequence[str] = (),
    ) -> None:
        levels = [level.response for level in edits if level.response]
        if (levels or cookies) and isinstance(response, RoutedResponse) and spec.course is not None:
            headers = (*response.headers.items(), *(("Set-Cookie", cookie) for cookie in cookies))
            pairs = edited_answer(headers, levels, spec.course.call.get)
            response.edit([(name, _text(value)) for name, value in pairs])


def _retriable(policy: RetryPolicy, attempts: int, outcome: Outcome) -> bool:
    response = outcome.response
    if response is None:
        return may_retry_request(policy, attempts, lost=outcome.lost)
    # aiohttp looks headers up in any case
    return may_retry_request(policy, attempts, status=response.status, headers=response.headers)


def _nothing_sent(request: aiohttp.ClientRequest, error: aiohttp.ClientError) -> bool:
    """Whether a write failed that would have been the first: headers go with a body that is at hand."""
    at_once = isinstance(request.body, aiohttp.BytesPayload) and not request.chunked
    return at_once and isinstance(error.__cause__, aiohttp.ClientConnectionResetError)


def _scheme(url: URL) -> str:
    return _BY_ALIAS.get(url.scheme, url.scheme)


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")
