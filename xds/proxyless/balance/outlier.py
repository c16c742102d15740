"""Outlier detection: endpoints that fail more than the others get no calls for a while (gRFC A50).

Success rate and failure percentage are judged at each interval's end; the consecutive failures, which are
Envoy's, at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import sqrt

from msgspec import Struct

from ..resources import OutlierDetection
from .ask import Draw

_HTTP_OF_GRPC = {2: 500, 4: 504, 12: 501, 13: 500, 14: 503, 15: 500}
"""Which gRPC statuses Envoy counts as 5xx."""
_GATEWAY = (502, 503, 504)


class _Record(Struct):
    """What is known of one endpoint."""

    successes: int = 0
    failures: int = 0
    fives: int = 0
    """5xx in a row."""
    gateways: int = 0
    """Gateway failures in a row."""
    multiplier: int = 0
    ejected_at: float | None = None

    @property
    def volume(self) -> int:
        return self.successes + self.failures


class OutlierDetector:
    """Keeps the record of one cluster's endpoints; time is passed in, in seconds."""

    def __init__(self, config: OutlierDetection, draw: Draw) -> None:
        self.config = config
        self._draw = draw
        self._records: dict[str, _Record] = {}

    @property
    def ejected(self) -> frozenset[str]:
        """The addresses that get no calls now."""
        return frozenset(address for address, each in self._records.items() if each.ejected_at is not None)

    def keep(self, addresses: Iterable[str]) -> None:
        """Know exactly these endpoints."""
        wanted = set(addresses)
        for address in self._records.keys() - wanted:
            del self._records[address]
        for address in wanted - self._records.keys():
            self._records[address] = _Record()

    def ended(self, address: str, code: int, now: float) -> bool:
        """Take in how a call ended, by its gRPC status; whether that ejected the endpoint."""
        return self._took(address, code != 0, _HTTP_OF_GRPC.get(code), now)

    def answered(self, address: str, status: int, now: float) -> bool:
        """Take in how a request ended, by its HTTP status; whether that ejected the endpoint."""
        failed = status >= 500
        return self._took(address, failed, status if failed else None, now)

    def _took(self, address: str, failed: bool, http: int | None, now: float) -> bool:
        """Take in one end; `http` is its status where that is a 5xx."""
        record = self._records.get(address)
        if record is None:
            return False
        if failed:
            record.failures += 1
        else:
            record.successes += 1
        record.fives = record.fives + 1 if http is not None else 0
        record.gateways = record.gateways + 1 if http in _GATEWAY else 0
        config = self.config
        if config.consecutive_5xx and record.fives >= config.consecutive_5xx:
            record.fives = 0
            if self._may_eject(record) and self._hits(config.enforcing_consecutive_5xx):
                return self._eject(record, now)
        if config.consecutive_gateway_failure and record.gateways >= config.consecutive_gateway_failure:
            record.gateways = 0
            if self._may_eject(record) and self._hits(config.enforcing_consecutive_gateway_failure):
                return self._eject(record, now)
        return False

    def sweep(self, now: float) -> None:
        """End an interval: eject who did badly in it, and let back who has been away long enough."""
        counted = {address: _Record(r.successes, r.failures) for address, r in self._records.items()}
        for record in self._records.values():
            record.successes = record.failures = 0
        for address in (*self._low_success(counted), *self._high_failure(counted)):
            record = self._records[address]
            if self._may_eject(record):
                self._eject(record, now)
        for record in self._records.values():
            if record.ejected_at is None:
                record.multiplier = max(0, record.multiplier - 1)
            elif now >= record.ejected_at + self._sentence(record):
                record.ejected_at = None

    def _low_success(self, counted: dict[str, _Record]) -> Iterator[str]:
        config = self.config
        enough = {a: r for a, r in counted.items() if r.volume >= max(1, config.success_rate_request_volume)}
        if not config.enforcing_success_rate or len(enough) < max(1, config.success_rate_minimum_hosts):
            return
        rates = {address: each.successes / each.volume for address, each in enough.items()}
        mean = sum(rates.values()) / len(rates)
        deviation = sqrt(sum((rate - mean) ** 2 for rate in rates.values()) / len(rates))
        lowest = mean - deviation * config.success_rate_stdev_factor / 1000
        for address, rate in rates.items():
            if rate < lowest and self._hits(config.enforcing_success_rate):
                yield address

    def _high_failure(self, counted: dict[str, _Record]) -> Iterator[str]:
        config = self.config
        least = max(1, config.failure_percentage_request_volume)
        enough = {address: each for address, each in counted.items() if each.volume >= least}
        minimum = max(1, config.failure_percentage_minimum_hosts)
        if not config.enforcing_failure_percentage or len(enough) < minimum:
            return
        for address, each in enough.items():
            if 100 * each.failures / each.volume > config.failure_percentage_threshold and self._hits(
                config.enforcing_failure_percentage
            ):
                yield address

    def _hits(self, percent: int) -> bool:
        return self._draw(100) < percent

    def _may_eject(self, record: _Record) -> bool:
        """One may always be ejected, more only as far as `max_ejection_percent` goes."""
        if record.ejected_at is not None:
            return False
        away = len(self.ejected)
        return away == 0 or 100 * away / len(self._records) < self.config.max_ejection_percent

    def _eject(self, record: _Record, now: float) -> bool:
        record.ejected_at = now
        record.multiplier += 1
        return True

    def _sentence(self, record: _Record) -> float:
        config = self.config
        longest = max(config.base_ejection_time, config.max_ejection_time)
        return min(config.base_ejection_time * record.multiplier, longest)
