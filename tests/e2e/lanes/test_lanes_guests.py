"""A process of one's own as a lane's version: how it joins, how it ends, what cannot be run."""

import asyncio
import os
import re
import shutil
import signal
from pathlib import Path

import aiohttp
import pytest

from mesh import Mesh, MeshError
from mesh.sources import CANARY_RULES
from mesh.walkthrough.door import Door
from tests.fakes.lanes_command import Lanes, no_traceback

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_lane_that_somebody_has_overwritten_is_missed(
    lanes: Lanes, mesh: Mesh, tmp_path: Path
) -> None:
    await edited_reviews(tmp_path, "Edited.")
    await lanes.ok("create", "mine", "-s", "reviews=./reviews")
    await mesh.apply(CANARY_RULES)
    answer = await lanes("list")
    put_back = re.search(r"hold no lane mine any more; `lanes rollback (\d+)` puts it back", answer.err)
    assert put_back is not None
    await lanes.ok("rollback", put_back[1])
    assert "reviews mine (mine)" in await lanes.ok("try", "mine")
    await mesh.apply(CANARY_RULES)
    await lanes.ok("delete", "mine")
    assert "reviews/mine" not in {p.name for p in (await mesh.status()).processes}
    assert (await lanes("list")).err == "There are no lanes.\n"


async def edited_reviews(folder: Path, text: str) -> None:
    """A developer's copy of reviews with a change of their own."""
    shutil.copytree(ROOT / "reviews", folder / "reviews", ignore=shutil.ignore_patterns("__pycache__"))
    logic = folder / "reviews" / "logic.py"
    before = logic.read_text()
    after = before.replace("An extremely entertaining play by Shakespeare.", text)
    assert after != before
    logic.write_text(after)


async def test_a_developers_edited_service_joins_and_leaves(lanes: Lanes, mesh: Mesh, tmp_path: Path) -> None:
    await edited_reviews(tmp_path, "Edited on my machine.")
    await lanes.ok("create", "mine", "--service", "reviews=./reviews")
    status = await mesh.status()
    guest = status.process("reviews/mine")
    assert (guest.phase, guest.command) == ("ready", "./reviews")
    assert "reviews-mine" in {i.ref.name for i in await mesh.objects() if i.ref.kind == "WorkloadEntry"}
    assert "reviews mine (mine)" in await lanes.ok("try", "mine")
    async with aiohttp.ClientSession() as session:
        url = f"{mesh.url}/api/v1/products/0/reviews"
        async with session.get(url, headers={"baggage": "env=mine"}) as response:
            assert "Edited on my machine." in await response.text()
        async with session.get(url) as response:
            assert "Edited on my machine." not in await response.text()
    # it dies and is started again as any instance
    await mesh.kill("reviews/mine")
    assert "base: reviews v1 80%" in await lanes.ok("status", "mine")
    await mesh.start("reviews/mine")
    assert "reviews mine (mine)" in await lanes.ok("try", "mine")
    number = (await lanes.json("history"))[-1]["revision"]
    await lanes.ok("delete", "mine")
    with pytest.raises(KeyError):
        (await mesh.status()).process("reviews/mine")
    assert guest.pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(guest.pid, 0)
    # undo starts it again
    await lanes.ok("rollback", str(number))
    assert "reviews mine (mine)" in await lanes.ok("try", "mine")


async def test_a_lanes_own_version_gets_no_call_of_base(lanes: Lanes, mesh: Mesh, door: Door) -> None:
    """Without a VirtualService of details any version of it serves."""
    (item,) = [i for i in await mesh.objects() if (i.ref.kind, i.ref.name) == ("VirtualService", "details")]
    await mesh.delete_refs([item.ref], 10)
    shutil.copytree(ROOT / "details", lanes.folder / "details")
    await lanes.ok("create", "mine", "-s", "details=./details")
    assert (await door.visit("env=mine")).versions["details"] == "mine"
    assert {visit.versions["details"] for visit in await door.visits(40)} == {"v1", "v2"}
    (standing,) = [s for s in (await lanes.json("status", "mine"))["standing"] if s["service"] == "details"]
    assert standing["base"] == "details v1 50%, v2 50%"
    assert standing["base"] in await lanes.ok("status", "mine")
    await lanes.ok("delete", "mine")
    assert item.ref not in {each.ref for each in await mesh.objects()}
    await mesh.apply_files({"x": item.to_yaml()}, 10)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("./none", "There is no file or command './none' to run as reviews."),
        ("./empty", "The folder ./empty holds no package 'reviews' with a __main__.py to run."),
        ("./plain.txt", "./plain.txt cannot be run: it is not executable."),
        ("python3 -c 'exit(3)'", "reviews/mine ended (exit 3) instead of serving"),
        ("'", "cannot be read as a command"),
    ],
)
async def test_what_cannot_be_run_leaves_nothing(lanes: Lanes, mesh: Mesh, given: str, said: str) -> None:
    (lanes.folder / "empty").mkdir()
    (lanes.folder / "plain.txt").touch()
    before = [item.document for item in await mesh.objects()]
    answer = await lanes("create", "mine", "-s", f"reviews={given if given != chr(39) else '/ ' + given}")
    assert answer.code == 1
    assert said in answer.err
    no_traceback(answer)
    assert [item.document for item in await mesh.objects()] == before
    assert "reviews/mine" not in {p.name for p in (await mesh.status()).processes}


async def test_a_version_that_does_not_start_in_time_leaves_nothing(lanes: Lanes, mesh: Mesh) -> None:
    async with asyncio.timeout(40):
        answer = await lanes("create", "mine", "-s", "reviews=sleep 600", "--timeout", "2s")
    assert answer.code == 1
    assert "reviews/mine did not say within 2 s that it serves" in answer.err
    assert "reviews/mine" not in {p.name for p in (await mesh.status()).processes}


async def test_ctrl_c_while_a_version_starts_leaves_nothing(lanes: Lanes, mesh: Mesh) -> None:
    before = [item.document for item in await mesh.objects()]
    process = await lanes.spawn("create", "mine", "-s", "reviews=sleep 600")
    while "reviews/mine" not in {p.name for p in (await mesh.status()).processes}:
        assert process.returncode is None
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert process.returncode == 130
    assert err.decode().splitlines()[-1] == "Interrupted."
    assert "reviews/mine" not in {p.name for p in (await mesh.status()).processes}
    assert [item.document for item in await mesh.objects()] == before


async def test_a_guest_cannot_take_the_place_of_the_meshs_own(lanes: Lanes, mesh: Mesh) -> None:
    answer = await lanes("create", "v2", "-s", "reviews=sleep 600")
    assert (answer.code, answer.err) == (
        1,
        "There is a reviews of the version v2 already (reviews/v2).\n",
    )
    body = {
        "service": "reviews",
        "version": "v2",
        "argv": ["x"],
        "directory": "/",
        "environment": {},
        "command": "x",
    }
    with pytest.raises(MeshError, match="instance of the mesh's own"):
        await mesh.admit(body)
