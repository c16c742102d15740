"""The `lanes` command over a running mesh: every verb, as a platform team types it."""

import asyncio
import json
import os
import re
import shutil
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest
import pytest_asyncio
import yaml

from mesh import Mesh, MeshError
from mesh.errors import Changed
from mesh.objects import MeshObject, dump_yaml
from mesh.rulebook import Expected
from mesh.sources import CANARY_RULES
from mesh.walkthrough.door import Door

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.asyncio(loop_scope="session")


class Answer(NamedTuple):
    code: int
    out: str
    err: str


class Lanes:
    """The command against one mesh, in a folder."""

    def __init__(self, mesh: Mesh, folder: Path) -> None:
        self.mesh = mesh
        self.folder = folder

    async def spawn(self, *words: str, stdin: str | None = None) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "lanes", *words),
            cwd=self.folder,
            env={**os.environ, "MESH_STATE": str(self.mesh.state.path)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        process.stdin.write((stdin or "").encode())
        process.stdin.close()
        return process

    async def __call__(self, *words: str, stdin: str | None = None) -> Answer:
        process = await self.spawn(*words, stdin=stdin)
        out, err = await process.communicate()
        assert process.returncode is not None
        return Answer(process.returncode, out.decode(), err.decode())

    async def ok(self, *words: str, stdin: str | None = None) -> str:
        answer = await self(*words, stdin=stdin)
        assert answer.code == 0, answer
        return answer.out

    async def json(self, *words: str) -> Any:
        return json.loads(await self.ok(*words, "-o", "json"))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    state = tmp_path_factory.mktemp("lanes") / "state"
    async with Mesh(state=state, port=0, xds_port=0, admin_port=0) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def lanes(mesh: Mesh, tmp_path: Path) -> AsyncIterator[Lanes]:
    """The command on a mesh whose rules are the canary's, and must be again in the end."""
    await mesh.apply(CANARY_RULES)
    before = await rules(mesh)
    command = Lanes(mesh, tmp_path)
    yield command
    door = mesh.state.door_rules
    if await rules(mesh) != before or (door.exists() and door.read_text()):
        await command.ok("rollback", "0")
    assert await rules(mesh) == before


@pytest_asyncio.fixture(loop_scope="session")
async def door(mesh: Mesh) -> AsyncIterator[Door]:
    async with Door(mesh.url) as door:
        yield door


async def rules(mesh: Mesh) -> dict[str, str]:
    """Every rule in force, byte for byte."""
    return {str(item.ref): item.to_yaml() for item in await mesh.objects() if is_rule(item)}


def is_rule(item: MeshObject) -> bool:
    return item.ref.kind in ("VirtualService", "DestinationRule")


def no_traceback(answer: Answer) -> None:
    assert "Traceback" not in answer.err
    assert answer.err.strip()


async def test_a_lane_from_its_creation_to_its_end(lanes: Lanes, door: Door) -> None:
    assert (await lanes("list")).err == "There are no lanes.\n"
    out = await lanes.ok("create", "team", "--service", "reviews=v3", "-s", "ratings=v2")
    assert "virtualservice.networking.istio.io/reviews configured" in out
    assert re.search(r"acknowledged by \d clients? in \d+ ms: .*productpage-v1", out)
    assert await lanes.json("list") == [
        {
            "name": "team",
            "mode": "permissive",
            "services": {"ratings": "v2", "reviews": "v3"},
            "ready": "2/2",
        }
    ]
    assert "team  permissive  2/2    ratings=v2, reviews=v3" in await lanes.ok("list")

    visit = await door.visit("user=7,env=team;ttl=1")
    assert (visit.versions["reviews"], visit.versions["ratings"]) == ("v3", "v2")
    tried = await lanes.ok("try", "team")
    assert tried.splitlines()[1:] == [
        "productpage v1 (base)",
        "  → details v1 (base)",
        "  → reviews v3 (team)",
        "    → ratings v2 (team)",
    ]
    # the canary's own routes go on below: its exact `env=dev`, and the split of base
    assert (await door.visit("env=dev")).versions["reviews"] == "v2"
    assert {v.versions["reviews"] for v in await door.visits(40)} == {"v1", "v3"}

    assert "already" in (await lanes("create", "team", "-s", "reviews=v2")).err
    await lanes.ok("add", "team", "-s", "details=v2")
    await lanes.ok("remove", "team", "-s", "ratings")
    assert (await lanes.json("status", "team"))["services"] == {"details": "v2", "reviews": "v3"}
    visit = await door.visit("env=team")
    assert (visit.versions["details"], visit.versions["ratings"]) == ("v2", "v1")
    assert "configured" in await lanes.ok("delete", "team")
    answer = await lanes("delete", "team")
    assert (answer.code, answer.err) == (1, "There is no lane 'team'; there are none.\n")


async def test_status_tells_where_a_lane_falls_back_and_explain_why(lanes: Lanes, mesh: Mesh) -> None:
    await lanes.ok("create", "team", "-s", "reviews=v2")
    await mesh.kill("reviews/v2")
    standing = {each["service"]: each for each in (await lanes.json("status", "team"))["standing"]}
    assert standing["reviews"]["ready"] == 0
    assert standing["reviews"]["members"][0]["state"] == "killed (SIGKILL)"
    assert standing["reviews"]["servedBy"] == "base: reviews v1 80%, v3 20%, after 1 with a match"
    assert standing["ratings"]["servedBy"] == "base: ratings v1, after 1 with a match"
    out = await lanes.ok("explain", "team", "-s", "reviews")
    assert "lane-team" in out.splitlines()[1]
    assert "fallback passed over" in out
    await mesh.start("reviews/v2")
    out = await lanes.ok("explain", "team")
    assert "reviews: lane-team → outbound|9080|v2|reviews.default.svc.cluster.local at 127." in out
    assert "details: route 0 → outbound|9080|v1|details" in out
    (decision,) = await lanes.json("explain", "team", "-s", "reviews")
    assert decision["route"] == {"name": "lane-team", "index": 0}
    assert "reviews v2" in await lanes.ok("status", "team")


async def test_strict_fails_where_permissive_falls_back(lanes: Lanes, door: Door) -> None:
    answer = await lanes("create", "team", "-s", "reviews=v9", "--mode", "strict", "-o", "json")
    assert answer.code == 0
    assert json.loads(answer.out)["notes"] == [
        "note: no reviews v9 is ready, so in the lane team its calls fail until one is"
    ]
    visit = await door.visit("env=team")
    assert {error.partition(":")[0] for error in visit.errors} == {"HTTP 503", "reviews", "details"}
    tried = await lanes("try", "team")
    assert tried.code == 1
    assert "lane-team-strict" in tried.out
    assert "nobody: the lane is strict" in await lanes.ok("status", "team")
    assert (await door.visit()).ok
    await lanes.ok("add", "team", "--mode", "permissive", "-s", "reviews=v2")
    assert (await door.visit("env=team")).versions["reviews"] == "v2"


async def test_a_dry_run_shows_the_diff_and_changes_nothing(lanes: Lanes, mesh: Mesh) -> None:
    before = await rules(mesh)
    out = await lanes.ok("create", "team", "-s", "reviews=v9", "--dry-run")
    assert "--- a/virtualservice/reviews\n+++ b/virtualservice/reviews\n" in out
    assert "+  - name: lane-team\n" in out
    assert "+  - name: lane-v9\n" in out
    assert not [line for line in out.splitlines() if line.startswith("-") and not line.startswith("---")]
    (first, *_) = (await lanes.json("create", "team", "-s", "reviews=v9", "--dry-run"))["changes"]
    assert first["object"] == "destinationrule/reviews"
    assert await rules(mesh) == before
    assert await lanes.json("list") == []


async def test_what_is_rendered_is_what_create_puts_in_force(
    lanes: Lanes, mesh: Mesh, tmp_path: Path
) -> None:
    words = ("-s", "reviews=v9", "-s", "ratings=v2", "--mode", "strict")
    rendered = [*yaml.safe_load_all(await lanes.ok("render", "team", *words))]
    kept = [dump_yaml(i.document) for i in await mesh.objects() if i.ref.kind != "WorkloadEntry"]
    (tmp_path / "rules.yaml").write_text("---\n".join(kept))
    offline = await lanes.ok("render", "team", *words, "--config", "rules.yaml")
    assert [*yaml.safe_load_all(offline)] == rendered
    await lanes.ok("create", "team", *words)
    there = {(d["kind"], d["metadata"]["name"]): d for d in (i.document for i in await mesh.objects())}
    assert all(there[each["kind"], each["metadata"]["name"]] == each for each in rendered)
    whole = [*yaml.safe_load_all(await lanes.ok("render"))]
    assert all(each in whole for each in rendered)

    spec = "services: {reviews: {v1: 80, v3: 20}, ratings: v1}\nlanes: {dev: {services: {reviews: v2}}}\n"
    (tmp_path / "lanes.yaml").write_text(spec)
    assert (await lanes.ok("render", "-f", "lanes.yaml")).count("kind: VirtualService") == 2
    (tmp_path / "lanes.yaml").write_text("lanes: {dev: {service: {}}}")
    answer = await lanes("render", "-f", "lanes.yaml")
    assert (answer.code, answer.err) == (
        1,
        "lanes.yaml: lanes.dev: there is no field 'service'; there are mode, services.\n",
    )


async def test_history_and_rollback(lanes: Lanes, mesh: Mesh) -> None:
    start = len(await lanes.json("history"))
    await lanes.ok("create", "one", "-s", "reviews=v2")
    await lanes.ok("create", "two", "-s", "ratings=v2")
    await lanes.ok("door", "add", "--user", "jason", "--lane", "two")
    revisions = await lanes.json("history")
    at = {each["change"]: each["number"] for each in revisions[start:]}
    assert revisions[0]["change"] == "as it was found"
    two = at["create two -s ratings=v2"]
    with_both = await rules(mesh)
    await lanes.ok("delete", "one")
    await lanes.ok("add", "two", "-s", "details=v2")
    diff = await lanes.ok("rollback", str(two), "--dry-run")
    assert "+  - name: lane-one" in diff
    assert "-- user: jason" in diff
    await lanes.ok("rollback", str(two))
    assert await rules(mesh) == with_both
    assert (await lanes.json("door"))["rules"] == []
    assert "nothing to change" in await lanes.ok("rollback", str(two))
    answer = await lanes("rollback", "999")
    assert answer.code == 1
    assert "There is no revision 999; there are 0 to" in answer.err


async def test_creates_at_once_lose_nothing(lanes: Lanes, mesh: Mesh) -> None:
    names = [f"team-{number}" for number in range(5)]
    answers = await asyncio.gather(*(lanes("create", name, "-s", "reviews=v2") for name in names))
    assert [answer.code for answer in answers] == [0] * len(names), answers
    assert [lane["name"] for lane in await lanes.json("list")] == names
    numbers = [each["number"] for each in await lanes.json("history")]
    assert numbers == [*range(len(numbers))]


async def test_a_change_by_hand_in_between_is_not_overwritten(lanes: Lanes, mesh: Mesh) -> None:
    (item,) = [i for i in await mesh.objects() if (i.ref.kind, i.ref.name) == ("VirtualService", "reviews")]
    edited = {**item.document, "spec": {**item.document["spec"], "exportTo": ["."]}}
    for expected in (None, edited):
        with pytest.raises(Changed, match="virtualservice/reviews has been changed meanwhile"):
            await mesh.apply_files({"x": dump_yaml(edited)}, 10, [Expected(item.ref, expected)])
        assert (await rules(mesh))[str(item.ref)] == item.to_yaml()
    assert (await mesh.apply_files({"x": item.to_yaml()}, 10, [Expected(item.ref, item.document)])).ok


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
    number = (await lanes.json("history"))[-1]["number"]
    await lanes.ok("delete", "mine")
    with pytest.raises(KeyError):
        (await mesh.status()).process("reviews/mine")
    assert guest.pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(guest.pid, 0)
    # undo starts it again
    await lanes.ok("rollback", str(number))
    assert "reviews mine (mine)" in await lanes.ok("try", "mine")


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


async def lane_of(mesh: Mesh, session: aiohttp.ClientSession, **headers: str) -> str:
    async with session.get(f"{mesh.url}/api/v1/products/0", headers=headers) as response:
        return str((await response.json())["hops"]["lane"])


async def test_the_doors_rules_live(lanes: Lanes, mesh: Mesh) -> None:
    assert await lanes.ok("door") == "There are no rules.\n"
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        assert await lane_of(mesh, session, **{"x-lane": "dev"}) == "base"
        out = await lanes.ok("door", "add", "--header", "x-lane")
        assert out == "the door goes by these rules\n"
        assert await lane_of(mesh, session, **{"x-lane": "dev"}) == "dev"
        await lanes.ok("door", "add", "--cookie", "team=blue", "--lane", "blue")
        assert await lane_of(mesh, session, cookie="team=blue") == "blue"
        assert await lane_of(mesh, session, cookie="team=red") == "base"
        await lanes.ok("door", "add", "--user", "jason", "--lane", "jasons", "--at", "1")
        async with session.post(f"{mesh.url}/login", data={"username": "jason"}) as response:
            assert response.status == 200
        assert await lane_of(mesh, session) == "jasons"
        assert await lane_of(mesh, session, **{"x-lane": "dev"}) == "jasons"  # in order
    kinds = [next(iter(rule)) for rule in (await lanes.json("door"))["rules"]]
    assert kinds == ["user", "header", "cookie"]
    assert "2     header x-lane → the lane it names" in await lanes.ok("door")
    await lanes.ok("door", "remove", "1")
    assert "-- header: x-lane" in await lanes.ok("door", "clear", "--dry-run")
    await lanes.ok("door", "clear")
    async with aiohttp.ClientSession() as session:
        assert await lane_of(mesh, session, **{"x-lane": "dev"}) == "base"


async def test_a_share_of_the_visitors_and_each_keeps_their_side(lanes: Lanes, mesh: Mesh) -> None:
    await lanes.ok(
        "door", "set", "-f", "-", stdin="rules: [{percent: 40, lane: dev}, {percent: 40, lane: qa}]"
    )
    seen: Counter[str] = Counter()
    for _ in range(60):
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as visitor:
            lane = await lane_of(mesh, visitor)
            assert {await lane_of(mesh, visitor) for _ in range(3)} == {lane}
            seen[lane] += 1
    assert seen.keys() == {"dev", "qa", "base"}
    async with aiohttp.ClientSession() as session:
        asked = [await lane_of(mesh, session, baggage="env=mine") for _ in range(10)]
    assert set(asked) == {"mine"}
    await lanes.ok("door", "clear")


async def test_rules_of_the_door_that_cannot_be_used(lanes: Lanes, mesh: Mesh) -> None:
    await lanes.ok("door", "add", "--header", "x-lane")
    (lanes.folder / "door.yaml").write_text("rules:\n- header: x-lane\n- user: jason\n  lane: Dev\n")
    answer = await lanes("door", "set", "-f", "door.yaml")
    assert answer.code == 1
    assert answer.err.startswith("door.yaml:4: rules[1].lane: the lane name 'Dev' is not made of a-z")
    # somebody writes past the command: the door says so and keeps what it had
    log = mesh.log_of("productpage/v1")
    mesh.state.door_rules.write_text("rules: [{percent: 400, lane: dev}]")
    async with asyncio.timeout(20), aiohttp.ClientSession() as session:
        while "door_rules_refused" not in log.read_text():  # noqa: ASYNC110 - the log of another process
            await asyncio.sleep(0.05)
        assert await lane_of(mesh, session, **{"x-lane": "dev"}) == "dev"
    assert "400 is no number above 0 and up to 100" in log.read_text()
    assert "`lanes door clear` mends it" in (await lanes("door")).err
    await lanes.ok("door", "clear")
    async with aiohttp.ClientSession() as session:
        assert await lane_of(mesh, session, **{"x-lane": "dev"}) == "base"


async def test_what_fails_exits_with_1_and_one_sentence(lanes: Lanes, tmp_path: Path) -> None:
    for words, said in (
        (("create", "dev", "-s", "nope=v2"), "There is no service 'nope' in this mesh; there are details,"),
        (("status", "dev"), "There is no lane 'dev'; there are none."),
        (("try", "dev"), "There is no lane 'dev'"),
        (("remove", "dev", "-s", "reviews"), "There is no lane 'dev'"),
        (("door", "remove", "3"), "There is no rule 3; there are none."),
        (("list", "--state", str(tmp_path / "none")), "No mesh is running in"),
    ):
        answer = await lanes(*words)
        assert answer.code == 1, answer
        assert answer.err.startswith(said), answer
        no_traceback(answer)
