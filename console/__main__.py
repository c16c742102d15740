"""`python -m console`: serve the lane console of a mesh."""

from __future__ import annotations

from lanes.interrupts import quiet_imports

with quiet_imports():
    import asyncio
    import signal

    import click

    from console.app import ConsoleServer
    from console.settings import SettingError, Settings
    from mesh.cli.options import state_option
    from mesh.errors import MeshError

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.command(context_settings=_CONTEXT)
@state_option
@click.option(
    "--peer",
    "peers",
    multiple=True,
    metavar="HOST:PORT",
    help="Look at the admin ports at all addresses of HOST, not at a mesh on this machine; may be repeated.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=9081, show_default=True, help="Port; 0 is any."
)
@click.option("--name", default="", metavar="TEXT", help="What the page calls the mesh at these peers.")
@click.option("--read-only", is_flag=True, help="Show, and change nothing.")
def main(state: str, peers: tuple[str, ...], port: int, name: str, read_only: bool) -> None:
    """Serve the lane console on 127.0.0.1: what the mesh does, live, and why each request went where it went.

    It has no credentials, so it listens on loopback only; in a Pod, use `kubectl port-forward`.
    """
    try:
        asyncio.run(_serve(Settings.read(state, peers, port, read_only, name)))
    except (SettingError, MeshError) as error:
        raise click.ClickException(str(error)) from None


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with ConsoleServer(settings) as server:
        click.echo(f"console: serves {server.url}")
        await stop.wait()


if __name__ == "__main__":
    main(prog_name="python -m console")
