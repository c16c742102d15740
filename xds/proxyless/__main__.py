"""`python -m proxyless`: look into the routing of a mesh, and into the environment this library runs in."""

from __future__ import annotations

import asyncio
import logging
import os
import sys

import click

from .bootstrap import Bootstrap
from .doctor import diagnose
from .entry import Client
from .errors import XdsError
from .explain import Decision
from .routing import Fallback


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Look into the routing of a mesh, and into the environment this library runs in."""


@main.command()
@click.argument("target")
@click.option("--method", default="/", metavar="/PKG.SERVICE/METHOD", help="The method called.")
@click.option(
    "-m", "--metadata", multiple=True, metavar="KEY=VALUE", help="A metadata entry of the call; repeatable."
)
@click.option(
    "--xds-address",
    metavar="HOST:PORT",
    help="The control plane. Without it, the bootstrap comes from the environment.",
)
@click.option(
    "--fallback",
    type=click.Choice(["none", "next-route"]),
    default="none",
    show_default=True,
    help="What the client does where a cluster has no usable endpoint.",
)
@click.option("--timeout", default=10.0, show_default=True, help="Seconds to wait for configuration.")
@click.option("--json", "as_json", is_flag=True, help="Print the decision as JSON.")
def explain(
    target: str,
    method: str,
    metadata: tuple[str, ...],
    xds_address: str | None,
    fallback: Fallback,
    timeout: float,
    as_json: bool,
) -> None:
    """Say where a call to TARGET (xds:///host:port) would go, and why.

    Exits with 0 where it would reach an endpoint, 1 where it would fail, 2 where that cannot be said.
    """
    pairs = [_pair(each) for each in metadata]
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # gRPC's core logs every GOAWAY to stderr otherwise
    logging.getLogger("proxyless").setLevel(logging.CRITICAL)  # what matters is in the decision
    try:
        bootstrap = _bootstrap(xds_address)
        decision = asyncio.run(_explain(bootstrap, target, method, pairs, fallback, timeout))
    except (XdsError, TimeoutError) as error:
        click.echo(f"proxyless explain: {error}", err=True)
        sys.exit(2)
    click.echo(decision.to_json() if as_json else _text(decision))
    sys.exit(1 if decision.error else 0)


def _bootstrap(xds_address: str | None) -> Bootstrap:
    """Read the environment, whose control plane `--xds-address` overrides."""
    if xds_address is None:
        return Bootstrap.from_env()
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GRPC_XDS_BOOTSTRAP")}
    return Bootstrap.from_env({**kept, "XDS_ADDRESS": xds_address})


async def _explain(
    bootstrap: Bootstrap,
    target: str,
    method: str,
    metadata: list[tuple[str, str | bytes]],
    fallback: Fallback,
    timeout: float,
) -> Decision:
    async with Client(bootstrap, fallback=fallback) as client:
        return await client.explain(target, method=method, metadata=metadata, timeout=timeout)


def _pair(text: str) -> tuple[str, str | bytes]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--metadata")
    return key.lower(), value


def _text(decision: Decision) -> str:
    route = decision.route
    rows = [
        ("target", decision.target),
        ("method", decision.method),
        ("listener", decision.listener),
        ("route config", decision.route_config),
        ("virtual host", decision.virtual_host),
        ("route", None if route is None else f"{route.name or 'unnamed'} (#{route.index})"),
        ("cluster", decision.cluster),
        (
            "weights",
            ", ".join(f"{n} {w}" for n, w in decision.clusters.items())
            if len(decision.clusters) > 1
            else None,
        ),
        ("endpoints", ", ".join(decision.endpoints) or None),
        ("timeout", None if decision.timeout is None else f"{decision.timeout:g} s"),
        (
            "retry",
            None
            if decision.retry is None
            else f"{decision.retry['max_attempts']} attempts on {', '.join(decision.retry['retry_on'])}",
        ),
        ("fault", None if decision.fault is None else str(decision.fault)),
        ("fails", decision.error),
    ]
    lines = [f"{name:>13}  {value}" for name, value in rows if value is not None]
    if decision.steps:
        lines += ["", "tried, in order:", *(f"  {step}" for step in decision.steps)]
    return "\n".join(lines)


@main.command()
def doctor() -> None:
    """Check that the packages this library stands on are whole; exits with 1 where they are not."""
    problems = diagnose()
    for problem in problems:
        click.echo(f"broken: {problem.what}\n  mend: {problem.mend}")
    if problems:
        sys.exit(1)
    click.echo("all well: grpcio, the xDS protos, google-re2 and the OpenTelemetry protos are whole")


if __name__ == "__main__":
    main(prog_name="python -m proxyless")
