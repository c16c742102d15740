"""`explain` and `config_dump`: the decision a call would get, in code and on the command line."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shlex
import sys
from typing import Any

import proxyless
import pytest

from tests.fakes import resources as build
from tests.fakes.backends import Backend
from tests.fakes.control_plane import FakeControlPlane

from .conftest import METHOD, NAME, TARGET, bootstrap_for
from .routing import RETRY, with_fault

LANE = [("baggage", "env=dev")]


def mesh_routes() -> list[Any]:
    """A lane with a timeout and a delay, a split with retries, and a path nobody serves."""
    lane = build.route("v2", headers=[build.header("baggage", string_match={"exact": "env=dev"})])
    lane["name"] = "lane-dev"
    lane["route"]["max_stream_duration"] = {"max_stream_duration": "2.5s"}
    delay = {"fixed_delay": "0.001s", "percentage": {"numerator": 5}}
    split = build.route({"v1": 80, "v2": 20}, prefix="/test.")
    split["name"] = "base"
    split["route"]["retry_policy"] = RETRY
    return [with_fault(lane, delay=delay), split]


@pytest.fixture
def configured(control_plane: FakeControlPlane, v1: Backend, v2: Backend) -> None:
    control_plane.set(*build.service(NAME, {"v1": [v1.address], "v2": [v2.address]}, mesh_routes()))


@pytest.mark.usefixtures("configured")
async def test_a_lane(mesh: proxyless.Client, v2: Backend) -> None:
    decision = await mesh.explain(TARGET, method=METHOD, metadata=LANE)
    assert decision.listener == NAME
    assert decision.route_config == NAME
    assert (decision.virtual_host, decision.domain) == ("vh", "*")
    assert decision.route == "lane-dev"
    assert decision.route is not None and decision.route.index == 0
    assert decision.cluster == "v2"
    assert decision.endpoints == [v2.address]
    assert decision.timeout == 2.5
    assert decision.retry is None
    assert decision.fault == {"delay": {"seconds": 0.001, "percentage": 5.0}}
    assert decision.error is None


@pytest.mark.usefixtures("configured")
async def test_a_split_says_its_weights_and_why_the_lane_was_not_taken(mesh: proxyless.Client) -> None:
    decision = await mesh.explain(TARGET, method=METHOD.removeprefix("/"), metadata=[("Baggage", "env=qa")])
    assert decision.route == "base"
    assert decision.cluster in ("v1", "v2")
    assert decision.clusters == {"v1": 80, "v2": 20}
    assert decision.retry is not None and decision.retry["max_attempts"] == 3
    assert decision.steps == [
        "route 'lane-dev': header 'baggage' exact 'env=dev': it is 'env=qa'",
        "route 'base': matches",
    ]


@pytest.mark.usefixtures("configured")
async def test_a_call_that_would_fail(mesh: proxyless.Client) -> None:
    decision = await mesh.explain(TARGET, method="/other.Service/Call")
    assert decision.route is None and decision.cluster is None and decision.endpoints == []
    assert decision.error == "no route of virtual host 'vh' matches /other.Service/Call"
    assert len(decision.steps) == 2


@pytest.mark.usefixtures("configured")
async def test_what_keeps_a_call_from_a_route_and_one_that_takes_it(mesh: proxyless.Client) -> None:
    decision = await mesh.explain(
        TARGET, method=METHOD, metadata=[("baggage", "env=qa")], want_route="lane-dev"
    )
    assert decision.route == "base"
    assert decision.wanted is not None
    (wanted,) = decision.wanted
    assert wanted["route"] == {"name": "lane-dev", "index": 0}
    assert (wanted["hit"], wanted["after"]) == (False, None)
    assert wanted["unmet"] == ["header 'baggage' exact 'env=dev': it is 'env=qa'"]
    call = wanted["call"]
    assert call == {"method": METHOD, "metadata": [["baggage", "env=dev"]], "percentage": 100.0}
    again = await mesh.explain(
        TARGET, method=call["method"], metadata=[tuple(each) for each in call["metadata"]], want_route="#0"
    )
    assert again.route == "lane-dev"
    assert again.wanted is not None and again.wanted[0]["hit"]
    assert json.loads(again.to_json())["wanted"] == again.wanted


@pytest.mark.usefixtures("configured")
async def test_a_route_that_is_not_there(mesh: proxyless.Client) -> None:
    with pytest.raises(
        proxyless.UnknownRouteError,
        match=r"'vh' has no route 'lane-qa'; it has lane-dev \(#0\), base \(#1\)",
    ):
        await mesh.explain(TARGET, method=METHOD, want_route="lane-qa")


async def test_a_route_whose_cluster_has_nobody(
    control_plane: FakeControlPlane, mesh: proxyless.Client, v1: Backend
) -> None:
    lane = build.route("v2", headers=[build.header("lane", present_match=True)])
    lane["name"] = "lane"
    routes = [lane, build.route("v1")]
    control_plane.set(*build.service(NAME, {"v1": [v1.address], "v2": []}, routes))
    decision = await mesh.explain(TARGET, method=METHOD, metadata=[("lane", "x")], want_route="lane")
    assert decision.wanted is not None
    after = "cluster v2: it has no endpoints; what comes then is nothing: the call fails"
    assert (decision.wanted[0]["hit"], decision.wanted[0]["after"]) == (True, after)
    async with proxyless.Client(bootstrap_for(control_plane), fallback="next-route") as permissive:
        decision = await permissive.explain(
            TARGET, method=METHOD, metadata=[("lane", "x")], want_route="lane"
        )
    assert decision.route is not None and decision.route.index == 1
    assert decision.wanted is not None and not decision.wanted[0]["hit"]
    assert (
        decision.wanted[0]["after"]
        == "cluster v2: it has no endpoints; what comes then is the next matching route"
    )


@pytest.mark.usefixtures("configured")
async def test_as_json(mesh: proxyless.Client) -> None:
    decision = json.loads((await mesh.explain(TARGET, method=METHOD, metadata=LANE)).to_json())
    assert decision["route"] == {"name": "lane-dev", "index": 0}
    assert decision["target"] == TARGET and decision["cluster"] == "v2"


async def test_a_configuration_that_does_not_come(mesh_by_hand: Any) -> None:
    _, mesh = mesh_by_hand
    with pytest.raises(TimeoutError, match=f"still waiting for LDS resource '{NAME}'"):
        await mesh.explain(TARGET, method=METHOD, timeout=0.05)


@pytest.mark.usefixtures("configured")
async def test_explaining_leaves_no_subscription_behind(
    control_plane: FakeControlPlane, mesh: proxyless.Client
) -> None:
    await mesh.explain(TARGET, method=METHOD)
    assert mesh.config_dump()["targets"] == {}
    stream = control_plane.streams[0]
    await control_plane.until(lambda: stream.names.get(build.EDS) == ())


@pytest.mark.usefixtures("configured")
async def test_the_dump_is_json_and_says_what_is_held(mesh: proxyless.Client, v1: Backend) -> None:
    channel = mesh.channel(TARGET)
    await channel.channel_ready()
    dump = json.loads(json.dumps(mesh.config_dump()))
    assert dump["node"]["id"].startswith("sidecar~")
    assert dump["server"]["error"] is None
    assert set(dump["resources"]) == {"LDS", "RDS", "CDS", "EDS"}
    endpoints = dump["resources"]["EDS"]["resources"]["v1"]
    assert endpoints["state"] == "ACKED" and endpoints["version"]
    (locality,) = endpoints["resource"]["localities"]
    assert locality["endpoints"][0]["port"] == int(v1.address.rpartition(":")[2])
    assert dump["targets"][TARGET]["state"] == "ready"
    assert dump["targets"][TARGET]["clusters"]["v1"]["configured"]


async def test_bytes_are_text_in_the_dump(control_plane: FakeControlPlane, mesh: proxyless.Client) -> None:
    answer = {"status": 503, "body": {"inline_bytes": base64.b64encode(b"\xffno").decode()}}
    route = {"match": {"prefix": ""}, "direct_response": answer}
    control_plane.set(build.listener(NAME), build.route_config(NAME, [route]))
    mesh.channel(TARGET)
    await mesh.explain(TARGET, method=METHOD)
    (host,) = mesh.config_dump()["resources"]["RDS"]["resources"][NAME]["resource"]["virtual_hosts"]
    assert host["routes"][0]["action"] == {"status": 503, "body": "\\xffno"}
    json.dumps(mesh.config_dump())


async def proxyless_command(*arguments: str, **environment: str) -> tuple[int, str, str]:
    """Run `python -m proxyless …`: its exit code and what it printed."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("GRPC_XDS", "XDS_"))}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proxyless", *arguments),
        env={**clean, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.mark.usefixtures("configured")
async def test_the_command(control_plane: FakeControlPlane) -> None:
    arguments = ("explain", TARGET, "--method", METHOD, "--xds-address", control_plane.address)
    code, out, err = await proxyless_command(*arguments, "-m", "baggage=env=dev")
    assert (code, err) == (0, "")
    assert "lane-dev (#0)" in out and "2.5 s" in out
    assert "virtual host  vh  (domain *)" in out and "fault  delay of 0.001 s for 5 %" in out
    code, out, _ = await proxyless_command(*arguments)
    assert "retry  3 attempts on cancelled, " in out and ", back-off 0.025 s to 0.25 s" in out
    code, out, _ = await proxyless_command(*arguments, "-m", "baggage=env=dev", "--json", POD_NAME="me")
    assert "~me.default~" in control_plane.nodes[-1]  # the flag changes the address, not the identity
    assert (code, json.loads(out)["cluster"]) == (0, "v2")
    code, out, _ = await proxyless_command("explain", TARGET, XDS_ADDRESS=control_plane.address)
    assert code == 1 and "no route of virtual host 'vh' matches" in out


@pytest.mark.usefixtures("configured")
async def test_the_command_says_how_a_route_would_be_taken(control_plane: FakeControlPlane) -> None:
    arguments = ("explain", TARGET, "--xds-address", control_plane.address, "--want-route")
    code, out, err = await proxyless_command(*arguments, "lane-dev", "--method", METHOD)
    assert (code, err) == (0, "")
    assert "wanted: lane-dev (#0): this call does not take it" in out
    assert "does not fit  header 'baggage' exact 'env=dev': it is missing" in out
    _, _, line = out.partition("would take it ")
    proposed = shlex.split(line.splitlines()[0])
    assert proposed == [TARGET, "--method", METHOD, "-m", "baggage=env=dev"]
    code, out, _ = await proxyless_command(*arguments, "lane-dev", *proposed[1:])
    assert code == 0 and "wanted: lane-dev (#0): this call takes it" in out
    code, out, err = await proxyless_command(*arguments, "lane-qa")
    assert (code, out) == (2, "")
    assert "no route 'lane-qa'; it has lane-dev (#0), base (#1)" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("explain", TARGET), "no control plane is configured"),
        (("explain", "reviews:9080", "--xds-address", "127.0.0.1:1"), "expected the scheme 'xds'"),
        (("explain", TARGET, "-m", "baggage"), "'baggage' is not KEY=VALUE"),
        (("explain", TARGET, "-m", "FOO BAR=x"), "'FOO BAR' is no metadata key"),
        (("explain", TARGET, "--xds-address", "nonsense"), "--xds-address: 'nonsense' is not host:port"),
    ],
)
async def test_what_the_command_refuses(arguments: tuple[str, ...], says: str) -> None:
    code, out, err = await proxyless_command(*arguments)
    assert (code, out) == (2, "")
    assert says in err and "Traceback" not in err


async def test_doctor_finds_this_environment_well() -> None:
    code, out, _ = await proxyless_command("doctor")
    assert code == 0 and "all well" in out
