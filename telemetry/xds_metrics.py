"""The metrics that gRFCs A66, A78, A89, A94 and A96 define for clients, from what proxyless tells.

HTTP requests have OpenTelemetry's `http.client.request.duration`, once each, whatever attempts they took.

A78's `grpc.lb.wrr.*` have nothing to count: there is no weighted_round_robin policy here. Its
`grpc.lb.pick_first.*` are superseded by A94's `grpc.subchannel.*`. Message sizes are not told by grpc.aio.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from importlib.metadata import version

from opentelemetry import metrics
from opentelemetry.context import Context, get_current
from opentelemetry.metrics import MeterProvider
from proxyless import Attempt, Observer
from proxyless.resources import Kind, LocalityName

from telemetry import http_attributes
from telemetry.batches import Batch
from telemetry.http_attributes import is_http, of_end, of_request

BACKEND_SERVICE = "grpc.lb.backend_service"
LOCALITY = "grpc.lb.locality"
LANE = "lane"
OPTIONAL_LABELS = frozenset({BACKEND_SERVICE, LOCALITY})

EVERY_TARGET = "#client"
"""`grpc.target` of what belongs to the one xDS client that all targets of a process share.

A78 knows one client a target, and `#server` for the one that all servers share.
"""
OLD_AUTHORITY = "#old"
"""`grpc.xds.authority` of names that are not `xdstp:` ones."""

LATENCIES = (
    *(0, 0.00001, 0.00005, 0.0001, 0.0003, 0.0006, 0.0008, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008),
    *(0.01, 0.013, 0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.4),
    *(0.5, 0.65, 0.8, 1, 2, 5, 10, 20, 50, 100),
)
"""A66's buckets, in seconds."""


