"""The command line of a service: `--help`, settings, signals, and an exit code that says how it ended."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from proxyless.errors import XdsError

from lanes.context import current, current_lane_name
from serving.binding import BindError
from serving.settings import COMMON, SettingError, Settings, Variable
from telemetry import logs, process
from telemetry.exporting import ExportError

Serve = Callable[[Settings, Mapping[str, str], asyncio.Event], Awaitable[None]]

_log = logging.getLogger(__name__)

EXIT_FAILED = 1
EXIT_SETTINGS = 2


def run(service: str, summary: str, variables: Sequence[Variable[Any]], serve: Serve) -> int:
    """Run a service until SIGTERM or Ctrl-C; the exit code: 0 ended as asked, 1 failed, 2 bad settings."""
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # gRPC's core logs every GOAWAY to stderr otherwise
    try:
        _parser(service, summary, [*COMMON, *variables]).parse_args()
        settings = Settings.read(service, os.environ)
        logs.configure(settings.log_level, _standing_fields(settings), _request_fields)
        known = process.install(
            settings.service,
            settings.version,
            settings.instance,
            lane=current_lane_name,
        )
        try:
            asyncio.run(_until_signalled(settings, os.environ, serve))
        finally:
            known.shutdown()
    except (SettingError, ExportError) as error:
        return _refuse(service, error, EXIT_SETTINGS)
    except XdsError as error:
        return _refuse(service, error, EXIT_SETTINGS)
    except BindError as error:
        return _refuse(service, error, EXIT_FAILED)
    except KeyboardInterrupt:  # before the handlers were in place
        return 0
    return 0


async def _until_signalled(settings: Settings, environ: Mapping[str, str], serve: Serve) -> None:
    """Serve; the first signal asks for a graceful end, the second for an immediate one."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    serving = asyncio.ensure_future(serve(settings, environ, stop))

    def on_signal() -> None:
        if stop.is_set():
            serving.cancel()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    with contextlib.suppress(asyncio.CancelledError):
        await serving


def _standing_fields(settings: Settings) -> dict[str, str]:
    return {"service": settings.service, "version": settings.version, "instance": settings.instance}


def _request_fields() -> dict[str, str]:
    """What a log line says of the request it belongs to."""
    carried = current()
    fields = {"lane": carried.lane_name} if carried.metadata else {}
    for name, header in (("request_id", "x-request-id"), ("traceparent", "traceparent")):
        if value := carried.get(header):
            fields[name] = value
    return fields


def _refuse(service: str, error: Exception, code: int) -> int:
    sys.stderr.write(f"{service}: {error}\n")
    return code


def _parser(service: str, summary: str, variables: Sequence[Variable[Any]]) -> argparse.ArgumentParser:
    width = max(len(variable.name) for variable in variables)
    lines = [
        f"  {v.name:<{width}}  {v.help}" + (f" (default: {v.default})" if v.default else "")
        for v in variables
    ]
    if any(variable.name.endswith("_TARGET") for variable in variables):
        lines.append(f"  {'XDS_ADDRESS':<{width}}  host:port of the control plane, for xds:/// targets")
    lines.append(f"  {'OTEL_…':<{width}}  as OpenTelemetry has them: {process.HELP}")
    return argparse.ArgumentParser(
        prog=f"python -m {service}",
        description=summary,
        epilog="environment:\n" + "\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
