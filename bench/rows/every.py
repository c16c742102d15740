"""All rows, in the order of the table."""

from __future__ import annotations

from bench.rows import calls, changes, many_routes
from bench.rows.row import Row

ROWS: tuple[Row, ...] = (*calls.ROWS, *many_routes.ROWS, *changes.ROWS)
