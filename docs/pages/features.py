"""What there is beside single fields, held against the tests that prove it."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
NOT_HERE = "not here yet"


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature: what is said of ours, the tests that prove it, and the peers' cells in order."""

    id: str
    what: str
    partly: str
    no: str
    proof: tuple[str, ...]
    peers: tuple[str, ...]

    def ours(self, root: Path = ROOT) -> str:
        """The cell of this library: what is said counts only where its tests are there."""
        if self.no:
            return f"no: {self.no}"
        if any(not _is_there(root, test) for test in self.proof):
            return NOT_HERE
        return f"partly: {self.partly}" if self.partly else "yes"


def read_features(data: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, list[Feature]]:
    """Make the features of `features.yaml`, by their headings.

    Raises ValueError for one that names neither a proof nor a reason.
    """
    read: dict[str, list[Feature]] = {}
    for heading, entries in data.items():
        for said in entries:
            proof = tuple(said.get("proof", ()))
            if bool(proof) == bool(said.get("no")):
                raise ValueError(f"{said['what']}: name either its tests or the reason why it is not here")
            read.setdefault(heading, []).append(
                Feature(
                    said.get("id", ""),
                    said["what"],
                    said.get("partly", ""),
                    said.get("no", ""),
                    proof,
                    tuple(str(each) for each in said["peers"]),
                )
            )
    return read


def _is_there(root: Path, test: str) -> bool:
    """Whether a test, or a file with any, exists; a test is `path::name`."""
    path, _, name = test.partition("::")
    found = _tests_of(root / path)
    return name in found if name else bool(found)


@cache
def _tests_of(path: Path) -> frozenset[str]:
    if not path.is_file():
        return frozenset()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (each for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(each.name for each in functions if each.name.startswith("test_"))
