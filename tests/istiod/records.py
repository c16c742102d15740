"""Istiod's answers on disk: a file for each case, one line for each resource, so that a diff can be read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.istiod.cases import Case
from tests.istiod.resources import Resources

FOLDER = Path(__file__).parents[1] / "data" / "istiod"
VERSION_FILE = FOLDER / "VERSION"
VERDICTS_FILE = FOLDER / "verdicts" / "verdicts.json"


@dataclass(frozen=True)
class Record:
    """What Istiod made of a case: the places of documents it refused, and what each identity was sent."""

    digest: str
    refused: list[int]
    clients: Mapping[str, Resources]

    def text(self) -> str:
        """The record as it is written."""
        lines = [f'"case":{json.dumps(self.digest)}', f'"refused":{json.dumps(self.refused)}']
        clients = [
            f"{json.dumps(identity)}:{{\n{_by_type(resources)}\n}}"
            for identity, resources in sorted(self.clients.items())
        ]
        return "{\n" + ",\n".join([*lines, '"clients":{\n' + ",\n".join(clients) + "\n}"]) + "\n}\n"


def _by_type(resources: Resources) -> str:
    parts = []
    for short, named in resources.items():
        each = [
            f"{json.dumps(name)}:{json.dumps(plain, sort_keys=True, separators=(',', ':'))}"
            for name, plain in sorted(named.items())
        ]
        parts.append(f'"{short}":{{' + ("\n" + ",\n".join(each) if each else "") + "}")
    return ",\n".join(parts)


def path_of(case: Case) -> Path:
    """Where a case's record is."""
    return FOLDER / f"{case.name}.json"


def read(case: Case) -> Record:
    """The record of a case."""
    found = json.loads(path_of(case).read_text(encoding="utf-8"))
    return Record(found["case"], found["refused"], found["clients"])


def version() -> str:
    """The version of Istio that was recorded."""
    return VERSION_FILE.read_text(encoding="utf-8").strip()


def read_verdicts() -> dict[str, bool]:
    """Whether each document was taken, by its text."""
    found: dict[str, bool] = json.loads(VERDICTS_FILE.read_text(encoding="utf-8"))
    return found


def write_verdicts(verdicts: Mapping[str, bool]) -> None:
    """Write what read_verdicts reads, a line each."""
    lines = [f"{json.dumps(text)}: {json.dumps(taken)}" for text, taken in sorted(verdicts.items())]
    VERDICTS_FILE.parent.mkdir(parents=True, exist_ok=True)
    VERDICTS_FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
