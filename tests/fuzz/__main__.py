"""`make fuzz`: run the fuzzer over the parsers and what lies behind them, and keep what breaks a promise."""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path
from random import SystemRandom

from .seeds import inputs

CRASHES = Path(__file__).parent / "crashes"
CORPUS = Path(__file__).parents[2] / ".fuzz"
SECONDS, MEGABYTES, LONGEST = 10, 2048, 16384
"""What one input may take; more is a fault, too."""


def main() -> int:
    """Run the fuzzer; the status is that of libFuzzer, 0 where nothing was found."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000, help="how many inputs (default: a million)")
    parser.add_argument("--seed", type=int, default=0, help="of an earlier run; 0 draws one")
    given = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print(
            "make fuzz: atheris is not here; it has wheels for CPython 3.11 to 3.13 on Linux x86_64. "
            "The same property is tested without it by: pytest tests/fuzz",
            file=sys.stderr,
        )
        return 2
    CORPUS.mkdir(exist_ok=True)
    for each in inputs():
        (CORPUS / hashlib.sha1(each, usedforsecurity=False).hexdigest()).write_bytes(each)
    seed = given.seed or SystemRandom().randrange(1, 2**31)
    print(f"seed {seed}; what reaches new code is kept in {CORPUS}", flush=True)
    before = set(CRASHES.iterdir())
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "tests.fuzz.harness", str(CORPUS)),
            *(f"-runs={given.runs}", f"-seed={seed}", f"-artifact_prefix={CRASHES}/"),
            *(f"-timeout={SECONDS}", f"-rss_limit_mb={MEGABYTES}", f"-max_len={LONGEST}"),
            *("-print_final_stats=1", "-reload=0"),
        ],
        check=False,
    )
    for path in sorted(set(CRASHES.iterdir()) - before):
        print(f"kept {path}: pytest tests/fuzz now runs it; mend what it found and commit both")
    return ended.returncode


if __name__ == "__main__":
    sys.exit(main())
