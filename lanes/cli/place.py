"""Which mesh a command means: the one on this machine, or one in a cluster. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

STATE = "state"
CLUSTER = ("context", "namespace", "kubeconfig")
VARIABLES = {STATE: "MESH_STATE", "context": "LANES_CONTEXT", "namespace": "LANES_NAMESPACE"}
"""The environment variables that stand in for options."""

DEFAULT_STATE = ".mesh"


@dataclass(frozen=True, slots=True)
class OnThisMachine:
    """The mesh of a state folder."""

    state: str = DEFAULT_STATE
    named: bool = False
    """Whether somebody said so, rather than nothing else."""


@dataclass(frozen=True, slots=True)
class InCluster:
    """A namespace of a cluster; None leaves it to the kubeconfig, or to the pod this runs in."""

    context: str | None = None
    namespace: str | None = None
    kubeconfig: str | None = None


Place = OnThisMachine | InCluster


class Unclear(ValueError):
    """Both could be meant; the message is a sentence that says what to do."""


def place_of(
    options: Mapping[str, str], variables: Mapping[str, str], *, in_pod: bool, mesh_here: bool
) -> Place:
    """The place that options name, else variables, else where this runs.

    Both mappings are by the names of the options. A pod of a cluster means that cluster, unless a mesh runs
    in the default state folder there, too: then it is Unclear, as it is where somebody names both.
    """
    for given, spelling in ((options, "--{0}"), (variables, "{1}")):
        cluster = [name for name in CLUSTER if name in given]
        if cluster and STATE in given:
            one, other = (spelling.format(name, VARIABLES.get(name, "")) for name in (STATE, cluster[0]))
            raise Unclear(
                f"{one} names a mesh on this machine and {other} one in a cluster; say which: --state or "
                f"--{cluster[0]}."
            )
        if cluster:
            named = {name: value for name, value in variables.items() if name in CLUSTER} | dict(options)
            return InCluster(**named)
        if STATE in given:
            return OnThisMachine(given[STATE], named=True)
    if in_pod and mesh_here:
        raise Unclear(
            f"This is a pod of a cluster, and a mesh runs in {DEFAULT_STATE}, too; say which is meant: "
            f"--namespace NAME or --state {DEFAULT_STATE}."
        )
    return InCluster() if in_pod else OnThisMachine()
