"""`python -m tests.chaos.page` writes docs/reliability.md from what `make chaos` and `make soak` reported.

The reports are kept beside it; where there are no new ones, it is written from these.
"""

from __future__ import annotations

import argparse
import inspect
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from .faults import FAULTS, Outcome
from .faults.instances import SILENCE
from .report import recovery

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
CHAOS, SOAK = (ROOT / "docs" / "reliability" / name for name in ("chaos.json", "soak.json"))
HEAD = Path(__file__).with_name("reliability.head.md")


def page(report: dict[str, Any], soak: dict[str, Any]) -> str:
    """The whole page."""
    command, made = f"`{report['command']}`", report["made"]
    lines = [
        f"## Chaos\n\n{command}: {report['calls']} calls in {report['seconds']:.0f} s.\n",
        *_where(report, CHAOS),
        "| what | figure | command |",
        "|---|---|---|",
        f"| calls in a wrong lane, at any attempt | {report['wrong'].get('wrong lane', 0)} | {command} |",
        f"| calls lost, torn, or never ended | {_others(report['wrong'])} | {command} |",
        f"| calls cut off by the loss of who had begun to answer | {report['excused']} | {command} |",
        f"| attempts that reached an instance | {report['attempts']} | {command} |",
        f"| of these without an answer | {report['fruitless']} | {command} |",
        f"| calls made at once, by a first attempt that counted | {made.get('at once', 0)} | {command} |",
        f"| calls made at once, and then anew | {made.get('made anew', 0)} | {command} |",
        f"| calls deferred to a task of their own | {made.get('deferred', 0)} | {command} |",
        "",
        "How long recovery takes is measured, never asserted. On a half-open way an attempt takes all the",
        "time it may, and a stream that was answered before goes on when the way does, after",
        f"{SILENCE:.0f} s at most: no keepalive ends it.",
        "",
        "| fault | times | recovery, median | worst | command |",
        "|---|---|---|---|---|",
    ]
    for each in report["outcomes"]:
        outcome = Outcome(**each)
        middle, worst = recovery(outcome)
        times = f"{outcome.done}" if outcome.done == outcome.wanted else f"{outcome.done} of {outcome.wanted}"
        lines.append(f"| {outcome.name} | {times} | {middle} | {worst} | {command} |")
    noted = {each["name"]: each["notes"] for each in report["outcomes"]}
    lines += [""]
    for name, plan in FAULTS.items():
        here = ", ".join(f"{what} {number}" for what, number in noted.get(name, {}).items())
        lines.append(f"- **{name}**: {_told(plan.fault)}" + (f" Here: {here}." if here else ""))
    if not report["ok"]:
        broken = report["broken"].splitlines()[-1:]
        lines += ["", "This run failed:", "", *(f"- {each}" for each in [*report["findings"], *broken])]
    return HEAD.read_text(encoding="utf-8") + "\n".join([*lines, "", *_soak(soak)])


def _where(report: dict[str, Any], kept: Path) -> list[str]:
    """Of what a run was, and where."""
    name, machine = kept.relative_to(PAGE.parent), report["machine"]
    size = f"{machine['cores']} cores, {machine['memory_gib']} GiB"
    packages = [
        f"{what} {number}" for what, number in report["versions"].items() if number != "not installed"
    ]
    return [
        f"- commit `{report['commit']}`, {report['started']}, seed {report['seed']}",
        f"- {machine['processor']}, {size}, {machine['system']}",
        f"- load average {report['load_before']} before",
        f"- {', '.join(packages)}",
        f"- all that was found: [{name}]({name})",
        "",
    ]


def _others(wrong: dict[str, int]) -> int:
    return sum(count for name, count in wrong.items() if name != "wrong lane")


def _told(fault: Any) -> str:
    return " ".join((inspect.getdoc(fault) or "").split())


def _soak(soak: dict[str, Any]) -> list[str]:
    lines = [
        f"## Soak\n\n`{soak['command']}`: {soak['seconds']:.0f} s, {soak['calls']} calls, "
        f"{soak['made'].get('deferred', 0)} of them deferred, and routes that change all the while. "
        "What is held once warm, after a fifth of the time, and at the end. Attempts are not noted here: "
        "what is noted grows as long as it lasts.\n",
        *_where(soak, SOAK),
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


def kept(path: Path) -> dict[str, Any]:
    """A report as it is kept beside the page."""
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


def main() -> int:
    """Keep the reports, where there are new ones, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.page", description=__doc__)
    parser.add_argument("--report", type=Path, default=ROOT / ".chaos" / "report.json")
    parser.add_argument("--soak", type=Path, default=ROOT / ".chaos" / "soak.json")
    given = parser.parse_args()
    CHAOS.parent.mkdir(exist_ok=True)
    for new, path in ((given.report, CHAOS), (given.soak, SOAK)):
        if new.exists():
            shutil.copyfile(new, path)
    PAGE.write_text(page(kept(CHAOS), kept(SOAK)), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
