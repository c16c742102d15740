"""The table of routes: what all three clients are asked."""

from tests.parity.cases import numbered
from tests.parity.rows import faults, headers, retries, routes

CASES = numbered((*headers.ROWS, *routes.ROWS, *faults.ROWS, *retries.ROWS), "case")
"""The rows, each with a listener name of its own."""
