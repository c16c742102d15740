"""`python -m deploy.cluster`: the walkthrough on any cluster that bookinfo is in."""

from __future__ import annotations

import asyncio
import sys

import click
from rich.console import Console

from deploy.cluster.demo import run_cluster_demo
from deploy.cluster.mesh import Where


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--context", help="The kubeconfig's context; the current one if not given.")
@click.option("--namespace", help="Where bookinfo is; the context's namespace if not given.")
@click.option("--kubeconfig", help="The kubeconfig; KUBECONFIG or the one in the home if not given.")
@click.option("--door", default="", metavar="URL", help="The page; forwarded if not given.")
@click.option("--istiod", default="", metavar="URL", help="Istiod's monitoring port; forwarded if not given.")
@click.option(
    "--xds-address",
    default="",
    metavar="HOST:PORT",
    help="Istiod's plaintext port, to explain from here and not in a Pod.",
)
def demo(
    context: str | None,
    namespace: str | None,
    kubeconfig: str | None,
    door: str,
    istiod: str,
    xds_address: str,
) -> None:
    """Walk through all that lanes do, on bookinfo in a cluster; fails if a step was not as it should be.

    Rules are changed while it runs and put back at the end; an instance and Istiod are ended and come back.
    """
    where = Where(context, namespace, kubeconfig, door, istiod, xds_address)
    sys.exit(asyncio.run(run_cluster_demo(Console(highlight=False), where)))


if __name__ == "__main__":
    demo(prog_name="python -m deploy.cluster")
