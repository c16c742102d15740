"""What a run found, as it is kept in a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.figures import Figure, Reach
from bench.statistics import Estimate

FILE = "bench.json"


@dataclass(frozen=True)
class Measured:
    """A row that was measured, or why it could not be."""

    row: str
    what: str
    seconds: float
    figures: Sequence[Figure] = ()
    error: str = ""


@dataclass(frozen=True)
class Outcome:
    """Everything of a run."""

    about: Mapping[str, Any]
    """Machine, versions, commit, seed, size, times."""
    rows: Sequence[Measured]

    @property
    def judged(self) -> bool:
        """Whether it was of the issue's size, so that its reach means something."""
        return not self.about["quick"]

    def write(self, path: Path) -> None:
        """As JSON, every round of it."""
        rows = [
            {
                "row": each.row,
                "what": each.what,
                "seconds": round(each.seconds, 1),
                "error": each.error,
                "figures": [figure.to_json(judged=self.judged) for figure in each.figures],
            }
            for each in self.rows
        ]
        path.write_text(json.dumps({**self.about, "rows": rows}, indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, path: Path) -> Outcome:
        """What `write` wrote."""
        document = json.loads(path.read_text(encoding="utf-8"))
        rows = [
            Measured(
                each["row"],
                each["what"],
                each["seconds"],
                tuple(_figure(figure) for figure in each["figures"]),
                each["error"],
            )
            for each in document.pop("rows")
        ]
        return cls(document, tuple(rows))


def _figure(found: Mapping[str, Any]) -> Figure:
    reach = Reach.parse(found["reach"])
    estimates = {peer: Estimate(**each) for peer, each in found["found"].items()}
    return Figure(found["what"], found["unit"], estimates, reach, found["rounds"], found["remark"])
