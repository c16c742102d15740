"""`make chaos`: the mesh under steady load while everything around it fails, and what came of it."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import shutil
import sys
import tempfile
from pathlib import Path
from random import SystemRandom

from .about import about
from .faults import FAULTS
from .run import FULL, run

ROOT = Path(__file__).parents[2]


def arguments() -> argparse.ArgumentParser:
    """Of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of an earlier run; 0 draws one")
    parser.add_argument("--seconds", type=float, default=FULL, help="for all faults together")
    parser.add_argument("--only", metavar="FAULT", action="append", choices=FAULTS, default=[])
    parser.add_argument("--json", type=Path, default=ROOT / ".chaos" / "report.json", help="where to report")
    parser.add_argument("--keep", action="store_true", help="keep the logs of all processes")
    return parser


def main() -> int:
    """Run it; 0 where nothing went wrong."""
    parser = arguments()
    given = parser.parse_args()
    seed = given.seed or SystemRandom().randrange(1, 2**31)
    print(f"seed {seed}", flush=True)
    told = about("chaos", seed, given, parser)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    logging.basicConfig(filename=folder / "driver.log")
    try:
        report = asyncio.run(
            run(folder, seed, given.seconds, given.only, lambda line: print(line, flush=True))
        )
    finally:
        if given.keep:
            print(f"logs: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(told | report.to_json(), indent=1) + "\n", encoding="utf-8")
    print("\n".join(report.lines()))
    print(f"report: {given.json}")
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
