"""The rules of bookinfo in the chain's row, and the embedded control plane that serves them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.processes import Processes
from lanes.render import render
from lanes.spec import Lane, MeshSpec, Service
from mesh.addresses import Address
from mesh.inventory import BOOKINFO, Instance
from mesh.objects import dump_yaml, read_object
from mesh.workloads import service_entry, workload_entry

VERSIONS = {"details": "v1", "ratings": "v1", "reviews": "v2", "productpage": "v1"}
"""Reviews v1 never calls ratings, and the chain would end there."""
LANE = "lane-c"
_ADS = re.compile(r"ADS on (\S+),")


def rules(weight: int = 100) -> str:
    """Three lanes; base of reviews is divided by this weight, so that it can be changed."""
    base = {"v1": 100 - weight, "v2": weight} if weight < 100 else VERSIONS["reviews"]
    others = [Service(name, VERSIONS[name]) for name in ("details", "ratings")]
    found = tuple(
        Lane(name, {s: VERSIONS[s] for s in ("reviews", "details", "ratings")}) for name in _lanes()
    )
    spec = MeshSpec((Service("reviews", base), *others), found, namespace="default")
    return "---\n".join(dump_yaml(document) for document in render(spec))


def _lanes() -> tuple[str, ...]:
    return ("lane-a", "lane-b", LANE)


@dataclass(frozen=True)
class Plane:
    """The embedded control plane."""

    address: str
    folder: Path

    def workload(self, service: str, address: str) -> None:
        """Have it know an instance."""
        ip, _, port = address.rpartition(":")
        known = next(each for each in BOOKINFO if each.name == service)
        entry = workload_entry(Instance(service, VERSIONS[service]), known, Address(ip, int(port)))
        self.write(f"{service}.yaml", entry.to_yaml())

    def write(self, name: str, text: str) -> None:
        """Put a file in its directory, whole."""
        draft = self.folder / f".{name}"
        draft.write_text(text)
        draft.rename(self.folder / name)


@contextmanager
def control_plane(processes: Processes, folder: Path, extra: Mapping[str, str]) -> Iterator[Plane]:
    """The embedded control plane with the services, the rules, and further files."""
    folder.mkdir(parents=True)
    entries = [service_entry(service) for service in BOOKINFO if service.port_name == "grpc"]
    files = {
        "entries.yaml": "---\n".join(entry.to_yaml() for entry in entries),
        "rules.yaml": rules(),
        **extra,
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    ports = ("--port", "0", "--admin-port", "0")
    with processes.program(
        "controlplane", "--config", str(folder), *ports, "--log-level", "error"
    ) as process:
        said = process.line()
        found = _ADS.search(said)
        if found is None:
            raise process.failure(said)
        yield Plane(found[1], folder)


def many_workloads(count: int) -> str:
    """Instances of reviews that nobody calls."""
    known = next(each for each in BOOKINFO if each.name == "reviews")
    entries = []
    for i in range(count):
        entry = workload_entry(Instance("reviews", f"v{1 + i % 2}"), known, Address(f"127.3.0.{1 + i}", 9080))
        name = f"{entry.ref.name}-{i}"
        document = {**entry.document, "metadata": {**entry.document["metadata"], "name": name}}
        entries.append(read_object(document, name).to_yaml())
    return "---\n".join(entries)
