"""`python -m deploy.kind`; the Makefile's targets kind-up, kind-demo, kind-test and kind-down."""

from __future__ import annotations

import asyncio
import os
import sys

import click

from deploy.kind.pins import CLUSTER, CONTEXT, LANE_TESTS, NAMESPACE, RELEASE
from deploy.kind.shell import Failed, Shell
from deploy.kind.tools import DOCKER, HELM, KIND, KUBECTL, Missing, require
from deploy.kind.up import up as bring_up
from mesh.commands import run

_BOTH = (DOCKER, KIND)
_ALL = (*_BOTH, HELM, KUBECTL)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def kind() -> None:
    """Bookinfo on a kind cluster: a stock Istiod, the image and the chart of this working tree.

    Each command looks for the tools it needs first, and ends with exit code 2 where one is missing.
    """


@kind.command()
def up() -> None:
    """Create the cluster, install Istiod, build and load the image, install the chart."""
    require("kind-up", *_ALL)
    bring_up(Shell(steps=4))


@kind.command()
def demo() -> None:
    """Play the walkthrough of `make demo` on the cluster."""
    require("kind-demo", *_ALL)
    _need_cluster("kind-demo")
    # What speaks to clusters takes a second to import, and the other commands do not need it.
    from rich.console import Console  # noqa: PLC0415

    from deploy.cluster.demo import run_cluster_demo  # noqa: PLC0415
    from deploy.cluster.mesh import Where  # noqa: PLC0415

    raise SystemExit(asyncio.run(run_cluster_demo(Console(highlight=False), Where(CONTEXT, NAMESPACE))))


@kind.command()
def test() -> None:
    """Run the chart's own test, and the lane tests of tests/cluster."""
    require("kind-test", *_ALL)
    _need_cluster("kind-test")
    shell = Shell(steps=2)
    shell.step("the chart's test: a request of every lane")
    shell.run("helm", "test", RELEASE, "--kube-context", CONTEXT, "--namespace", NAMESPACE, "--logs")
    shell.step("lanes in the cluster")
    there = {"CLUSTER_CONTEXT": CONTEXT, "CLUSTER_NAMESPACE": NAMESPACE}
    pytest = (sys.executable, "-m", "pytest", "--numprocesses=0", LANE_TESTS)
    shell.run(*pytest, environment={**os.environ, **there})


@kind.command()
def down() -> None:
    """Delete the cluster and all that is in it."""
    require("kind-down", *_BOTH)
    shell = Shell(steps=1)
    shell.step(f"cluster {CLUSTER}")
    shell.run("kind", "delete", "cluster", "--name", CLUSTER)


def _need_cluster(step: str) -> None:
    if CLUSTER not in Shell(steps=0).ask("kind", "get", "clusters").splitlines():
        raise Missing(f"{step} cannot begin: there is no kind cluster {CLUSTER}; `make kind-up` makes it.")


def main() -> None:
    """Run the command line: exit code 2 where something is missing, 1 where a command failed."""
    run(kind, "python -m deploy.kind", {Missing: 2, Failed: 1})


if __name__ == "__main__":
    main()
