"""Commands that ask the mesh itself: try sends a request, explain asks which rules decide."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
import click
from rich.text import Text

from lanes.baggage import HEADER, format_member
from lanes.cli.changes import lane_named
from lanes.cli.options import lane_argument, output_option, progress, show, target_options
from lanes.cli.target import Target
from lanes.landscape import Known, LaneError
from lanes.spec import Lane
from lanes.store import LaneStore
from mesh.environment import past_proxies

_PATH = "/api/v1/products/0"
_METHOD = "/lanes.Explain/AnyMethod"


@click.command("try")
@lane_argument
@click.argument("url", required=False)
@output_option
@target_options
def try_(lane: str, url: str | None, output: str, target: Target) -> None:
    """Send one request of a lane through the door, and show the chain it took.

    The request carries `baggage: env=LANE`. URL is the mesh's own page if not given, or a path there; its
    answer should be JSON with the `hops` that the services report. Exit code 1 when a part of it failed.

    \b
    lanes try dev
    lanes try dev /api/v1/products/0/delivery
    lanes try dev http://localhost:9080/api/v1/products/1
    """
    answer = target.run(lambda store: _try(store, lane, url, target))
    show(output, answer, lambda: Text("\n".join(_told(answer))))
    if answer["errors"]:
        raise LaneError(f"The request of the lane {lane} failed.")


async def _try(store: LaneStore, lane: str, url: str | None, target: Target) -> dict[str, Any]:
    there = lane_named((await store.read()).landscape, lane)
    if url is not None and not url.startswith("/"):
        return await _ask(_address(url), _address(url), there, target)
    async with store.front_door() as door:
        address, name = (_address(each) for each in (door.url, door.name))
        return await _ask(_at(address, url), _at(name, url), there, target)


async def _ask(address: str, name: str, lane: Lane, target: Target) -> dict[str, Any]:
    """Ask at an address, which a person knows by name."""
    baggage = format_member(target.lane_key, lane.name)
    limit = aiohttp.ClientTimeout(total=target.timeout)
    started = time.monotonic()
    try:
        async with (
            progress(f"waiting for {name}"),
            aiohttp.ClientSession(timeout=limit) as session,
            session.get(address, headers={HEADER: baggage}) as response,
        ):
            text, status = await response.text(errors="replace"), response.status
    except aiohttp.ClientConnectorError as error:
        raise LaneError(f"{name} cannot be asked: {error.os_error.strerror or error.os_error}.") from None
    except (aiohttp.ClientError, ValueError) as error:
        raise LaneError(f"{name} cannot be asked: {error or type(error).__name__}.") from None
    except TimeoutError:
        raise LaneError(f"{name} has not answered within {target.timeout:g} s.") from None
    return _answer(name, baggage, status, text, lane, (time.monotonic() - started) * 1000)


def _at(address: str, path: str | None) -> str:
    return urljoin(address, path) if path is not None else address


def _address(url: str) -> str:
    parts = urlsplit(url if "//" in url else f"http://{url}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise LaneError(f"{url!r} is no URL of a door; write http://HOST:PORT/PATH.")
    return parts._replace(path=parts.path if parts.path not in ("", "/") else _PATH).geturl()


def _answer(
    address: str, baggage: str, status: int, text: str, lane: Lane, milliseconds: float
) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    hops = body.get("hops") if isinstance(body, dict) else None
    errors = [] if status < 400 else [f"HTTP {status}"]
    if isinstance(body, dict):
        errors += _failures(body)
    if isinstance(hops, dict) and hops.get("lane") != lane.name:
        errors.append(
            f"the door took the request for lane {hops.get('lane')}: it does not believe `baggage` from "
            "outside, or a rule of `lanes door` led it elsewhere"
        )
    if not isinstance(hops, dict):
        errors.append("the answer has no `hops`, so nobody can tell the chain")
    return {
        "url": address,
        "baggage": baggage,
        "status": status,
        "milliseconds": round(milliseconds, 1),
        "chain": list(_chain(hops, lane)) if isinstance(hops, dict) else [],
        "hops": hops,
        "errors": errors,
    }


def _failures(body: Mapping[str, Any]) -> list[str]:
    """What the parts of an answer say went wrong."""
    found = []
    for name, part in body.items():
        if not isinstance(part, dict):
            continue
        error = part.get("error")
        if isinstance(error, dict):
            found.append(f"{name}: {error.get('code')}: {error.get('reason')}")
        if part.get("ratings_error"):
            found.append(f"ratings: {part['ratings_error']}")
    return found


def _chain(hop: Mapping[str, Any], lane: Lane, depth: int = 0) -> Iterator[str]:
    service, version = hop.get("service"), hop.get("version")
    side = lane.name if lane.versions.get(str(service)) == version else "base"
    yield f"{'  ' * depth}{'→ ' if depth else ''}{service} {version} ({side})"
    for call in hop.get("calls") or ():
        yield from _chain(call, lane, depth + 1)


def _told(answer: Mapping[str, Any]) -> Iterator[str]:
    head = f"{answer['status']} in {answer['milliseconds']:.0f} ms"
    yield f"{answer['url']}  {HEADER}: {answer['baggage']}  {head}"
    yield from answer["chain"]
    for error in answer["errors"]:
        yield f"failed: {error}"


@click.command()
@lane_argument
@click.option(
    "--method",
    metavar="/PKG.SERVICE/METHOD|GET|POST|…",
    help="The method to ask about, of gRPC or of HTTP, where rules tell methods apart.",
)
@click.option("--path", default="/", help="The path of an HTTP request to ask about.")
@click.option("-s", "--service", "only", metavar="NAME", help="One service instead of all.")
@click.option(
    "--want-route",
    metavar="NAME",
    help="Also say what would have to change for the request to take this route of the service.",
)
@click.option(
    "--xds-address",
    metavar="HOST:PORT",
    default="",
    help="The control plane's plaintext port.  [default: the mesh's; in a cluster by port-forward to Istiod]",
)
@output_option
@target_options
def explain(
    lane: str,
    method: str | None,
    path: str,
    only: str | None,
    want_route: str | None,
    xds_address: str,
    output: str,
    target: Target,
) -> None:
    """Say for each service which rule decides over a request of the lane, and why.

    A client joins the mesh as the services do and asks its library, so what is told is what calls get. The
    door, which is called from outside, has no such clients.

    \b
    lanes explain dev
    lanes explain dev --service reviews --method /bookinfo.v1.Reviews/GetReviews
    lanes explain dev --service delivery --path /delivery/1
    lanes explain dev --service reviews --want-route base
    """
    if want_route is not None and only is None:
        raise click.UsageError("--want-route names a route of one service: name that with --service.")
    asked = _Asked(method, path if path.startswith("/") else f"/{path}", want_route)
    found = target.run(lambda store: _explain(store, lane, asked, only, xds_address, target))
    show(output, found, lambda: Text("\n".join(line for each in found for line in reasons(each))))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked about each service."""

    method: str | None
    path: str
    want_route: str | None

    def of(self, service: Known, port: int) -> dict[str, Any]:
        """As the library wants it: a gRPC call's method begins with a slash, an HTTP request's does not."""
        grpc = self.method is not None and self.method.startswith("/")
        if service.grpc:
            return {"target": f"xds:///{service.host}:{port}", "method": self.method if grpc else _METHOD}
        url = f"http://{service.host}:{port}{self.path}"
        return {"target": url, "method": None if grpc else self.method}


