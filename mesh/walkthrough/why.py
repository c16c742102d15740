"""The step that asks why: a client of its own joins the mesh and explains one decision."""

from __future__ import annotations

import proxyless

from mesh.walkthrough.outcome import Notes, Outcome, Stage

_TARGET = "xds:///reviews.default.svc.cluster.local:9080"
_METHOD = "/bookinfo.v1.Reviews/GetReviews"
_BAGGAGE = "user=7,env=dev;ttl=1"
_TIMEOUT = 10.0


async def explain(stage: Stage) -> Outcome:
    """Why a call with this baggage goes where it goes, every rule that was tried included."""
    notes = Notes()
    bootstrap = proxyless.Bootstrap.from_env(await stage.mesh.environment("walkthrough", "v1"))
    async with proxyless.Client(bootstrap, fallback="next-route") as client:
        decision = await client.explain(
            _TARGET, method=_METHOD, metadata=[("baggage", _BAGGAGE)], timeout=_TIMEOUT
        )
    notes.see(f"{_METHOD} with baggage: {_BAGGAGE}")
    notes.see(f"listener      {decision.listener}")
    notes.see(f"virtual host  {decision.virtual_host}")
    for step in decision.steps:
        notes.see(f"              {step}")
    notes.see(f"route         {decision.route.name if decision.route else None}")
    notes.see(f"cluster       {decision.cluster}")
    notes.see(f"endpoints     {', '.join(decision.endpoints)}")
    wanted = (await stage.mesh.status()).process("reviews/v2").address
    notes.expect(decision.error is None, f"the decision failed: {decision.error}")
    notes.expect(
        decision.endpoints == [wanted], f"the call should go to reviews v2 at {wanted} and nowhere else"
    )
    return notes.outcome()
