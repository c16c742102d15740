"""What the two control planes are asked, and how an answer is brought into a comparable form."""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass, field
from typing import Any

from proxyless import Bootstrap, Client

METHOD = "/bookinfo.v1.Reviews/GetReviews"
HOST = "reviews.default.svc.cluster.local"
WAIT_SECONDS = 10.0


@dataclass(frozen=True)
class Identity:
    """Who asks. Clients of one identity share a stream."""

    namespace: str = "default"
    labels: tuple[tuple[str, str], ...] = (("app", "productpage"), ("version", "v1"))
    ip: str = "127.9.9.9"

    @property
    def name(self) -> str:
        """A word for it, unique within a case."""
        labels = ",".join(f"{key}={value}" for key, value in self.labels)
        return f"{self.namespace}/{self.ip}/{labels}"

    def bootstrap(self, address: str) -> Bootstrap:
        """The bootstrap a pod of this identity has."""
        return Bootstrap.from_env(
            {
                "XDS_ADDRESS": address,
                "POD_NAME": "asker",
                "POD_NAMESPACE": self.namespace,
                "INSTANCE_IP": self.ip,
                "POD_LABELS": ",".join(f"{key}={value}" for key, value in self.labels),
            }
        )


@dataclass(frozen=True)
class Question:
    """A call that is only asked about."""

    target: str = f"{HOST}:9080"
    method: str = METHOD
    metadata: tuple[tuple[str, str], ...] = ()
    identity: Identity = field(default=Identity())

    def __str__(self) -> str:
        metadata = " ".join(f"{key}={value}" for key, value in self.metadata)
        return f"{self.identity.name} calls {self.target}{self.method} {metadata}".rstrip()


class Low(random.Random):
    """Randomness that always draws lowest: every share above 0 hits, the first weight gets the call."""

    def random(self) -> float:
        return 0.0


async def ask(address: str, questions: tuple[Question, ...]) -> dict[str, dict[str, Any]]:
    """What a client of each question's identity would do, by question."""
    found: dict[str, dict[str, Any]] = {}
    for identity in dict.fromkeys(question.identity for question in questions):
        async with Client(identity.bootstrap(address), rng=Low()) as client:
            for question in questions:
                if question.identity == identity:
                    found[str(question)] = await _ask_one(client, question)
    return found


async def _ask_one(client: Client, question: Question) -> dict[str, Any]:
    decision = await client.explain(
        f"xds:///{question.target}",
        method=question.method,
        metadata=list(question.metadata),
        timeout=WAIT_SECONDS,
    )
    answer: dict[str, Any] = json.loads(decision.to_json())
    # The order in which a locality's addresses come says nothing, and nothing listens at any of them.
    answer["endpoints"] = sorted(answer["endpoints"])
    answer["error"] = re.sub(r"can be reached \(.*\)", "can be reached", answer["error"] or "")
    return answer
