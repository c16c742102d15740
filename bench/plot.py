"""The figures of a run as an SVG: a panel each, ours beside its peers, the reach as a line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.figures import ENVOY, GRPC, OURS, SECOND, Figure
from bench.table import what

COLOURS = {OURS: "#1b6ca8", SECOND: "#c4c4c4", GRPC: "#e08e2b", ENVOY: "#8a5fa8"}
_WIDE, _FAR = 2, 50
"""Panels side by side; by how many times the bars differ where the axis is logarithmic."""


def draw(figures: Sequence[Figure], path: Path) -> None:
    """Draw them. Raises ImportError where matplotlib is not installed."""
    import matplotlib as mpl  # noqa: PLC0415 - only where something is drawn: it is no part of the dev group
    from matplotlib.figure import Figure as Canvas  # noqa: PLC0415

    # The same bytes for the same figures, and text that stays text.
    mpl.rcParams.update({"svg.hashsalt": "bench", "svg.fonttype": "none", "font.size": 8})
    rows = -(-len(figures) // _WIDE)
    canvas = Canvas(figsize=(6.0 * _WIDE, 1.7 * rows), layout="constrained")
    for i, figure in enumerate(figures):
        _panel(canvas.add_subplot(rows, _WIDE, i + 1), figure)
    canvas.savefig(path, metadata={"Date": None, "Creator": None})


def _panel(axes: Any, figure: Figure) -> None:
    peers = [peer for peer in COLOURS if peer in figure.found]
    found = [figure.found[peer] for peer in peers]
    values = [each.value for each in found]
    errors = [[each.value - each.low for each in found], [each.high - each.value for each in found]]
    axes.barh(peers, values, color=[COLOURS[peer] for peer in peers], height=0.7)
    axes.errorbar(values, peers, xerr=errors, fmt="none", ecolor="black", elinewidth=0.8, capsize=2)
    if figure.reach is not None and figure.reach.sign != "works":
        axes.axvline(figure.reach.bound, color="#b00020", linestyle="--", linewidth=1)
    smallest = min((each.low for each in found), default=0)
    if smallest > 0 and max(values) / smallest > _FAR:
        axes.set_xscale("log")
    axes.invert_yaxis()
    axes.set_title(what(figure), loc="left", fontsize=8, wrap=True)
    axes.spines[["top", "right"]].set_visible(False)
