"""The leak check of all tests finds what is left behind."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from grpc import aio

from tests import leaks


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "PATIENCE", 0.1)


def test_a_child_process_is_found() -> None:
    before = leaks.Left.now()
    assert before.after_all() == set()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert [str(each).split()[0] for each in before.after_all()] == [str(child.pid)]
        child.kill()
    assert before.after_all() == set()


async def test_a_channel_is_found() -> None:
    before = leaks.Left.now()
    async with aio.insecure_channel("127.0.0.1:1") as channel:
        assert await before.after_all_in_loop() == {channel}
    assert await before.after_all_in_loop() == set()


async def test_a_task_is_found() -> None:
    before = leaks.Left.now()
    task = asyncio.create_task(asyncio.Event().wait())
    (found,) = await before.after_all_in_loop()
    assert "Event.wait" in found
    task.cancel()
    await asyncio.wait([task])
    assert await before.after_all_in_loop() == set()


async def test_what_takes_the_place_of_another_is_not_left_behind() -> None:
    async def accept() -> None:
        await asyncio.Event().wait()

    first = asyncio.create_task(accept())
    await asyncio.sleep(0)
    before = leaks.Left.now()
    first.cancel()
    await asyncio.wait([first])
    second = asyncio.create_task(accept())
    assert await before.after_all_in_loop() == set()
    third = asyncio.create_task(accept())
    assert len(await before.after_all_in_loop()) == 1
    second.cancel()
    third.cancel()


CONFTEST = """
from tests import leaks
from tests.conftest import *

leaks.PATIENCE = 0.1
"""
LEAVING = """
import asyncio
import subprocess
import sys

import pytest
import pytest_asyncio

kept = []


async def leave():
    kept.append(asyncio.create_task(asyncio.Event().wait()))
"""
OF_ITS_OWN = "async def test(): await leave()"
PLAIN = """
def test():
    command = [sys.executable, "-c", "input('Event.wait')"]
    kept.append(subprocess.Popen(command, stdin=subprocess.PIPE))  # ends with whoever started it
"""
OF_A_MODULE = """
pytestmark = pytest.mark.asyncio(loop_scope="module")

async def test(): await leave()
"""
SHARED = """
@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared():
    return leave

@pytest.mark.asyncio(loop_scope="session")
async def test(shared): await shared()
"""


@pytest.mark.parametrize("suite", [OF_ITS_OWN, PLAIN, OF_A_MODULE, SHARED])
async def test_a_suite_fails_with_what_is_left_behind(suite: str, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (tmp_path / "test_leaving.py").write_text(LEAVING + suite, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto"),
        *("-o", "asyncio_default_fixture_loop_scope=function", str(tmp_path)),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    said = out.decode()
    assert re.search(r"AssertionError: left behind: .*Event.wait", said), said
    assert "1 passed, 1 error" in said, said