class XdsMetrics(Observer):
    """Writes the metrics of one proxyless Client to a Meter.

    `provider` None is OpenTelemetry's global one, also where that is set later. `labels` are those of
    OPTIONAL_LABELS that are wanted; as in gRPC (A79) there are none unless asked for. `lane`, asked in each
    call, gives the label `lane` of the metrics of calls; there is none without it.
    """

    def __init__(
        self,
        provider: MeterProvider | None = None,
        *,
        labels: Collection[str] = (),
        lane: Callable[[], str] | None = None,
    ) -> None:
        if unknown := set(labels) - OPTIONAL_LABELS:
            raise ValueError(f"{', '.join(sorted(unknown))}: not among {', '.join(sorted(OPTIONAL_LABELS))}")
        self._labels = frozenset(labels)
        self._lane: Callable[[], str | None] = lane or _no_lane
        self._states: dict[tuple[Kind, str], str] = {}
        self._counts: Counter[tuple[Kind, str]] = Counter()
        self._reachable: dict[str, bool] = {}
        meter = metrics.get_meter("proxyless", version("proxyless-xds"), provider)
        self._batch = Batch(meter, self._write_sums)
        self._started: Counter[tuple[str, str, str | None]] = Counter()
        """The attempts started in a batch, by target, method and lane."""
        self._connected = meter.create_gauge(
            "grpc.xds_client.connected",
            "{bool}",
            "Whether the xDS client has a working ADS stream to the xDS server.",
        )
        self._server_failure = meter.create_counter(
            "grpc.xds_client.server_failure", "{failure}", "xDS servers going from healthy to unhealthy."
        )
        self._updates_valid = meter.create_counter(
            "grpc.xds_client.resource_updates_valid",
            "{resource}",
            "Resources received that were valid, unchanged ones included.",
        )
        self._updates_invalid = meter.create_counter(
            "grpc.xds_client.resource_updates_invalid", "{resource}", "Resources received that were invalid."
        )
        self._resources = meter.create_gauge(
            "grpc.xds_client.resources", "{resource}", "Number of xDS resources."
        )
        self._made = meter.create_counter(
            "grpc.subchannel.connection_attempts_succeeded", "{attempt}", "Successful connection attempts."
        )
        self._failed = meter.create_counter(
            "grpc.subchannel.connection_attempts_failed", "{attempt}", "Failed connection attempts."
        )
        self._lost = meter.create_counter(
            "grpc.subchannel.disconnections", "{disconnection}", "Connections that ended."
        )
        self._open = meter.create_up_down_counter(
            "grpc.subchannel.open_connections", "{connection}", "Open connections."
        )
        self._attempts = meter.create_counter(
            "grpc.client.attempt.started", "{attempt}", "Attempts of calls started."
        )
        self._attempt_duration = meter.create_histogram(
            "grpc.client.attempt.duration",
            "s",
            "End-to-end time of an attempt of a call.",
            explicit_bucket_boundaries_advisory=LATENCIES,
        )
        self._call_duration = meter.create_histogram(
            "grpc.client.call.duration",
            "s",
            "End-to-end time of a call.",
            explicit_bucket_boundaries_advisory=LATENCIES,
        )
        self._request_duration = meter.create_histogram(
            http_attributes.DURATION,
            "s",
            "Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=http_attributes.DURATIONS,
        )
        self._retries = meter.create_histogram(
            "grpc.client.call.retries",
            "{retry}",
            "Retries of a call that had any.",
            explicit_bucket_boundaries_advisory=(1, 2, 3, 4, 5),
        )

    # --- the control plane --------------------------------------------------------------------------------

    def stream_opening(self, server: str) -> None:
        """A server counts as connected until something fails (A78)."""
        if server not in self._reachable:
            self._set_connected(server, True)

    def stream_connected(self, server: str) -> None:
        """The first response: it is healthy again."""
        self._set_connected(server, True)

    def stream_failed(self, server: str, error: str) -> None:
        """Going from healthy to unhealthy is counted, staying there is not."""
        if self._reachable.get(server, True):
            self._server_failure.add(1, _server(server))
        self._set_connected(server, False)

    def _set_connected(self, server: str, connected: bool) -> None:
        self._reachable[server] = connected
        self._connected.set(int(connected), _server(server))

    def response_received(self, server: str, kind: Kind, valid: int, invalid: int) -> None:
        """Every resource of a response counts, as A78 has it."""
        attributes = {**_server(server), "grpc.xds.resource_type": _type(kind)}
        self._updates_valid.add(valid, attributes)
        self._updates_invalid.add(invalid, attributes)

    def resource_cached(self, kind: Kind, name: str, state: str | None) -> None:
        """The gauge has, for each type, how many are in each state."""
        before = self._states.pop((kind, name), None)
        if state is not None:
            self._states[kind, name] = state
        if before == state:
            return
        for word, step in ((before, -1), (state, 1)):
            if word is not None:
                self._counts[kind, word] += step
                self._resources.set(
                    self._counts[kind, word],
                    {
                        "grpc.target": EVERY_TARGET,
                        "grpc.xds.authority": OLD_AUTHORITY,
                        "grpc.xds.cache_state": word,
                        "grpc.xds.resource_type": _type(kind),
                    },
                )

    # --- connections --------------------------------------------------------------------------------------

    def connection_made(self, target: str, endpoint: str) -> None:
        """Endpoints are no labels: they come and go without bound."""
        self._made.add(1, {"grpc.target": target})
        self._open.add(1, {"grpc.target": target})

    def connection_failed(self, target: str, endpoint: str, reason: str) -> None:
        """Neither are reasons."""
        self._failed.add(1, {"grpc.target": target})

    def connection_lost(self, target: str, endpoint: str) -> None:
        """However it ended."""
        self._lost.add(1, {"grpc.target": target})
        self._open.add(-1, {"grpc.target": target})

    # --- calls --------------------------------------------------------------------------------------------

    # In a call only what is known there alone is asked for: its lane, and the trace it belongs to.

    def call_routed(self, attempt: Attempt) -> None:
        """An attempt started; HTTP requests are not gRPC's to count."""
        self._batch.add(self._write_started, attempt, self._lane())

    def attempt_ended(self, attempt: Attempt, code: str, seconds: float) -> None:
        """With the labels that tell where it went; HTTP's conventions know requests alone."""
        self._batch.add(self._write_attempt, attempt, code, seconds, self._lane(), get_current())

    def call_ended(self, target: str, method: str, code: str, seconds: float, attempts: int) -> None:
        """Retries are reported only where there were any (A96)."""
        self._batch.add(
            self._write_call, target, method, code, seconds, attempts, self._lane(), get_current()
        )

    def sole_attempt_ended(self, attempt: Attempt, code: str, seconds: float) -> None:
        """Both at once."""
        self._batch.add(self._write_both, attempt, code, seconds, self._lane(), get_current())

    def _write_started(self, attempt: Attempt, lane: str | None) -> None:
        if not is_http(attempt.method):
            self._started[attempt.target, attempt.method, lane] += 1

    def _write_sums(self) -> None:
        for (target, method, lane), count in self._started.items():
            self._attempts.add(count, _call(target, method, lane))
        self._started.clear()

    def _write_attempt(
        self, attempt: Attempt, code: str, seconds: float, lane: str | None, context: Context
    ) -> None:
        if is_http(attempt.method):
            return
        cluster = attempt.cluster if BACKEND_SERVICE in self._labels else None
        place = attempt.locality if LOCALITY in self._labels else None
        attributes = _attempt(attempt.target, attempt.method, lane, code, cluster, place)
        self._attempt_duration.record(seconds, attributes, context)

    def _write_call(
        self,
        target: str,
        method: str,
        code: str,
        seconds: float,
        attempts: int,
        lane: str | None,
        context: Context,
    ) -> None:
        if is_http(method):
            asked = {**of_request(target, method), **of_end(code), **_label(lane)}
            self._request_duration.record(seconds, asked, context)
            return
        if attempts > 1:
            self._retries.record(attempts - 1, _call(target, method, lane), context)
        self._call_duration.record(seconds, _attempt(target, method, lane, code), context)

    def _write_both(
        self, attempt: Attempt, code: str, seconds: float, lane: str | None, context: Context
    ) -> None:
        self._write_attempt(attempt, code, seconds, lane, context)
        self._write_call(attempt.target, attempt.method, code, seconds, 1, lane, context)


# Few are made and many are written: the SDK copies what it is given.


@lru_cache
def _call(target: str, method: str, lane: str | None) -> Mapping[str, str]:
    return {"grpc.method": method.removeprefix("/"), "grpc.target": target, **_label(lane)}


@lru_cache
def _attempt(
    target: str,
    method: str,
    lane: str | None,
    code: str,
    cluster: str | None = None,
    place: LocalityName | None = None,
) -> Mapping[str, str]:
    attributes = {**_call(target, method, lane), "grpc.status": code}
    if cluster is not None:
        attributes[BACKEND_SERVICE] = cluster
    if place is not None:
        attributes[LOCALITY] = _locality(place)
    return attributes


def _no_lane() -> None:
    """Give the metrics of calls no label of a lane."""


def _label(lane: str | None) -> dict[str, str]:
    return {} if lane is None else {LANE: lane}


def _server(server: str) -> dict[str, str]:
    return {"grpc.target": EVERY_TARGET, "grpc.xds.server": server}


def _type(kind: Kind) -> str:
    return kind.type_url.removeprefix("type.googleapis.com/")


def _locality(name: LocalityName) -> str:
    """As A78 writes it; empty where the control plane does not say."""
    if name == LocalityName():
        return ""
    return f'{{region="{name.region}", zone="{name.zone}", sub_zone="{name.sub_zone}"}}'
