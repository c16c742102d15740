"""What the embedded control plane makes of a case, without a network."""

from __future__ import annotations

from envoy.config.core.v3.base_pb2 import Node
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct

from controlplane.loader import parse_texts
from controlplane.node import parse_node
from controlplane.registry import Registry
from controlplane.snapshot import Snapshot
from tests.istiod.cases import Case
from tests.istiod.questions import Identity
from tests.istiod.resources import TYPES, Resources, normal, references


def refused(documents: tuple[str, ...]) -> list[int]:
    """The places of the documents that are refused, each looked at alone."""
    return [index for index, text in enumerate(documents) if parse_texts({"one.yaml": text}).errors]


def reasons(text: str) -> list[str]:
    """Why a document is refused."""
    return [str(error) for error in parse_texts({"one.yaml": text}).errors]


def snapshot(documents: tuple[str, ...]) -> Snapshot:
    """What is served of the documents that are taken."""
    loaded = parse_texts({f"{index}.yaml": text for index, text in enumerate(documents)})
    return Snapshot(Registry(loaded.objects), 1)


def resources(served: Snapshot, case: Case, identity: Identity) -> Resources:
    """What a client of an identity is sent, in the form `resources.collect` gives."""
    bootstrap, targets = identity.bootstrap("127.0.0.1:1"), case.targets(identity)
    node = Node(id=bootstrap.node_id, metadata=ParseDict(dict(bootstrap.metadata), Struct()))
    view = served.view(parse_node(node))
    found: Resources = {}
    wanted = targets
    for short, message in TYPES.items():
        held = view.resources(short, wanted).by_name
        parsed = {name: message.FromString(each.value) for name, each in held.items()}
        found[short] = {name: normal(each) for name, each in parsed.items()}
        wanted = sorted({name for each in parsed.values() for name in references(each)})
    return found
