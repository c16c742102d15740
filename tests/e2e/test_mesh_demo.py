"""The walkthrough: all of it, one that fails, one that is interrupted."""

import io
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from mesh.errors import MeshError
from mesh.group import MARK
from mesh.walkthrough import run_demo
from mesh.walkthrough.demo import STEPS
from mesh.walkthrough.door import read_visit
from mesh.walkthrough.outcome import Notes, Outcome, Stage, Step


def members(state: Path) -> set[str]:
    mark = f"{MARK}={state}".encode()
    found = set()
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (directory / "environ").read_bytes().split(b"\0"):
                found.add(directory.name)
        except OSError:
            continue
    return found


def demo(state: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "mesh", "demo", "--state", str(state)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_every_step_is_as_it_should_be(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with demo(state) as process:
        assert process.stdout is not None
        text = process.stdout.read()
    assert process.returncode == 0, text
    assert all(step.title in text for step in STEPS)
    assert text.count("✓") == len(STEPS) + 2
    assert "✗" not in text
    assert "productpage v1 → reviews v2 → ratings v2" in text
    assert members(state) == set()


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with demo(state) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if STEPS[3].title in line:
                break
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert process.returncode == 130
    assert "Interrupted; everything is stopped." in rest
    assert "Traceback" not in rest
    assert members(state) == set()
    assert {path.name for path in state.iterdir()} == {"logs", ".proxyless-mesh"}


async def test_a_step_that_fails_is_named_and_the_others_are_played(tmp_path: Path) -> None:
    async def wrong(_: Stage) -> Outcome:
        notes = Notes()
        notes.see("something")
        notes.expect(False, "it was Tuesday")
        return notes.outcome()

    async def raising(_: Stage) -> Outcome:
        raise MeshError("The moon is not running.")

    async def right(stage: Stage) -> Outcome:
        visit = await stage.door.visit()
        return Outcome(visit.ok, visit.paths)

    console = Console(file=io.StringIO(), width=120)
    steps = (Step("First", wrong), Step("Second", raising), Step("Third", right))
    assert await run_demo(console, tmp_path / "state", steps) == 1
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "not as it should be: it was Tuesday" in text
    assert "not as it should be: The moon is not running." in text
    assert "productpage v1 → reviews v1" in text
    assert "Not as it should be: First; Second." in text
    assert f"{tmp_path}/state/logs" in text.replace("\n", "")


@pytest.mark.parametrize(
    ("status", "body", "errors"),
    [
        (500, {"error": {}}, ("HTTP 500: {'error': {}}",)),
        (200, None, ("HTTP 200: None",)),
        (
            503,
            {
                "details": {"error": {"code": "UNAVAILABLE", "reason": "gone"}},
                "reviews": {"reviews": [], "ratings_error": "none there"},
                "hops": {"service": "productpage", "version": "v1", "instance": "p-1", "calls": []},
            },
            ("HTTP 503", "details: UNAVAILABLE: gone", "ratings: none there"),
        ),
    ],
)
def test_a_visit_says_what_went_wrong(status: int, body: object, errors: tuple[str, ...]) -> None:
    visit = read_visit(status, body)
    assert visit.errors == errors
    assert not visit.ok
