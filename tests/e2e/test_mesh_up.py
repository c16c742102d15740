"""`mesh up` as a user starts and ends it: in a terminal, in the background, by signal, by crash."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.group import MARK

ANY_PORTS = ("--port", "0", "--xds-port", "0", "--admin-port", "0")
READY = "mesh: ready\n"
DEADLINE = 45.0


def mesh(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mesh", *arguments, "--state", str(state)]
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)


def up(state: Path, **how: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "mesh", "up", *ANY_PORTS, "--state", str(state)]
    return subprocess.Popen(command, text=True, **how)  # type: ignore[call-overload, no-any-return]


def members(state: Path) -> set[int]:
    """Every process that carries the mark of this state folder."""
    mark = f"{MARK}={state}".encode()
    found = set()
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            environ = (directory / "environ").read_bytes()
        except OSError:
            continue
        if mark in environ.split(b"\0"):
            found.add(int(directory.name))
    return found


def wait_gone(state: Path) -> None:
    """Return when no process of the mesh is left; the test's own timeout ends the wait."""
    while members(state):
        time.sleep(0.02)


def left_in(state: Path) -> set[str]:
    return {path.name for path in state.iterdir()} - {"lock"}


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "state"
    yield folder
    mesh(folder, "down")


pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks at /proc")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_leaves_only_the_logs(state: Path, number: signal.Signals) -> None:
    with up(state, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        lines = list(iter(process.stdout.readline, READY))
        assert len(members(state)) == 11  # ten processes and the group's leader
        process.send_signal(number)
        rest = process.stdout.read()
        assert process.wait() == 0
    assert sum(" ready " in line for line in lines) == 10
    assert rest.endswith(f"The mesh is down; its logs are in {state}/logs.\n")
    assert members(state) == set()
    assert left_in(state) == {"logs", ".proxyless-mesh"}


def test_a_signal_while_it_starts_leaves_nothing_either(state: Path) -> None:
    with up(state, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("reviews/v2 starting"):
                break
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait() == 130
    assert rest.endswith("Interrupted while starting; everything is stopped.\n")
    assert "Traceback" not in rest
    assert members(state) == set()
    assert left_in(state) == {"logs", ".proxyless-mesh"}


def test_in_the_background_until_down(state: Path) -> None:
    started = mesh(state, "up", *ANY_PORTS, "--detach")
    assert started.returncode == 0, started.stdout + started.stderr
    status = json.loads(mesh(state, "status", "-o", "json").stdout)
    assert {process["state"] for process in status["processes"]} == {"ready"}
    assert status["phase"] == "ready"
    clients = {process["name"] for process in status["processes"] if process["xds"] == "acknowledged"}
    assert clients == {"productpage/v1", "reviews/v2", "reviews/v3"}
    # Each instance shows what it holds; where, it says in its log.
    told = (json.loads(line) for line in (state / "logs" / "productpage-v1.log").read_text().splitlines())
    admin = next(line["address"] for line in told if line.get("event") == "admin")
    command = [sys.executable, "-m", "proxyless", "status", "--admin", admin]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "xds:///reviews.default.svc.cluster.local:9080  ready" in shown.stdout
    # What happens after the shell that started it has gone is in a log.
    assert mesh(state, "kill", "details/v2").returncode == 0
    assert "details/v2 killed" in mesh(state, "logs", "mesh").stdout
    ended = mesh(state, "down")
    assert ended.returncode == 0
    assert ended.stdout == f"The mesh is down; its logs are in {state}/logs.\n"
    assert members(state) == set()
    assert left_in(state) == {"logs", ".proxyless-mesh"}
    assert mesh(state, "down").returncode == 1


def test_a_background_start_that_fails_says_why(state: Path, tmp_path: Path) -> None:
    broken = tmp_path / "rules.yaml"
    broken.write_text(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: x}\nspec: {a: b}"
    )
    started = mesh(state, "up", *ANY_PORTS, "--detach", "--config", str(broken))
    assert started.returncode == 1
    assert f"{broken}:4: spec.a" in started.stdout
    assert members(state) == set()


def test_a_supervisor_that_is_killed_takes_everything_with_it(state: Path) -> None:
    with up(state, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        list(iter(process.stdout.readline, READY))
        process.kill()
    wait_gone(state)
    status = mesh(state, "status")
    assert status.returncode == 1
    assert status.stderr.startswith("No mesh is running in ")
    again = mesh(state, "up", *ANY_PORTS, "--detach")
    assert again.returncode == 0, again.stdout + again.stderr
    os.kill(json.loads((state / "run.json").read_text())["supervisor"], signal.SIGKILL)
    wait_gone(state)
    cleaned = mesh(state, "down")
    assert cleaned.returncode == 0
    assert "had crashed; what it left is gone" in cleaned.stdout
    assert left_in(state) == {"logs", ".proxyless-mesh"}


def test_even_without_the_groups_leader_the_next_one_cleans_up(state: Path) -> None:
    assert mesh(state, "up", *ANY_PORTS, "--detach").returncode == 0
    run = json.loads((state / "run.json").read_text())
    os.kill(run["group"], signal.SIGKILL)
    os.kill(run["supervisor"], signal.SIGKILL)
    assert members(state)
    assert "had crashed" in mesh(state, "down").stdout
    wait_gone(state)


def test_in_a_terminal_a_table_stays_true_until_ctrl_c(state: Path) -> None:
    ours, theirs = pty.openpty()
    with up(
        state,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"},
    ) as process:
        os.close(theirs)
        seen = _read_until(ours, "mesh           ready")
        assert "acknowledged" in seen
        killed = mesh(state, "kill", "ratings/v2")
        assert killed.returncode == 0
        seen += _read_until(ours, "killed (SIGKILL)")
        os.killpg(process.pid, signal.SIGINT)
        seen += _read_until(ours, "The mesh is down")
        assert process.wait() == 0
    os.close(ours)
    last = seen[seen.rindex("INSTANCE") :]
    assert last.count("stopped (exit 0)") == 9, last
    assert "ready" not in last
    assert "Traceback" not in seen
    assert members(state) == set()


def _read_until(descriptor: int, text: str) -> str:
    seen = ""
    deadline = time.monotonic() + DEADLINE
    while text not in seen:
        readable, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        assert readable, f"{text!r} was not shown; this was:\n{seen}"
        try:
            seen += os.read(descriptor, 65536).decode("utf-8", "replace")
        except OSError:  # the other end has closed
            assert text in seen, f"{text!r} was not shown; this was:\n{seen}"
    return seen
