"""The rules in force: a directory with one file per object, as the control plane reads it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mesh.objects import MeshObject, Ref, in_order, parse_objects

Verdict = Literal["created", "configured", "unchanged"]


@dataclass(frozen=True)
class Change:
    """What applying one object does to the store."""

    object: MeshObject
    verdict: Verdict


class Store:
    """A directory of objects; each write replaces a whole file, so that no reader ever sees half of one."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def create(self) -> None:
        """Make the directory."""
        self.directory.mkdir(parents=True, exist_ok=True)

    def objects(self) -> list[MeshObject]:
        """Everything in force, by kind, namespace and name."""
        found = [
            item
            for path in sorted(self.directory.glob("*.yaml"))
            for item in parse_objects(path.read_text(encoding="utf-8"), path.name)
        ]
        return sorted(found, key=lambda item: item.ref)

    def get(self, ref: Ref) -> MeshObject | None:
        """The object of this identity, if there is one."""
        path = self.directory / ref.filename
        if not path.exists():
            return None
        return parse_objects(path.read_text(encoding="utf-8"), path.name)[0]

    def plan(self, objects: Iterable[MeshObject]) -> list[Change]:
        """What applying these objects in turn would do; nothing is written."""
        changes: list[Change] = []
        seen: dict[Ref, MeshObject] = {}
        for item in objects:
            before = seen.get(item.ref) or self.get(item.ref)
            if before is None:
                changes.append(Change(item, "created"))
            else:
                same = before.document == item.document
                changes.append(Change(item, "unchanged" if same else "configured"))
            seen[item.ref] = item
        return changes

    def write(self, objects: Iterable[MeshObject]) -> None:
        """Put these objects in force, those that others point at first."""
        for item in in_order(objects):
            self._replace(self.directory / item.ref.filename, item.to_yaml())

    def remove(self, refs: Iterable[Ref]) -> None:
        """Take these objects out of force; what is not there stays so."""
        for ref in refs:
            (self.directory / ref.filename).unlink(missing_ok=True)

    def _replace(self, path: Path, text: str) -> None:
        # The name must not end in .yaml: whoever watches the directory would read the half-written file.
        handle, temporary = tempfile.mkstemp(dir=self.directory, prefix=".", suffix=".tmp")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
