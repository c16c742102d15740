"""The leak check of all tests finds what is left behind."""

from __future__ import annotations

import asyncio
import subprocess
import sys

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
    before, tasks = leaks.Left.now(), asyncio.all_tasks()
    async with aio.insecure_channel("127.0.0.1:1") as channel:
        assert await before.after_all_of(tasks) == {channel}
    assert await before.after_all_of(tasks) == set()


async def test_a_task_is_found() -> None:
    before, tasks = leaks.Left.now(), asyncio.all_tasks()
    task = asyncio.create_task(asyncio.Event().wait())
    (found,) = await before.after_all_of(tasks)
    assert "Event.wait" in found
    task.cancel()
    assert await before.after_all_of(tasks) == set()
