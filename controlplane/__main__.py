"""`python -m controlplane`: serve a directory of Istio YAML over ADS, or check one."""

from __future__ import annotations

import logging
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from controlplane.problems import Problem


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--config",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Directory of Istio YAML; watched for changes.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve ADS on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=15010,
    show_default=True,
    help="ADS port; 0 takes any free one.",
)
@click.option(
    "--admin-port",
    type=click.IntRange(0, 65535),
    default=15014,
    show_default=True,
    help="HTTP admin port on 127.0.0.1; 0 takes any free one.",
)
@click.option(
    "--log-level",
    type=click.Choice(("debug", "info", "warning", "error")),
    default="info",
    show_default=True,
    help="What to log, on standard error.",
)
@click.pass_context
def main(
    context: click.Context, config: Path | None, host: str, port: int, admin_port: int, log_level: str
) -> None:
    """Serve a directory of Istio YAML to xDS clients: the embedded stand-in for Istiod.

    Reads VirtualService, DestinationRule, ServiceEntry and WorkloadEntry from every *.yaml under --config,
    serves them over ADS, and follows every change. What Istio would refuse is refused with its place, and the
    last good state stays in force. Until there is one, the ADS port stays shut.

    The admin port answers GET /healthz, /status and /sync, and POST /validate and /reload.
    """
    if context.invoked_subcommand is not None:
        return
    if config is None:
        raise click.UsageError("Missing option '--config'.", context)
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # gRPC's core logs every GOAWAY to stderr otherwise
    logging.basicConfig(
        stream=sys.stderr,
        level=log_level.upper(),
        format="%(asctime)s controlplane %(levelname)s %(message)s",
    )
    logging.getLogger("watchfiles").setLevel(logging.ERROR)
    sys.exit(_serve(config, host, port, admin_port))


@main.command(short_help="Check Istio YAML and say what is wrong where.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def check(paths: tuple[Path, ...]) -> None:
    """Check directories or files of Istio YAML, as one configuration, and say what is wrong where.

    Exits with 1 if anything is an error; warnings do not count.
    """
    from controlplane.loader import load_texts, read_directory, read_file  # noqa: PLC0415 - see _serve()

    texts: dict[str, str] = {}
    errors: list[Problem] = []
    for path in paths:
        found, problems = read_directory(path) if path.is_dir() else read_file(path)
        texts |= {str(path / label) if path.is_dir() else label: text for label, text in found.items()}
        errors += [replace(p, file=str(path / p.file)) for p in problems] if path.is_dir() else problems
    loaded = load_texts(texts)
    errors += loaded.errors
    for error in sorted(errors):
        click.echo(f"error: {error}")
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}")
    click.echo(
        f"{len(texts)} files, {len(loaded.objects)} objects, {len(errors)} errors, "
        f"{len(loaded.warnings)} warnings"
    )
    sys.exit(1 if errors else 0)


def _serve(config: Path, host: str, port: int, admin_port: int) -> int:
    # gRPC, protobuf and aiohttp take half a second to import: not for --help, and a signal in that time must
    # end the process as quietly as later, which an exception out of an import does not.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    import asyncio  # noqa: PLC0415

    from controlplane.ads_server import PortError  # noqa: PLC0415
    from controlplane.app import ControlPlane  # noqa: PLC0415

    async def serve() -> int:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        plane = ControlPlane(config, host=host, port=port, admin_port=admin_port)
        stopped = asyncio.create_task(stop.wait())
        try:
            await plane.start()
            if not plane.state.sound.is_set():
                first, *more = plane.state.errors
                others = f"and {len(more)} more; " if more else ""
                click.echo(
                    f"controlplane: serves nothing until this is mended: {first}"
                    f" ({others}admin on 127.0.0.1:{plane.admin_port}, config {config})"
                )
            serving = asyncio.create_task(plane.serving())
            await asyncio.wait((serving, stopped), return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
                at = f"[{host}]" if ":" in host else host
                click.echo(
                    f"controlplane: ADS on {at}:{plane.port}, admin on 127.0.0.1:{plane.admin_port},"
                    f" config {config}"
                )
                await stopped
        except PortError as error:
            click.echo(f"controlplane: {error}", err=True)
            return 1
        finally:
            await plane.stop()
        return 0

    return asyncio.run(serve())


if __name__ == "__main__":
    main(prog_name="python -m controlplane")
