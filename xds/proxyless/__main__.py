"""`python -m proxyless`: look into the routing of a mesh, and into the environment this library runs in."""

from __future__ import annotations

from .interrupts import quiet_imports

with quiet_imports():
    import asyncio
    import json
    import logging
    import os
    import re
    import sys
    from datetime import datetime
    from typing import Any

    import click

    from .bootstrap import Bootstrap, host_port
    from .decision import Decision
    from .doctor import diagnose
    from .entry import Client
    from .errors import XdsError
    from .look import collect_dump, fetch_dump, watch, watch_admin
    from .names import is_url
    from .routing import Fallback
    from .status import answered, decision_lines, healthy, status_lines


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Look into the routing of a mesh, and into the environment this library runs in."""


_TIMEOUT = click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=10.0,
    show_default=True,
    help="Seconds to wait for configuration.",
)
_XDS_ADDRESS = click.option(
    "--xds-address",
    metavar="HOST:PORT",
    help="The control plane. Without it, the bootstrap comes from the environment.",
)


@main.command()
@click.argument("target")
@click.option(
    "--method",
    metavar="/PKG.SERVICE/METHOD|GET|POST|…",
    help="The method called; of an HTTP request its own.  [default: /, or GET]",
)
@click.option(
    "-m",
    "--metadata",
    multiple=True,
    metavar="KEY=VALUE",
    help="A metadata entry of the call, or a header of the request; repeatable.",
)
@_XDS_ADDRESS
@click.option(
    "--fallback",
    type=click.Choice(["none", "next-route"]),
    default="none",
    show_default=True,
    help="What the client does where a cluster has no usable endpoint.",
)
@click.option(
    "--want-route",
    metavar="NAME",
    help="Also say what would have to change for the call to take this route; #INDEX for one without a name.",
)
@_TIMEOUT
@click.option("--json", "as_json", is_flag=True, help="Print the decision as JSON.")
def explain(
    target: str,
    method: str | None,
    metadata: tuple[str, ...],
    xds_address: str | None,
    fallback: Fallback,
    want_route: str | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Say where a call to TARGET (xds:///host:port) would go, and why.

    Where TARGET is a URL (http://host:port/path), it is an HTTP request that is explained.

    Exits with 0 where it would reach an endpoint or be answered by the configuration itself, 1 where it would
    fail, 2 where that cannot be said or there is no such route.
    """
    if method is None and not is_url(target):
        method = "/"
    pairs = [_pair(each) for each in metadata]
    _be_quiet()
    try:
        bootstrap = _bootstrap(xds_address)
        decision = asyncio.run(_explain(bootstrap, target, method, pairs, fallback, timeout, want_route))
    except (XdsError, TimeoutError, ImportError) as error:
        click.echo(f"proxyless explain: {error}", err=True)
        sys.exit(2)
    click.echo(decision.to_json() if as_json else "\n".join(decision_lines(decision)))
    sys.exit(1 if decision.error else 0)


def _bootstrap(xds_address: str | None) -> Bootstrap:
    """Read the environment, whose control plane `--xds-address` overrides."""
    if xds_address is None:
        return Bootstrap.from_env()
    host_port(xds_address, "--xds-address")
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GRPC_XDS_BOOTSTRAP")}
    return Bootstrap.from_env({**kept, "XDS_ADDRESS": xds_address})


async def _explain(
    bootstrap: Bootstrap,
    target: str,
    method: str | None,
    metadata: list[tuple[str, str | bytes]],
    fallback: Fallback,
    timeout: float,
    want_route: str | None,
) -> Decision:
    async with Client(bootstrap, fallback=fallback) as client:
        return await client.explain(
            target, method=method, metadata=metadata, timeout=timeout, want_route=want_route
        )


def _pair(text: str) -> tuple[str, str | bytes]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--metadata")
    if not _METADATA_KEY.fullmatch(key):
        raise click.BadParameter(f"{key!r} is no metadata key", param_hint="--metadata")
    return key.lower(), value


_METADATA_KEY = re.compile(r"[0-9A-Za-z_.-]+")

_ADMIN_TIMEOUT = 10.0
_ADMIN = click.option(
    "--admin", metavar="HOST:PORT", help="Ask the process with this admin address, not a control plane."
)


@main.command()
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@_XDS_ADDRESS
@_ADMIN
@_TIMEOUT
def dump(targets: tuple[str, ...], xds_address: str | None, admin: str | None, timeout: float) -> None:
    """Print what is held for TARGETs (xds:///host:port), or by a process, as JSON.

    Exits with 2 where it cannot be had.
    """
    found = _dump("dump", targets, xds_address, admin, timeout)
    if not admin and not answered(found):
        error = found["server"]["error"] or f"control plane {found['server']['address']}: no answer"
        click.echo(f"proxyless dump: {error}", err=True)
        sys.exit(2)
    click.echo(json.dumps(found, indent=2))


@main.command()
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@_XDS_ADDRESS
@_ADMIN
@_TIMEOUT
def status(targets: tuple[str, ...], xds_address: str | None, admin: str | None, timeout: float) -> None:
    """Print the state of every resource of TARGETs (xds:///host:port), or of a process.

    Exits with 0 where all is well, 1 where something is refused, absent or out of reach, 2 where that cannot
    be said.
    """
    found = _dump("status", targets, xds_address, admin, timeout)
    for line in status_lines(found):
        click.echo(line)
    sys.exit(0 if healthy(found) else 1)


def _dump(
    command: str, targets: tuple[str, ...], xds_address: str | None, admin: str | None, timeout: float
) -> dict[str, Any]:
    _one_of(targets, admin)
    _be_quiet()
    try:
        if admin:
            return fetch_dump(admin, timeout)
        return asyncio.run(collect_dump(_bootstrap(xds_address), targets, timeout))
    except XdsError as error:
        click.echo(f"proxyless {command}: {error}", err=True)
        sys.exit(2)


def _one_of(targets: tuple[str, ...], admin: str | None) -> None:
    if bool(targets) == bool(admin):
        raise click.UsageError("Name TARGETs, or a process with --admin.")


@main.command("watch")
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@_XDS_ADDRESS
@_ADMIN
def watch_command(targets: tuple[str, ...], xds_address: str | None, admin: str | None) -> None:
    """Print every change of the configuration of TARGETs (xds:///host:port), or of a process, until Ctrl-C.

    Exits with 2 where there is nothing to watch.
    """
    _one_of(targets, admin)
    _be_quiet()

    def say(line: str) -> None:
        click.echo(f"{datetime.now():%H:%M:%S.%f} {line}")

    try:
        if admin:
            watch_admin(admin, say, _ADMIN_TIMEOUT)
        asyncio.run(watch(_bootstrap(xds_address), targets, say))
    except XdsError as error:
        click.echo(f"proxyless watch: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _be_quiet() -> None:
    """What matters is printed by the command itself."""
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # gRPC's core logs every GOAWAY to stderr otherwise
    logging.getLogger("proxyless").setLevel(logging.CRITICAL)


@main.command()
def doctor() -> None:
    """Check that the packages this library stands on are whole; exits with 1 where they are not."""
    problems = diagnose()
    for problem in problems:
        click.echo(f"broken: {problem.what}\n  mend: {problem.mend}")
    if problems:
        sys.exit(1)
    click.echo("all well: grpcio, the xDS protos, google-re2, msgspec and the OpenTelemetry protos are whole")


if __name__ == "__main__":
    main(prog_name="python -m proxyless")
