"""The fixture of the pytest plugin: suites of its users, each run by a pytest of its own."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

import pytest

from tests.cookbook.page import block, without

# Each test is a pytest that starts from nothing, some of them with workers.
pytestmark = pytest.mark.timeout(180)

TITLE = "Tests in a lane"
AUTO = ("-o", "asyncio_mode=auto")


async def run(suite: str, folder: Path, *arguments: str) -> tuple[int, str]:
    """The exit status and output of pytest on a suite that stands in a folder of its own."""
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n", encoding="utf-8")
    (folder / "test_reviews.py").write_text(suite, encoding="utf-8")
    scope = () if "no:asyncio" in arguments else ("-o", "asyncio_default_fixture_loop_scope=function")
    # What the pytest around this one has set is none of theirs.
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "GRPC_XDS"))}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *scope, *arguments,
        cwd=folder, env={**kept, "GRPC_VERBOSITY": "NONE"}, stdout=PIPE, stderr=STDOUT,
    )  # fmt: skip
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


def plain(suite: str) -> str:
    """The suite as a test that is no coroutine, for a pytest that has no plugin for those."""
    body = without(suite, "async def test_a_lane_passes_through_reviews(", "async def scenario(")
    return f"{body}\n\ndef test_plain(lane_mesh):\n    __import__('asyncio').run(scenario(lane_mesh))\n"


async def test_the_recipe(tmp_path: Path) -> None:
    status, said = await run(block(TITLE), tmp_path, *AUTO)
    assert status == 0 and "1 passed" in said, said


async def test_with_marks_in_strict_mode(tmp_path: Path) -> None:
    marked = f"import pytest\n\npytestmark = pytest.mark.asyncio\n{block(TITLE)}"
    status, said = await run(marked, tmp_path, "-o", "asyncio_mode=strict")
    assert status == 0 and "1 passed" in said, said


async def test_under_anyio(tmp_path: Path) -> None:
    marked = (
        "import pytest\n\npytestmark = pytest.mark.anyio\n\n\n"
        "@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
        f"{block(TITLE)}"
    )
    status, said = await run(marked, tmp_path, "-p", "no:asyncio")
    assert status == 0 and "1 passed" in said, said


async def test_in_a_plain_test(tmp_path: Path) -> None:
    status, said = await run(plain(block(TITLE)), tmp_path, "-p", "no:asyncio", "-p", "no:anyio")
    assert status == 0 and "1 passed" in said, said


IN_A_FIXTURE = """
@pytest.fixture
async def mesh(lane_mesh):
    async with lane_mesh:
        yield lane_mesh


@pytest.mark.parametrize("number", range(6))
async def test_many(mesh, number):
    if True:"""


async def test_in_a_fixture_and_many_at_once(tmp_path: Path) -> None:
    test = "async def test_a_lane_passes_through_reviews(lane_mesh):\n    async with lane_mesh as mesh:"
    suite = f"import pytest\n{without(block(TITLE), test, IN_A_FIXTURE)}"
    status, said = await run(suite, tmp_path, *AUTO, "-n", "2")
    assert status == 0 and "6 passed" in said, said


LINES = {
    "add_ReviewsServicer_to_server, tested)": "add_ReviewsServicer_to_server, tested, interceptors=[])",
    "with in_lane(lane):": "if True:",
    'Lane("dev", {"ratings": "v2"})': 'Lane("dev", {})',
    "await v2.stop()": "pass",
}


async def test_the_recipe_fails_without_its_lines(tmp_path: Path) -> None:
    for number, (old, new) in enumerate(LINES.items()):
        program = without(block(TITLE), old, new)
        (tmp_path / f"test_without_{number}.py").write_text(program, encoding="utf-8")
    status, said = await run(block(TITLE), tmp_path, *AUTO)
    assert status == 1 and f"{len(LINES)} failed, 1 passed" in said, said
    assert len(re.findall(r"^E +AssertionError", said, re.MULTILINE)) == len(LINES), said


async def test_the_plugin_costs_nothing_until_it_is_asked_for(tmp_path: Path) -> None:
    suite = (
        "import sys\n\n\ndef test_light():\n    assert 'mesh.pytest_plugin' in sys.modules\n"
        "    heavy = {'grpc', 'proxyless', 'controlplane', 'aiohttp', 'lanes', 'opentelemetry', 'yaml'}\n"
        "    assert not heavy & sys.modules.keys()\n"
    )
    status, said = await run(suite, tmp_path)
    assert status == 0 and "1 passed" in said, said


async def test_the_fixture_is_listed_with_what_it_does(tmp_path: Path) -> None:
    _, said = await run("", tmp_path, "--fixtures")
    assert "lane_mesh" in said and "A mesh of this test's own" in said
