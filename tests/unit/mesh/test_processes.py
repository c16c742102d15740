"""Child processes: ready lines, ends, and the group that ends with its supervisor."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from mesh.errors import MeshError
from mesh.group import MARK, ProcessGroup, end_leftovers, wait_group_gone
from mesh.process import Child, Lines, last_words
from mesh.status import ProcessStatus
from mesh.supervisor import says_serving
from mesh.unit import Unit, no_line

FOREVER = "import time; print('up', flush=True); time.sleep(600)"


@pytest.fixture
def group(tmp_path: Path) -> "ProcessGroup":
    return ProcessGroup(tmp_path)


_made: list[Unit] = []


@pytest_asyncio.fixture
async def seen(group: ProcessGroup) -> AsyncIterator[list[ProcessStatus]]:
    yield []
    group.close()
    while _made:  # its pipes close with the child, and must not outlive the loop
        await _made.pop().stop(grace=5)


def unit(
    code: str,
    group: ProcessGroup,
    tmp_path: Path,
    seen: list[ProcessStatus],
    calls: list[str],
    start_timeout: float = 60,
    is_sound: Callable[[], Awaitable[bool]] | None = None,
) -> Unit:
    async def up() -> None:
        calls.append("up")

    async def down() -> None:
        calls.append("down")

    made = Unit(
        "it",
        "127.0.0.1:1",
        argv=[sys.executable, "-c", code],
        env={**os.environ, MARK: str(tmp_path)},
        log=tmp_path / "it.log",
        group=group.id,
        is_ready=lambda line: line == "up",
        is_waiting=lambda line: line.startswith("waiting"),
        changed=seen.append,
        on_up=up,
        on_down=down,
        start_timeout=start_timeout,
        is_sound=is_sound,
    )
    _made.append(made)
    return made


def test_bytes_become_lines() -> None:
    lines = Lines()
    assert lines.feed(b"a\nb") == ["a"]
    assert lines.feed(b"c\r\n\xff\n") == ["bc", "\ufffd"]
    assert len(lines.feed(b"x" * (2 << 20))) == 1


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("one\ntwo", ["two"]),
        ("Traceback:\n  File x\nValueError: no\n\n", ["ValueError: no"]),
        ("before\nerror\t2 errors occurred:\n\t* port 0\n\t* no name\n\n\n", [
            "error\t2 errors occurred:", "* port 0", "* no name",
        ]),
        ("  only this\n", ["only this"]),
        ("", []),
    ],
)  # fmt: skip
def test_last_words_say_something(written: str, words: list[str]) -> None:
    assert last_words(written.split("\n")) == words


@pytest.mark.parametrize(
    ("line", "serving"),
    [
        ('{"event": "serving", "port": 1}', True),
        ('{"event": "stopping", "was": "serving"}', False),
        ('"serving"', False),
        ('not json "serving"', False),
        ("", False),
    ],
)
def test_the_line_that_says_serving(line: str, serving: bool) -> None:
    assert says_serving(line) is serving


async def test_a_life(group: ProcessGroup, tmp_path: Path, seen: list[ProcessStatus]) -> None:
    calls: list[str] = []
    it = unit(FOREVER, group, tmp_path, seen, calls)
    await it.start()
    assert it.status().pid is not None
    with pytest.raises(MeshError, match="running already"):
        await it.start()
    assert (await it.kill()).text == "killed (SIGKILL)"
    with pytest.raises(MeshError, match="not running"):
        await it.kill()
    await it.start()
    assert (await it.kill(signal.SIGTERM)).text == "stopped (SIGTERM)"
    assert [status.phase for status in seen] == [
        *("starting", "ready", "killed"),
        *("starting", "ready", "draining", "stopped"),
    ]
    assert calls == ["up", "down", "up", "down"]
    assert (tmp_path / "it.log").read_text() == "up\nup\n"


def answering(*answers: bool) -> Callable[[], Awaitable[bool]]:
    each: Iterator[bool] = iter(answers)

    async def answer() -> bool:
        return next(each)

    return answer


async def test_who_is_not_sound_is_started_anew_and_never_called_ready(
    group: ProcessGroup, tmp_path: Path, seen: list[ProcessStatus]
) -> None:
    calls: list[str] = []
    it = unit(FOREVER, group, tmp_path, seen, calls, is_sound=answering(False, False, True))
    await it.start()
    assert [status.phase for status in seen] == ["starting"] * 5 + ["ready"]
    assert calls == ["down", "down", "up"]
    assert (tmp_path / "it.log").read_text() == "up\n" * 3


async def test_who_is_never_sound_is_given_up(
    group: ProcessGroup, tmp_path: Path, seen: list[ProcessStatus]
) -> None:
    calls: list[str] = []
    it = unit(FOREVER, group, tmp_path, seen, calls, is_sound=answering(*[False] * 100))
    with pytest.raises(MeshError, match="it started 12 times and was never fit to serve"):
        await it.start()
    assert not it.alive
    assert "up" not in calls
    assert seen[-1].text == "killed (SIGKILL)"


async def test_who_ends_while_it_is_looked_at_is_not_started_anew(
    group: ProcessGroup, tmp_path: Path, seen: list[ProcessStatus]
) -> None:
    asked = asyncio.Event()

    async def never_answered() -> bool:
        asked.set()
        await it.until("stopped")
        raise MeshError("nobody is there to ask")

    it = unit(FOREVER, group, tmp_path, seen, [], is_sound=never_answered)
    start = asyncio.create_task(it.start())
    await asked.wait()
    await it.stop(5)
    with pytest.raises(MeshError, match=r"it ended \(SIGTERM\) instead of serving"):
        await start
    assert [status.phase for status in seen] == ["starting", "stopped"]


async def test_who_dies_unasked_is_out_at_once(
    group: ProcessGroup, tmp_path: Path, seen: list[ProcessStatus]
) -> None:
    down = asyncio.Event()
    it = unit(FOREVER, group, tmp_path, seen, [])

    async def note() -> None:
        down.set()

    it._on_down = note
    await it.start()
    pid = it.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGSEGV)
    await down.wait()
    assert it.status().text == "died (SIGSEGV)"


async def test_who_ends_before_serving_is_an_error_with_its_last_words(
    group: ProcessGroup, tmp_path: Path, seen: list[ProcessStatus]
) -> None:
    calls: list[str] = []
    it = unit("raise SystemExit('the port is taken')", group, tmp_path, seen, calls)
    with pytest.raises(MeshError, match=r"it ended \(exit 1\) instead of serving.*it\.log") as caught:
        await it.start()
    assert caught.value.details == ("the port is taken",)
    assert "up" not in calls


async def test_who_never_says_that_it_serves_is_given_up(
    group: ProcessGroup, tmp_path: Path, seen: list[ProcessStatus]
) -> None:
    it = unit(FOREVER.replace("'up'", "'almost'"), group, tmp_path, seen, [], start_timeout=0.2)
    with pytest.raises(MeshError, match=r"it did not say within 0\.2 s that it serves"):
        await it.start()
    assert not it.alive


async def test_who_waits_is_an_error_that_says_for_what_and_is_ready_later(
    group: ProcessGroup, tmp_path: Path, seen: list[ProcessStatus]
) -> None:
    calls: list[str] = []
    mended = tmp_path / "mended"
    waiting = (
        "import pathlib, time; print('waiting for a.yaml', flush=True)\n"
        f"while not pathlib.Path({str(mended)!r}).exists(): time.sleep(0.01)\n"
    )
    it = unit(waiting + FOREVER, group, tmp_path, seen, calls)
    with pytest.raises(MeshError, match="it runs, but does not serve yet") as caught:
        await it.start()
    assert caught.value.details == ("waiting for a.yaml",)
    assert it.status().phase == "starting"
    mended.touch()
    await it.until("ready")
    assert (await it.kill()).text == "killed (SIGKILL)"
    assert calls == ["up", "down"]


async def test_stop_kills_who_does_not_listen(
    group: ProcessGroup, tmp_path: Path, seen: list[ProcessStatus]
) -> None:
    it = unit(f"import signal; signal.signal(15, signal.SIG_IGN); {FOREVER}", group, tmp_path, seen, [])
    await it.start()
    await it.stop(grace=0.05)
    assert it.status().text == "stopped (SIGKILL)"


class _Ended(asyncio.subprocess.Process):
    """A process of whose end the loop knows already; its last lines are still to be read."""

    pid = 1

    def __init__(self) -> None:
        self.stdout = asyncio.StreamReader()

    def send_signal(self, number: int) -> None:
        raise ProcessLookupError

    async def wait(self) -> int:
        return 0


async def test_a_signal_to_who_has_just_ended_goes_nowhere(tmp_path: Path) -> None:
    process = _Ended()
    child = Child(process, no_line, no_line, tmp_path / "log")
    child.signal(signal.SIGTERM)
    assert child.alive
    assert process.stdout is not None
    process.stdout.feed_eof()
    assert await child.stop(grace=5) == 0


async def test_a_command_that_is_not_there(group: ProcessGroup, tmp_path: Path, seen: list[object]) -> None:
    with pytest.raises(MeshError, match="cannot be started"):
        await Child.spawn(
            ["/no/such"], env={}, group=group.id, log=tmp_path / "log", is_ready=no_line, is_waiting=no_line
        )


def test_the_group_ends_with_its_supervisor(tmp_path: Path) -> None:
    """A supervisor that is killed outright takes its children with it."""
    code = (
        "import subprocess, sys, time; from pathlib import Path; from mesh.group import ProcessGroup\n"
        f"group = ProcessGroup(Path({str(tmp_path)!r}))\n"
        "child = subprocess.Popen(['sleep', '600'], process_group=group.id)\n"
        "print(group.id, child.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        group, child = map(int, supervisor.stdout.readline().split())
        assert os.getpgid(child) == group
        supervisor.kill()
    asyncio.run(wait_group_gone(group))
    with pytest.raises(ProcessLookupError):
        os.killpg(group, 0)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks at /proc")
def test_leftovers_are_ended_and_strangers_are_not(tmp_path: Path) -> None:
    with (
        subprocess.Popen(["sleep", "600"], process_group=0, env={MARK: str(tmp_path), **os.environ}) as left,
        subprocess.Popen(["sleep", "600"], process_group=0) as stranger,
    ):
        assert end_leftovers(stranger.pid, tmp_path) == []
        assert end_leftovers(left.pid, tmp_path) == [left.pid]
        assert left.wait() == -signal.SIGKILL
        assert stranger.poll() is None
        stranger.kill()
