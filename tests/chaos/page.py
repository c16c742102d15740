"""`python -m tests.chaos.page` writes docs/reliability.md from what `make chaos` and `make soak` reported."""

from __future__ import annotations

import argparse
import inspect
import json
import os
import sys
from pathlib import Path
from typing import Any

from .faults import FAULTS, Outcome
from .load import DEADLINE
from .report import recovery

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
HEAD = Path(__file__).with_name("reliability.head.md")


def page(report: dict[str, Any], soak: dict[str, Any] | None) -> str:
    """The whole page."""
    lines = [
        f"## Chaos\n\n`make chaos SEED={report['seed']}`, on {os.cpu_count()} cores: "
        f"{report['calls']} calls in {report['seconds']:.0f} s.\n",
        "| what | figure | command |",
        "|---|---|---|",
        f"| calls in a wrong lane | {report['wrong'].get('wrong lane', 0)} | `make chaos` |",
        f"| calls lost, torn, or never ended | {_others(report['wrong'])} | `make chaos` |",
        f"| calls cut off by the loss of who had begun to answer | {report['excused']} | `make chaos` |",
        "",
        "How long recovery takes is measured, never asserted. On a half-open way an attempt takes all its",
        f"time, and a stream that was answered before waits for its own deadline, {DEADLINE:.0f} s here: no",
        "keepalive ends it.",
        "",
        "| fault | times | recovery, median | worst | command |",
        "|---|---|---|---|---|",
    ]
    for each in report["outcomes"]:
        outcome = Outcome(**each)
        middle, worst = recovery(outcome)
        times = f"{outcome.done}" if outcome.done == outcome.wanted else f"{outcome.done} of {outcome.wanted}"
        command = f"`python -m tests.chaos --only {outcome.name}`"
        lines.append(f"| {outcome.name} | {times} | {middle} | {worst} | {command} |")
    noted = {each["name"]: each["notes"] for each in report["outcomes"]}
    lines += [""]
    for name, plan in FAULTS.items():
        here = ", ".join(f"{what} {number}" for what, number in noted.get(name, {}).items())
        lines.append(f"- **{name}**: {_told(plan.fault)}" + (f" Here: {here}." if here else ""))
    lines += [""]
    if soak is not None:
        lines += _soak(soak)
    return HEAD.read_text(encoding="utf-8") + "\n".join(lines)


def _others(wrong: dict[str, int]) -> int:
    return sum(count for name, count in wrong.items() if name != "wrong lane")


def _told(fault: Any) -> str:
    return " ".join((inspect.getdoc(fault) or "").split())


def _soak(soak: dict[str, Any]) -> list[str]:
    lines = [
        f"## Soak\n\n`make soak SEED={soak['seed']}`: {soak['seconds']:.0f} s, {soak['calls']} calls, "
        "and routes that change all the while. What is held once warm, after a fifth of the time, and at "
        "the end.\n",
        "| process | memory, warm | end | change | descriptors | tasks |",
        "|---|---|---|---|---|---|",
    ]
    for name, was, now, change, descriptors, descriptors_now, tasks, tasks_now in soak["rows"]:
        asked = "" if tasks is None else f"{tasks} → {tasks_now}"
        lines.append(
            f"| {name} | {was / 2**20:.1f} MiB | {now / 2**20:.1f} MiB | {change:+.1%} "
            f"| {descriptors} → {descriptors_now} | {asked} |"
        )
    wrong = [f"- {each}" for each in soak["wrong"]]
    short = "Short of the reach (2 % of memory, no more of the others):"
    return [*lines, "", *([short, "", *wrong, ""] if wrong else [])]


def main() -> int:
    """Write the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.page", description=__doc__)
    parser.add_argument("--report", type=Path, default=ROOT / ".chaos" / "report.json")
    parser.add_argument("--soak", type=Path, default=ROOT / ".chaos" / "soak.json")
    given = parser.parse_args()
    report = json.loads(given.report.read_text(encoding="utf-8"))
    soak = json.loads(given.soak.read_text(encoding="utf-8")) if given.soak.exists() else None
    PAGE.write_text(page(report, soak), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
