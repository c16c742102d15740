"""`python -m console`: serve the lane console of a mesh."""

from __future__ import annotations

from lanes.interrupts import quiet_imports

with quiet_imports():
    import asyncio
    import signal
    from typing import Any

    import click

    from console.app import ConsoleServer
    from console.settings import SettingError, Settings
    from lanes.landscape import LaneError
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
@click.option(
    "-n", "--namespace", metavar="NAME", help="Read the objects of this namespace of the peers' cluster, too."
)
@click.option("--context", metavar="NAME", help="The context of the kubeconfig that leads to that cluster.")
@click.option(
    "--kubeconfig", type=click.Path(dir_okay=False), help="That file.  [default: $KUBECONFIG, ~/.kube/config]"
)
@click.option("--write", is_flag=True, help="Let the page change lanes and rules of that namespace.")
@click.option(
    "--door",
    default="",
    metavar="URL",
    help="Where requests that the page sends go, http://productpage:9080.",
)
@click.option(
    "--lane-key",
    default="env",
    envvar="LANE_KEY",
    show_default=True,
    show_envvar=True,
    metavar="KEY",
    help="The baggage member that names the lane.",
)
@click.option("--read-only", is_flag=True, help="Show, and change nothing.")
def main(**options: Any) -> None:
    """Serve the lane console on 127.0.0.1: what the mesh does, live, and why each request went where it went.

    It asks nobody who they are, so it listens on loopback only; in a Pod, use `kubectl port-forward`. Of a
    cluster it shows what its processes say; with --namespace it reads the objects as well, as the Pod it
    runs in or by a kubeconfig, and with --write it changes them.
    """
    try:
        asyncio.run(_serve(Settings.read(**options)))
    except (SettingError, MeshError, LaneError) as error:
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
