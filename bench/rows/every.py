"""All rows, in the order of the table."""

from __future__ import annotations

from bench.rows import calls, chain, changes, cold, many_routes, memory, plane, size, stalls
from bench.rows.row import Row

ROWS: tuple[Row, ...] = (
    *calls.ROWS,
    *many_routes.ROWS,
    *changes.ROWS,
    *stalls.ROWS,
    *size.ROWS,
    *memory.ROWS,
    *cold.ROWS,
    *plane.ROWS,
    *chain.ROWS,
)
