"""`python -m bench` runs for real, says what it found, and leaves nothing behind. No timing is asserted."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from bench.figures import GRPC, OURS

ROOT = Path(__file__).parents[2]


async def start(*args: str, **environ: str) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench", *args), cwd=ROOT, env=os.environ | environ, stdout=PIPE, stderr=PIPE
    )


async def test_help_names_every_row() -> None:
    out, _ = await (await start("--help")).communicate()
    for word in ("unary", "10k-lanes", "productpage", "--only", "--seed", "report"):
        assert word in out.decode()


@pytest.mark.timeout(180)
async def test_a_row_is_measured(tmp_path: Path) -> None:
    process = await start("--quick", "--only", "change-endpoint", "--seed", "7", "--out", str(tmp_path))
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert "change-endpoint" in out.decode()
    found = json.loads((tmp_path / "bench.json").read_text())
    assert (found["seed"], found["quick"]) == (7, True)
    assert found["commit"]
    assert {"python", "grpcio"} <= found["versions"].keys()
    [row] = found["rows"]
    assert (row["row"], row["error"]) == ("change-endpoint", "")
    against, times = row["figures"]
    assert (against["reach"], against["verdict"]) == ("≤ 1.5", "")
    for peer in (OURS, GRPC):
        assert times["found"][peer]["n"] == len(against["rounds"][peer])
        assert min(against["rounds"][peer]) > 0


@pytest.mark.timeout(180)
async def test_endpoints_of_a_called_cluster_come_and_go(tmp_path: Path) -> None:
    process = await start("--quick", "--only", "stall-called", "--out", str(tmp_path))
    _, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    [row] = json.loads((tmp_path / "bench.json").read_text())["rows"]
    coming, answered, going = row["figures"]
    for peer in (OURS, GRPC):
        rounds = {name: coming["rounds"][f"{peer} {name}"] for name in ("applied", "connected", "closed")}
        for first, all_ in zip(rounds["applied"], rounds["connected"], strict=True):
            assert 0 < first <= all_
        assert min(rounds["closed"]) > 0
        times = len(rounds["closed"])
        assert [each["found"][peer]["n"] for each in (coming, answered, going)] == [times] * 3


async def test_an_unknown_row_is_refused() -> None:
    process = await start("--only", "nothing")
    _, err = await process.communicate()
    assert process.returncode == 2
    assert "'nothing' is not one of" in err.decode()


async def test_a_page_is_not_made_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "bench.json").write_text(json.dumps({"quick": True, "rows": []}))
    process = await start("report", "--from", str(tmp_path / "bench.json"), "--docs", str(tmp_path))
    _, err = await process.communicate()
    assert (process.returncode, err.decode()) == (2, "A quick run is not for quoting.\n")


def started_by(folder: str) -> list[int]:
    """The processes whose run has its temporary files there."""
    mark = f"TMPDIR={folder}".encode()
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (directory / "environ").read_bytes().split(b"\0"):
                found.append(int(directory.name))
        except OSError:
            continue  # gone meanwhile, or not ours to look at
    return found


def until_started(folder: str, program: str) -> None:
    """Look until one of them is this program; the kernel tells nobody."""
    while not any(_is(pid, program) for pid in started_by(folder)):
        time.sleep(0.05)


def until_gone(pid: int) -> None:
    """Wait for the end of a process that is not a child."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        select.select([process], [], [], 20)
    finally:
        os.close(process)


def _is(pid: int, program: str) -> bool:
    try:
        return program.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
@pytest.mark.timeout(180)
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
async def test_no_process_outlives_it(tmp_path: Path, end: signal.Signals) -> None:
    process = await start("--only", "unary", "--out", str(tmp_path / "out"), TMPDIR=str(tmp_path))
    assert process.stderr is not None
    # Backends, control plane, the group's leader, and the client that measures.
    async for line in process.stderr:
        if b"unary" in line:
            break
    await asyncio.to_thread(until_started, str(tmp_path), "bench.clients.calls")
    assert len(started_by(str(tmp_path))) >= 4
    process.send_signal(end)
    await process.wait()
    for pid in started_by(str(tmp_path)):
        await asyncio.to_thread(until_gone, pid)
    assert started_by(str(tmp_path)) == []
