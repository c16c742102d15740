"""All rows, in the order of the table."""

from __future__ import annotations

from bench.rows import calls, chain, changes, cold, many_routes, memory, plane, size, stalls
from bench.rows.row import Row

GROUPS: dict[str, tuple[Row, ...]] = {
    "Calls": calls.ROWS,
    "Routes by the thousand": many_routes.ROWS,
    "Changes": changes.ROWS,
    "Stalls of the event loop": stalls.ROWS,
    "Size": size.ROWS,
    "Memory": memory.ROWS,
    "Start": cold.ROWS,
    "Mesh": (*plane.ROWS, *chain.ROWS),
}
"""By the headings of docs/performance.md."""
ROWS = tuple(row for rows in GROUPS.values() for row in rows)