async def _explain(
    store: LaneStore, lane: str, asked: _Asked, only: str | None, xds_address: str, target: Target
) -> list[dict[str, Any]]:
    seen = await store.read()
    lane_named(seen.landscape, lane)
    services = [s for s in seen.landscape.services if not s.door]
    if only is not None:
        services = [seen.landscape.service(only)]
        if services[0].door:
            raise LaneError(
                f"{only} is called from outside the mesh, by clients that no rule decides for; "
                f"`lanes try {lane}` sends it a request."
            )
    metadata = [(HEADER, format_member(target.lane_key, lane))]
    found: list[dict[str, Any]] = []
    async with progress("asking the control plane"), store.client(xds_address) as environment:
        # gRPC's core reads these from the process; it would log each GOAWAY otherwise.
        os.environ.update(past_proxies())
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        import proxyless  # noqa: PLC0415 - a fifth of a second that other commands need not wait

        bootstrap = proxyless.Bootstrap.from_env(environment)
        async with proxyless.Client(bootstrap, fallback="next-route") as mesh:
            for service in services:
                found += await _explain_one(mesh, service, asked, metadata, target.timeout)
    return found


async def _explain_one(
    mesh: Any,
    service: Known,
    asked: _Asked,
    metadata: list[tuple[str, str]],
    timeout: float,
) -> list[dict[str, Any]]:
    from proxyless import TargetError, UnknownRouteError  # noqa: PLC0415 - as in _explain

    found = []
    for port in service.ports or (80,):
        try:
            decision = await mesh.explain(
                **asked.of(service, port), metadata=metadata, timeout=timeout, want_route=asked.want_route
            )
        except (TimeoutError, TargetError, UnknownRouteError) as error:
            raise LaneError(f"{error}.") from None
        found.append({"service": service.name, "port": port, **json.loads(decision.to_json())})
    return found


def reasons(decision: Mapping[str, Any]) -> Iterator[str]:
    """A decision in lines for a person."""
    route = decision["route"] or {}
    name = route.get("name") or (f"route {route.get('index')}" if route else "no route")
    weights = {cluster: weight for cluster, weight in decision["clusters"].items() if weight}
    total = sum(weights.values())
    where = f"{decision['cluster']} at {', '.join(decision['endpoints']) or 'no address'}"
    if len(weights) > 1:
        # Which of them a call gets is drawn anew each time.
        where = ", ".join(f"{cluster} {100 * weight / total:g}%" for cluster, weight in weights.items())
    if answer := decision.get("answer"):
        where = f"answered with status {answer['status']}, {answer.get('location', 'here')}"
    where = decision["error"] or where
    yield f"{decision['service']}: {name} → {where}"
    for step in decision["steps"]:
        yield f"    {step}"
    for wanted in decision.get("wanted") or ():
        from proxyless.status import wanted_lines  # noqa: PLC0415 - as in _explain

        yield from (f"    {line}" for line in wanted_lines(wanted, decision["target"]))
