"""The command group, and how errors end: one sentence, 1 for what failed, 2 for what was asked wrongly.

2 is also for a cluster that cannot be asked: it is not there, or does not let us.
"""

from __future__ import annotations

import click

from lanes.cli.changes import add, create, delete, prune, remove
from lanes.cli.door import door
from lanes.cli.rendering import render
from lanes.cli.trying import explain, try_
from lanes.cli.undo import history, rollback
from lanes.cli.views import list_, status
from lanes.landscape import LaneError
from lanes.store import NoMesh
from mesh.commands import Commands, run
from mesh.errors import MeshError


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def lanes() -> None:
    """Traffic lanes of a running mesh: who is in them, where their requests go, and who is coloured.

    \b
    lanes create dev --service reviews=v2 --service ratings=v2
    lanes create mine --service reviews=./reviews     your own process, as the lane's version
    lanes try dev                                     one request of the lane, and the chain it took
    lanes explain dev                                 which rule decides at each service, and why
    lanes door add --user jason --lane dev            who signs in as jason is in the lane
    lanes delete dev

    A lane's routes go above those that are there, which stay as they are.

    Which mesh? --state (or MESH_STATE) means one on this machine. --context, --namespace and --kubeconfig (or
    LANES_CONTEXT, LANES_NAMESPACE) mean a cluster. To name both is an error. With neither it is the mesh on
    this machine, and in a pod the pod's own cluster and namespace. That there is a kubeconfig never leads
    into a cluster by itself, and whoever changes something in one is told which it is.

    \b
    lanes create dev -n bookinfo --service reviews=registry.example/reviews:dev --ttl 8h
    """


COMMANDS = (
    *(list_, create, add, remove, status, try_, explain),
    *(render, delete, prune, door, history, rollback),
)
for command in COMMANDS:
    lanes.add_command(command)


def main() -> None:
    """Run the command line."""
    run(lanes, "lanes", {NoMesh: 2, MeshError: 1, LaneError: 1})
