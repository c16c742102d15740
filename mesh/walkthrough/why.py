"""The step that asks why: a client of one's own joins the mesh and has one decision explained."""

from __future__ import annotations

from mesh.walkthrough.outcome import Notes, Outcome, Stage

_BAGGAGE = "user=7,env=dev;ttl=1"
_ARGUMENTS = (
    *("--method", "/bookinfo.v1.Reviews/GetReviews"),
    *("-m", f"baggage={_BAGGAGE}", "--fallback", "next-route"),
)


async def explain(stage: Stage) -> Outcome:
    """Why a call with this baggage goes where it goes, said by the command that a user would type."""
    notes = Notes()
    said = await stage.mesh.explain("reviews", _ARGUMENTS)
    notes.see(f"$ {said.command}")
    for line in said.out.splitlines():
        notes.see(line)
    notes.expect(said.code == 0, f"exit code {said.code}: {said.err.strip()}")
    places = await stage.mesh.places("reviews")
    reached = [name for name, address in places.items() if address in said.out]
    notes.expect(reached == ["reviews/v2"], f"the call should go to reviews/v2, not to {reached}")
    return notes.outcome()
