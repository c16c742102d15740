"""How far a Deployment has come, by itself and by its pods. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lanes.cluster.reading import is_leaving, is_ready, why_not_ready
from lanes.landscape import Document, maps


@dataclass(frozen=True, slots=True)
class Rollout:
    """`text` says it to a person; `failed` that it will not get there by itself."""

    done: bool
    text: str
    failed: bool = False


def rollout_of(deployment: Document, pods: Sequence[Document]) -> Rollout:
    """As `kubectl rollout status` has it, with the reason of what holds it up."""
    status = deployment.get("status") or {}
    name = deployment["metadata"]["name"]
    wanted = int(deployment["spec"].get("replicas", 1))
    available = int(status.get("availableReplicas") or 0)
    updated = int(status.get("updatedReplicas") or 0)
    current = int(status.get("observedGeneration") or 0) >= int(deployment["metadata"].get("generation") or 0)
    old = int(status.get("replicas") or 0) - updated
    if current and updated >= wanted and available >= wanted and old <= 0:
        return Rollout(True, f"{name}: {wanted} of {wanted} ready")
    text = f"{name}: {min(updated, available)} of {wanted} ready"
    conditions = {each.get("type"): each for each in maps(status.get("conditions"))}
    failure = conditions.get("ReplicaFailure", {})
    if failure.get("status") == "True":
        return Rollout(False, f"{text}; {failure.get('message')}")
    waiting = [why_not_ready(pod) for pod in pods if not is_ready(pod) and not is_leaving(pod)]
    if waiting:
        text += f"; {waiting[0]}"
    stuck = conditions.get("Progressing", {})
    failed = current and stuck.get("status") == "False" and stuck.get("reason") == "ProgressDeadlineExceeded"
    return Rollout(False, text, failed)
