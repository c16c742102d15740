"""Inside a process, over queues and in jobs: the lane goes along, and without its lines it does not."""

from __future__ import annotations

import sys
from asyncio import create_subprocess_exec, wait_for
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from lanes.context import carry, in_lane, outgoing
from tests.cookbook.hop import Asked, environment, printed, ratings
from tests.cookbook.page import block, section, without

pytestmark = pytest.mark.timeout(120)  # a worker of Celery takes its time to start

TASKS, QUEUE, CELERY = "Tasks, workers and threads", "Over a message queue", "Celery"
OTEL = "OpenTelemetry's baggage"


async def lines(program: str, folder: Path) -> list[str]:
    async with ratings() as (mesh, _):
        return sorted((await printed(program, mesh, folder)).splitlines())


async def test_tasks_workers_and_threads(tmp_path: Path) -> None:
    assert await lines(block(TASKS), tmp_path) == block(TASKS, "text").splitlines()


@pytest.mark.parametrize(
    ("old", "new", "lost"),
    [
        ("with use(carried):", "if True:", "worker"),
        ("copy_context().run, ", "", "thread"),
        ('create_task(ask("task"))', 'create_task(ask("task"), context=contextvars.Context())', "task"),
    ],
)
async def test_what_has_no_context_of_the_request_is_in_base(
    tmp_path: Path, old: str, new: str, lost: str
) -> None:
    expected = block(TASKS, "text").replace(f"{lost} v2", f"{lost} v1").splitlines()
    program = f"import contextvars\n{without(block(TASKS), old, new)}"
    assert await lines(program, tmp_path) == expected


async def test_to_thread_copies_the_context_itself(tmp_path: Path) -> None:
    submitted = 'loop.run_in_executor(pool, copy_context().run, blocking, "thread")'
    program = without(block(TASKS), submitted, 'asyncio.create_task(asyncio.to_thread(blocking, "thread"))')
    assert await lines(program, tmp_path) == block(TASKS, "text").splitlines()


async def through_the_queue(producer: str, consumer: str, folder: Path) -> list[str]:
    """What the consumer says of the messages of the producer, each a process of its own."""
    queue = folder / "queue"
    queue.mkdir()
    async with ratings() as (mesh, _):
        await printed(producer, mesh, folder, QUEUE_FOLDER=str(queue))
        return sorted((await printed(consumer, mesh, folder, QUEUE_FOLDER=str(queue))).splitlines())


async def test_over_a_message_queue(tmp_path: Path) -> None:
    found = await through_the_queue(block(QUEUE), block(QUEUE, number=1), tmp_path)
    assert found == block(QUEUE, "text").splitlines()


@pytest.mark.parametrize(
    ("number", "old", "new"),
    [
        (0, '{"product": 0}, headers=dict(outgoing())', '{"product": 0}'),
        (1, "with use(carry(message.headers.items())):", "if True:"),
    ],
)
async def test_over_a_message_queue_the_lane_is_lost_without_its_lines(
    tmp_path: Path, number: int, old: str, new: str
) -> None:
    programs = [block(QUEUE), block(QUEUE, number=1)]
    programs[number] = without(programs[number], old, new)
    assert await through_the_queue(*programs, tmp_path) == ["product 0 ratings v1", "product 1 ratings v1"]


def test_the_headers_of_kafka_go_there_and_back() -> None:
    there, back = "[(name, value.encode()) for name, value in outgoing()]", "carry((name, value.decode()) for"
    text = section(QUEUE)
    assert there in text and back in text
    with in_lane("dev"):
        headers = [(name, value.encode()) for name, value in outgoing()]
    assert carry((name, value.decode()) for name, value in headers).lane == "dev"


async def by_celery(program: str, folder: Path) -> Asked:
    """Whom a task asks that is sent in the lane `dev` and run by a worker process."""
    queue = folder / "queue"
    queue.mkdir()
    async with ratings() as (mesh, asked):
        more = {"QUEUE_FOLDER": str(queue), "PYTHONWARNINGS": "default"}
        (folder / "shop.py").write_text(program, encoding="utf-8")
        arguments = ("-A", "shop", "worker", "--pool=solo", "--without-gossip", "--without-mingle")
        worker = await create_subprocess_exec(
            sys.executable, "-m", "celery", *arguments,
            cwd=folder, env=environment(mesh, **more), stdout=PIPE, stderr=PIPE,
        )  # fmt: skip
        try:
            sender = await create_subprocess_exec(
                sys.executable, "shop.py", "dev", cwd=folder, env=environment(mesh, **more), stderr=PIPE
            )
            said = (await sender.communicate())[1]
            assert sender.returncode == 0, said.decode()
            return await wait_for(asked.get(), 30)
        finally:
            worker.terminate()
            await worker.communicate()


async def test_celery(tmp_path: Path) -> None:
    assert await by_celery(block(CELERY), tmp_path) == ("v2", "env=dev")


async def test_what_a_celery_task_sends_stays_in_its_lane(tmp_path: Path) -> None:
    chained = "    ask_on.delay()\n\n\n@app.task\ndef ask_on():\n    asyncio.run(ask())\n"
    program = without(block(CELERY), "    asyncio.run(ask())\n", chained)
    assert await by_celery(program, tmp_path) == ("v2", "env=dev")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (", task_cls=LaneTask", ""),
        ("headers.update(outgoing())", "pass"),
    ],
)
async def test_celery_loses_the_lane_without_its_lines(tmp_path: Path, old: str, new: str) -> None:
    assert await by_celery(without(block(CELERY), old, new), tmp_path) == ("v1", None)


async def test_opentelemetrys_baggage(tmp_path: Path) -> None:
    async with ratings() as (mesh, asked):
        said = await printed(block(OTEL), mesh, tmp_path)
        assert said == block(OTEL, "text")
        assert asked.get_nowait() == tuple(said.split())


@pytest.mark.parametrize(
    ("old", "new", "found", "said"),
    [
        ("propagator.install()", "pass", "env=dev;ttl=1,plan=gold", "v2 env=prod,plan=gold\n"),
        (
            'context.attach(baggage.set_baggage("plan", "gold"))',
            "pass",
            "env=dev;ttl=1",
            "v2 env=dev;ttl=1\n",
        ),
        (", interceptors=grpc_client.interceptors()", "", None, "v1 env=dev;ttl=1,plan=gold\n"),
    ],
)
async def test_opentelemetrys_baggage_without_its_lines(
    tmp_path: Path, old: str, new: str, found: str | None, said: str
) -> None:
    async with ratings() as (mesh, asked):
        assert await printed(without(block(OTEL), old, new), mesh, tmp_path) == said
        assert asked.get_nowait()[1] == found
