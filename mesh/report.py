"""What came of a change of the rules: what was written, who took it, who did not."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class ObjectOutcome:
    """What happened to one object: created, configured, unchanged or deleted."""

    title: str
    verdict: str


@dataclass(frozen=True)
class ClientOutcome:
    """What one connected client answered to the change."""

    id: str
    state: str
    message: str = ""
    resources: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The pod's name out of the client's node id `sidecar~IP~POD.NAMESPACE~DOMAIN`."""
        return pod_of(self.id)


@dataclass(frozen=True)
class Verdict:
    """What the control plane says to rules that are not in force; each line has file, document and field."""

    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it would take them."""
        return not self.errors


@dataclass(frozen=True)
class Report:
    """The outcome of one `apply` or `delete`."""

    objects: tuple[ObjectOutcome, ...]
    clients: tuple[ClientOutcome, ...] = ()
    milliseconds: float = 0.0
    """From the moment the rules were written to the last client's answer."""
    complete: bool = True
    timeout: float = 0.0
    """Seconds that were waited for, if not complete."""
    warnings: tuple[str, ...] = ()
    unobserved: str = ""
    """Why nobody could be asked, if so."""

    @property
    def ok(self) -> bool:
        """Whether every client that is affected has taken the change in time."""
        return self.complete and not any(client.state != "acknowledged" for client in self.clients)

    def in_state(self, state: str) -> list[ClientOutcome]:
        """The clients that answered so."""
        return [client for client in self.clients if client.state == state]

    def lines(self) -> list[str]:
        """What a person wants to read, object by object and then client by client."""
        return [f"{item.title} {item.verdict}" for item in self.objects] + self.outcome_lines()

    def outcome_lines(self) -> list[str]:
        """Who took it and who did not."""
        lines = [f"warning: {warning}" for warning in self.warnings]
        if self.unobserved:
            return [*lines, self.unobserved]
        if all(item.verdict == "unchanged" for item in self.objects) and not self.clients:
            return lines
        if not self.clients:
            return [*lines, "no connected client is affected"]
        taken = self.in_state("acknowledged")
        if taken:
            clients = "1 client" if len(taken) == 1 else f"{len(taken)} clients"
            names = ", ".join(sorted(client.name for client in taken))
            lines.append(f"acknowledged by {clients} in {self.milliseconds:.0f} ms: {names}")
        for client in self.in_state("refused"):
            which = f" ({', '.join(client.resources)})" if client.resources else ""
            lines.append(f"refused by {client.name}{which}: {client.message}")
        for client in self.in_state("pending"):
            waiting = f": {client.message}" if client.message else ""
            lines.append(f"no answer from {client.name} within {self.timeout:g} s{waiting}")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Report:
        """The reverse of `to_dict`."""
        return cls(
            **{
                **data,
                "objects": tuple(ObjectOutcome(**item) for item in data["objects"]),
                "clients": tuple(
                    ClientOutcome(**{**item, "resources": tuple(item["resources"])})
                    for item in data["clients"]
                ),
                "warnings": tuple(data["warnings"]),
            }
        )


def pod_of(node_id: str) -> str:
    """The pod's name in a node id; the id itself if it has another form."""
    parts = node_id.split("~")
    return parts[2].rpartition(".")[0] or parts[2] if len(parts) == 4 else node_id
