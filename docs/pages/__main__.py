"""`python -m docs.pages` writes the generated pages; `--check` only says which are not current."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .matrix import make_matrix
from .matrix import render as render_matrix
from .reference import render as render_reference

DOCS = Path(__file__).parents[1]


def main() -> int:
    """Write the pages, or check them; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m docs.pages", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail where a page is not current"
    )
    check = parser.parse_args().check
    matrix = make_matrix()
    wrong = list(matrix.problems)
    for name, text in (("support-matrix.md", render_matrix(matrix)), ("reference.md", render_reference())):
        page = DOCS / name
        if check:
            if not page.exists() or page.read_text(encoding="utf-8") != text:
                wrong.append(f"docs/{name} is not current: make docs")
        else:
            page.write_text(text, encoding="utf-8")
    sys.stderr.writelines(f"{line}\n" for line in wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
