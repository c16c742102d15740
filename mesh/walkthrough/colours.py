"""Steps about colour: who is served by which version, and by which when the lane has none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from lanes.spec import Mode
from mesh.report import Report
from mesh.sources import CANARY_RULES
from mesh.walkthrough.door import Visit
from mesh.walkthrough.outcome import Notes, Outcome, Stage
from mesh.walkthrough.rules import DEV, QA, as_yaml, lanes

_UNCOLOURED = 200
# 20 % of 200 is 40 with a standard deviation of 5.7; beyond four of them chance is one in ten thousand.
_V3_AT_LEAST, _V3_AT_MOST = 17, 63
_COLOURED = 20
_UNTIL_V3 = 60
_OTHER_MEMBERS = (
    "user=7,env=dev;ttl=1,x=y",
    "env=dev,user=7",
    "a=b , env = dev",
)
_NOT_DEV = ("env=dev2", "someenv=dev", "user=env=dev2", "env=de")


async def canary(stage: Stage) -> Outcome:
    """Apply the canary rules of the Go bookinfo demo and hear who has taken them."""
    notes = Notes()
    _applied(notes, await stage.mesh.apply(CANARY_RULES))
    return notes.outcome()


async def split(stage: Stage) -> Outcome:
    """Requests without a colour are split 80 to 20 and never see what is being developed."""
    notes = Notes()
    visits = await stage.door.visits(_UNCOLOURED)
    _all_served(notes, visits)
    for path, count in _ways(visits, "reviews"):
        notes.see(f"{count:4d}  {path}")
    by_version = Counter(visit.versions.get("reviews") for visit in visits)
    v3 = by_version["v3"]
    notes.see(f"{_UNCOLOURED} requests: reviews v1 {by_version['v1']}, v3 {v3} ({v3 / _UNCOLOURED:.0%})")
    notes.expect(by_version["v2"] == 0, "an uncoloured request saw reviews v2")
    notes.expect(
        _V3_AT_LEAST <= v3 <= _V3_AT_MOST,
        f"reviews v3 got {v3} of {_UNCOLOURED} requests instead of about 40",
    )
    return notes.outcome()


async def coloured(stage: Stage) -> Outcome:
    """Requests of the dev lane take the dev versions all the way; ratings v2 gives 5 where base gives 1."""
    notes = Notes()
    visits = await stage.door.visits(_COLOURED, DEV)
    _all_served(notes, visits)
    _see_ways(notes, f"baggage: {DEV}", visits)
    wanted = "productpage v1 → reviews v2 → ratings v2"
    ways = {visit.path_through("reviews") for visit in visits}
    notes.expect(ways == {wanted}, f"dev requests took {_listed(ways)}")
    stars = frozenset[int]().union(*(visit.stars for visit in visits))
    base = await _base_stars(stage)
    notes.see(f"stars in dev: {_listed(stars)}; in base: {_listed(base)}")
    notes.expect(stars == {5} and base == {1}, "dev should give 5 stars and base 1")
    return notes.outcome()


async def members(stage: Stage) -> Outcome:
    """A second lane, and rules that find the lane among other members of the baggage, and only there."""
    notes = Notes()
    _applied(notes, await stage.mesh.apply(as_yaml(lanes())))
    for baggage in _OTHER_MEMBERS:
        visits = await stage.door.visits(_COLOURED, baggage)
        _all_served(notes, visits)
        _see_ways(notes, f"baggage: {baggage}", visits)
        versions = {(visit.versions.get("reviews"), visit.versions.get("ratings")) for visit in visits}
        notes.expect(versions == {("v2", "v2")}, f"{baggage!r} is the dev lane, but did not stay in it")
    for baggage in _NOT_DEV:
        visits = await stage.door.visits(_COLOURED, baggage)
        _all_served(notes, visits)
        in_dev = sum(visit.versions.get("reviews") == "v2" for visit in visits)
        notes.see(f"baggage: {baggage}: {in_dev} of {len(visits)} in dev")
        notes.expect(not in_dev, f"{baggage!r} is not the dev lane, but got into it")
    return notes.outcome()


async def permissive(stage: Stage) -> Outcome:
    """A lane without reviews of its own is served by base there and returns to the lane behind it."""
    notes = Notes()
    visits = await stage.door.visits(_UNTIL_V3, QA)
    _all_served(notes, visits)
    _see_ways(notes, f"baggage: {QA}", visits)
    for path, count in _ways(visits, "details"):
        notes.see(f"{count:4d}  {path}")
    notes.expect(
        {visit.versions.get("reviews") for visit in visits} <= {"v1", "v3"}, "qa left base at reviews"
    )
    notes.expect({visit.versions.get("details") for visit in visits} == {"v2"}, "qa missed its details v2")
    returned = {visit.versions["ratings"] for visit in visits if "ratings" in visit.versions}
    notes.expect(returned == {"v2"}, f"behind reviews, qa was served by ratings {_listed(returned)}")
    return notes.outcome()


async def strict(stage: Stage) -> Outcome:
    """The same lane, strict: what it does not have is refused, and the answer says so."""
    notes = Notes()
    _applied(notes, await stage.mesh.apply(as_yaml(lanes(qa=Mode.STRICT))))
    visits = await stage.door.visits(_COLOURED, QA)
    refusals = Counter(error for visit in visits for error in visit.errors)
    for error, count in refusals.most_common(3):
        notes.see(f"{count:4d}  {error}")
    refused = sum(any(error.startswith("reviews: UNAVAILABLE") for error in v.errors) for v in visits)
    notes.expect(refused == len(visits), f"only {refused} of {len(visits)} were refused at reviews")
    notes.expect(all("qa" in error for error in refusals), "the refusal does not name the lane")
    notes.expect({visit.versions.get("details") for visit in visits} == {"v2"}, "qa missed its details v2")
    others = await stage.door.visits(_COLOURED, DEV)
    _all_served(notes, others)
    notes.see(f"dev goes on: {others[0].path_through('reviews')}")
    _applied(notes, await stage.mesh.apply(as_yaml(lanes())))
    return notes.outcome()


def _applied(notes: Notes, report: Report) -> None:
    for line in report.lines():
        notes.see(line)
    notes.expect(report.ok, "not every client has taken the rules")
    notes.expect(bool(report.clients), "no client was affected by the rules")


def _all_served(notes: Notes, visits: Iterable[Visit]) -> None:
    errors = Counter(error for visit in visits for error in visit.errors)
    for error, count in errors.most_common(3):
        notes.expect(False, f"{count} failed with {error}")


def _ways(visits: Iterable[Visit], service: str) -> list[tuple[str, int]]:
    return Counter(visit.path_through(service) for visit in visits).most_common()


def _see_ways(notes: Notes, what: str, visits: list[Visit]) -> None:
    notes.see(f"{what}, {len(visits)} requests")
    for path, count in _ways(visits, "reviews"):
        notes.see(f"{count:4d}  {path}")


async def _base_stars(stage: Stage) -> frozenset[int]:
    visits = await stage.door.visits(_UNTIL_V3)
    return frozenset[int]().union(*(visit.stars for visit in visits))


def _listed(values: Iterable[object]) -> str:
    return ", ".join(sorted(map(str, values))) or "none"
