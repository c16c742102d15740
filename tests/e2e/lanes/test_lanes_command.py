"""The `lanes` command over a running mesh: every verb, as a platform team types it."""

import asyncio
import json
import re
from pathlib import Path

import pytest
import yaml

from mesh import Mesh
from mesh.errors import Changed
from mesh.objects import dump_yaml
from mesh.rulebook import Expected
from mesh.walkthrough.door import Door
from tests.fakes.lanes_command import Lanes, no_traceback, rules

pytestmark = pytest.mark.asyncio(loop_scope="session")


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
    assert standing["reviews"]["servedBy"] == (
        "base: reviews v1 80%, v3 20%, unless 1 route before it takes them"
    )
    assert standing["ratings"]["servedBy"] == "base: ratings v1, unless 1 route before it takes them"
    assert standing["productpage"]["servedBy"].startswith("all of its versions: it is called from outside")
    out = await lanes.ok("explain", "team", "-s", "reviews")
    assert "lane-team" in out.splitlines()[1]
    assert "fallback passed over" in out
    await mesh.start("reviews/v2")
    out = await lanes.ok("explain", "team")
    assert "reviews: lane-team → outbound|9080|v2|reviews.default.svc.cluster.local at 127." in out
    assert (
        "productpage is called from outside the mesh"
        in (await lanes("explain", "team", "-s", "productpage")).err
    )
    assert "details: route 0 → outbound|9080|v1|details" in out
    wanting = ("explain", "team", "-s", "reviews", "--want-route")
    out = await lanes.ok(*wanting, "#1")
    assert "taken before  route 'lane-team' comes first and takes it, unless none of its clusters" in out
    assert "would take it xds:///reviews.default.svc.cluster.local:9080 --method" in out
    err = (await lanes(*wanting, "lane-other")).err
    assert "has no route 'lane-other'; it has lane-team (#0), " in err
    assert "name that with --service" in (await lanes("explain", "team", "--want-route", "base")).err
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
    at = {each["change"]: each["revision"] for each in revisions[start:]}
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


async def test_no_request_fails_while_lanes_come_and_go(lanes: Lanes, door: Door) -> None:
    done = asyncio.Event()

    async def load(baggage: str | None) -> list[str]:
        errors: list[str] = []
        while not done.is_set():
            errors += (await door.visit(baggage)).errors
        return errors

    tasks = [asyncio.create_task(load(baggage)) for baggage in (None, "env=team", "env=dev")]
    await lanes.ok("create", "team", "-s", "reviews=v9", "-s", "details=v2")
    await lanes.ok("add", "team", "-s", "reviews=v3", "-s", "ratings=v2")
    await lanes.ok("delete", "team")
    done.set()
    assert await asyncio.gather(*tasks) == [[], [], []]


async def test_creates_at_once_lose_nothing(lanes: Lanes, mesh: Mesh) -> None:
    names = [f"team-{number}" for number in range(5)]
    answers = await asyncio.gather(*(lanes("create", name, "-s", "reviews=v2") for name in names))
    assert [answer.code for answer in answers] == [0] * len(names), answers
    assert [lane["name"] for lane in await lanes.json("list")] == names
    numbers = [each["revision"] for each in await lanes.json("history")]
    assert numbers == [*range(len(numbers))]


async def test_several_lanes_are_deleted_in_one_change_or_none_is(lanes: Lanes, mesh: Mesh) -> None:
    for name in ("one", "two", "three"):
        await lanes.ok("create", name, "-s", "reviews=v2")
    answer = await lanes("delete", "one", "four", "two")
    assert answer.code == 1 and "four" in answer.err
    assert len(await lanes.json("list")) == 3
    before = (await lanes.json("history"))[-1]["revision"]
    await lanes.ok("delete", "one", "two", "one")
    assert [lane["name"] for lane in await lanes.json("list")] == ["three"]
    await lanes.ok("rollback", str(before))
    assert len(await lanes.json("list")) == 3


async def test_the_doors_rules_are_listed_either_way(lanes: Lanes, mesh: Mesh) -> None:
    await lanes.ok("door", "add", "--user", "jason", "--lane", "dev")
    assert "jason" in await lanes.ok("door", "list")
    assert await lanes.ok("door", "list") == await lanes.ok("door")


async def test_a_change_by_hand_in_between_is_not_overwritten(lanes: Lanes, mesh: Mesh) -> None:
    (item,) = [i for i in await mesh.objects() if (i.ref.kind, i.ref.name) == ("VirtualService", "reviews")]
    edited = {**item.document, "spec": {**item.document["spec"], "exportTo": ["."]}}
    for expected in (None, edited):
        with pytest.raises(Changed, match="virtualservice/reviews has been changed meanwhile"):
            await mesh.apply_files({"x": dump_yaml(edited)}, 10, [Expected(item.ref, expected)])
        assert (await rules(mesh))[str(item.ref)] == item.to_yaml()
    assert (await mesh.apply_files({"x": item.to_yaml()}, 10, [Expected(item.ref, item.document)])).ok


async def test_what_fails_exits_with_1_and_one_sentence(lanes: Lanes, tmp_path: Path) -> None:
    for words, said in (
        (
            ("create", "dev", "-s", "nope=v2"),
            "There is no service 'nope' in this mesh; there are details, productpage,",
        ),
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
