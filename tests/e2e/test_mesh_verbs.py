"""The verbs of a running mesh, from inside its process and from the command line, over real processes."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest
import pytest_asyncio
import yaml

from mesh import Mesh, MeshError, NotFound, Ref, Refused
from mesh.inventory import Service
from mesh.sources import CANARY_RULES

pytestmark = pytest.mark.asyncio(loop_scope="session")

# The services that call nobody: they start fastest, and no rule of these tests is about a call.
SERVICES = (
    Service("ratings", "grpc", ("v1", "v2")),
    Service("details", "grpc", ("v1",)),
)
ODD_RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: odd
spec:
  hosts: [ratings]
  http:
  - route:
    - destination: {host: ratings, subset: v1}
  - htp: nonsense
"""
RULE = """
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: %s
spec:
  hosts: [ratings]
  http:
  - timeout: %ds
    route:
    - destination: {host: ratings, subset: v1}
"""


class Answer(NamedTuple):
    code: int
    out: str
    err: str


async def cli(mesh: Mesh, *arguments: str, stdin: str = "") -> Answer:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mesh", *arguments, "--state", str(mesh.state.path)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(stdin.encode())
    assert process.returncode is not None
    return Answer(process.returncode, out.decode(), err.decode())


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    state = tmp_path_factory.mktemp("mesh") / "state"
    async with Mesh(state=state, port=0, xds_port=0, admin_port=0, services=SERVICES) as running:
        yield running


async def workloads(mesh: Mesh) -> set[str]:
    return {item.ref.name for item in await mesh.objects() if item.ref.kind == "WorkloadEntry"}


def answers(address: str) -> bool:
    ip, _, port = address.rpartition(":")
    try:
        with socket.create_connection((ip, int(port)), timeout=2):
            return True
    except OSError:
        return False


async def test_everything_is_ready_on_an_address_of_its_own(mesh: Mesh) -> None:
    status = await mesh.status()
    assert {p.name for p in status.processes} == {"controlplane", "ratings/v1", "ratings/v2", "details/v1"}
    assert {p.phase for p in status.processes} == {"ready"}
    assert len({p.address for p in status.processes}) == 4
    assert all(answers(p.address) for p in status.processes)
    assert status.errors == ()
    assert await workloads(mesh) == {"ratings-v1", "ratings-v2", "details-v1"}


async def test_apply_creates_configures_and_leaves_unchanged(mesh: Mesh) -> None:
    title = "virtualservice.networking.istio.io/thrice"
    for text, verdict in (
        (RULE % ("thrice", 1), "created"),
        (RULE % ("thrice", 2), "configured"),
        (RULE % ("thrice", 2), "unchanged"),
    ):
        report = await mesh.apply(text)
        assert report.ok
        assert report.lines()[0] == f"{title} {verdict}"
    await mesh.delete(Ref("VirtualService", "default", "thrice"))


async def test_apply_is_all_or_nothing_and_says_where_and_why(mesh: Mesh) -> None:
    before = await mesh.objects()
    with pytest.raises(Refused) as caught:
        await mesh.apply(RULE % ("fine", 1) + "---" + ODD_RULE)
    assert any("(document 2)" in line and "htp" in line for line in caught.value.details)
    assert await mesh.objects() == before


async def test_the_canary_is_applied_unchanged_and_replaces_the_base_rules(mesh: Mesh) -> None:
    answer = await cli(mesh, "apply", "-f", str(CANARY_RULES))
    assert answer.code == 0, answer.err
    assert "virtualservice.networking.istio.io/reviews configured" in answer.out
    stored = yaml.safe_load((await cli(mesh, "get", "vs", "ratings", "-o", "yaml")).out)
    assert stored["apiVersion"] == "networking.istio.io/v1alpha3"
    assert stored["metadata"] == {"name": "ratings", "namespace": "default"}
    assert stored["spec"]["http"][0]["match"][0]["headers"]["baggage"] == {"exact": "env=dev"}


async def test_apply_from_standard_input_and_delete_by_file(mesh: Mesh, tmp_path: Path) -> None:
    file = tmp_path / "rule.yaml"
    file.write_text(RULE % ("piped", 3))
    answer = await cli(mesh, "apply", "-f", "-", stdin=file.read_text())
    assert answer.code == 0, answer.err
    assert answer.out.startswith("virtualservice.networking.istio.io/piped created\n")
    assert answer.out.endswith("no connected client is affected\n")
    answer = await cli(mesh, "delete", "-f", str(file))
    assert answer.code == 0
    assert answer.out.startswith("virtualservice.networking.istio.io/piped deleted\n")
    answer = await cli(mesh, "delete", "vs/piped")
    assert answer.code == 1
    assert "Not found in namespace default: virtualservice/piped" in answer.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ODD_RULE, "htp"),
        ("kind: [", "not YAML"),
        ("", "no object"),
        ("{kind: X, apiVersion: v1, metadata: {name: a/b}}", "a/b"),
    ],
)
async def test_what_is_refused_at_the_command_line(mesh: Mesh, text: str, said: str) -> None:
    answer = await cli(mesh, "apply", "-f", "-", stdin=text)
    assert answer.code == 1
    assert answer.out == ""
    assert said in answer.err
    assert "Traceback" not in answer.err


async def test_a_file_that_is_not_there(mesh: Mesh, tmp_path: Path) -> None:
    answer = await cli(mesh, "apply", "-f", str(tmp_path / "none.yaml"))
    assert answer == Answer(1, "", f"{tmp_path}/none.yaml cannot be read: No such file or directory.\n")


async def test_get_gives_what_apply_takes(mesh: Mesh) -> None:
    everything = (await cli(mesh, "get", "-o", "yaml")).out
    assert len(list(yaml.safe_load_all(everything))) == len(await mesh.objects())
    again = await cli(mesh, "apply", "-f", "-", stdin=everything)
    assert again.code == 0
    assert all(line.endswith(" unchanged") for line in again.out.splitlines())
    as_list = (await cli(mesh, "get", "-o", "json")).out
    assert (await cli(mesh, "apply", "-f", "-", stdin=as_list)).out == again.out
    listed = json.loads((await cli(mesh, "get", "we", "-o", "json")).out)
    assert {item["metadata"]["name"] for item in listed["items"]} == await workloads(mesh)
    assert "ratings-v1" in (await cli(mesh, "get", "workloadentries")).out
    assert (await cli(mesh, "get", "we", "none")).code == 1


async def test_what_has_no_effect_here_is_kept_and_says_so(mesh: Mesh) -> None:
    text = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: reviews-v1}}"
    answer = await cli(mesh, "apply", "-f", "-", stdin=text)
    assert answer.code == 0
    assert "deployment.apps/reviews-v1 created" in answer.out
    assert "has no effect here" in answer.out
    assert "Deployment" in (await cli(mesh, "get", "deployments")).out
    assert (await cli(mesh, "delete", "deployment", "reviews-v1")).code == 0


async def test_a_killed_instance_leaves_the_mesh_and_a_started_one_is_back(mesh: Mesh) -> None:
    address = (await mesh.status()).process("ratings/v2").address
    answer = await cli(mesh, "kill", "ratings/v2")
    assert answer.out == f"ratings/v2 killed (SIGKILL) {address}\n"
    assert await workloads(mesh) == {"ratings-v1", "details-v1"}
    assert not answers(address)
    assert (await cli(mesh, "kill", "ratings/v2")).code == 1
    answer = await cli(mesh, "start", "ratings/v2")
    assert answer.out.startswith(f"ratings/v2 ready {address}")
    assert await workloads(mesh) == {"ratings-v1", "ratings-v2", "details-v1"}
    assert answers(address)


async def test_a_drained_instance_ends_by_itself(mesh: Mesh) -> None:
    answer = await cli(mesh, "kill", "details", "--signal", "TERM")
    assert "details/v1 stopped (exit 0)" in answer.out
    assert "details-v1" not in await workloads(mesh)
    await mesh.start("details/v1")


async def test_who_dies_unasked_is_shown_and_leaves_the_mesh(mesh: Mesh) -> None:
    pid = (await mesh.status()).process("ratings/v1").pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert (await mesh.until("ratings/v1", "died")).text == "died (SIGKILL)"
    assert "ratings-v1" not in await workloads(mesh)
    assert "died (SIGKILL)" in (await cli(mesh, "status")).out
    await mesh.start("ratings/v1")


async def test_workloads_survive_the_control_plane_and_change_without_it(mesh: Mesh) -> None:
    before = await mesh.objects()
    await mesh.kill("controlplane")
    assert (await mesh.status()).generation is None
    assert "does not answer" in (await cli(mesh, "status")).out
    with pytest.raises(MeshError, match="mesh start controlplane"):
        await mesh.apply(RULE % ("late", 1))
    await mesh.kill("ratings/v2")
    (mesh.state.config / "gateway.default.g.yaml").write_text(
        "{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {name: g, namespace: default}}"
    )
    answer = await cli(mesh, "delete", "gw", "g")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == (
        "gateway.networking.istio.io/g deleted\n"
        "nobody could be asked: The control plane is not running. It will not read this any more.\n"
    )
    await mesh.start("controlplane")
    served = json.loads((await cli(mesh, "status", "-o", "json")).out)
    assert served["objects"] == len(before) - 1
    await mesh.start("ratings/v2")
    assert await mesh.objects() == before


async def test_a_control_plane_that_cannot_read_its_rules_waits_and_comes_up_when_they_are_mended(
    mesh: Mesh,
) -> None:
    await mesh.kill("controlplane")
    broken = mesh.state.config / "broken.yaml"
    broken.write_text(ODD_RULE)
    answer = await cli(mesh, "start", "controlplane")
    assert answer.code == 1
    assert "controlplane runs, but does not serve yet." in answer.err
    assert "broken.yaml:11: spec.http[1]" in answer.err
    status = await mesh.status()
    assert status.process("controlplane").phase == "starting"
    assert status.errors
    broken.unlink()
    assert (await mesh.until("controlplane", "ready")).pid == status.process("controlplane").pid


async def test_names_that_are_not_there(mesh: Mesh) -> None:
    with pytest.raises(NotFound, match="no instance 'ratings/v9'"):
        await mesh.kill("ratings/v9")
    with pytest.raises(NotFound, match="several versions"):
        await mesh.start("ratings")
    with pytest.raises(MeshError, match="running already"):
        await mesh.start("ratings/v1")


async def test_the_environment_of_a_client_of_ones_own(mesh: Mesh) -> None:
    first = (await cli(mesh, "env", "mine", "--version", "v7")).out
    second = (await cli(mesh, "env", "mine", "--version", "v7")).out
    lines = dict(line.removeprefix("export ").split("=", 1) for line in first.splitlines())
    assert lines["XDS_ADDRESS"] == mesh.xds_address
    assert lines["POD_NAME"] == "mine-v7"
    assert lines["POD_LABELS"] == "app=mine,version=v7"
    assert lines["INSTANCE_IP"] not in second
    assert (await cli(mesh, "env", "no such")).code == 1


async def test_logs_by_service_and_by_version(mesh: Mesh) -> None:
    one = (await cli(mesh, "logs", "ratings/v1")).out
    assert '"serving"' in one
    both = (await cli(mesh, "logs", "ratings")).out
    assert {line.split(" ")[0] for line in both.splitlines()} == {"[ratings-v1]", "[ratings-v2]"}
    assert "controlplane: ADS on" in (await cli(mesh, "logs", "controlplane")).out
    answer = await cli(mesh, "logs", "nobody")
    assert answer.code == 1
    assert "ratings-v1" in answer.err


async def test_a_second_mesh_in_the_folder_is_turned_away_and_harms_nothing(mesh: Mesh) -> None:
    answer = await cli(mesh, "up", "--port", "0", "--xds-port", "0", "--admin-port", "0")
    assert answer.code == 1
    assert "already running" in answer.err
    assert {p.phase for p in (await mesh.status()).processes} == {"ready"}
    assert await mesh.objects()


async def test_a_taken_port_is_one_sentence(mesh: Mesh, tmp_path: Path) -> None:
    taken = mesh.xds_address.rpartition(":")[2]
    other = Mesh(state=tmp_path / "s", port=0, xds_port=int(taken), admin_port=0, services=SERVICES)
    with pytest.raises(MeshError, match=rf"^Port {taken} for the control plane is taken .*--xds-port\.$"):
        await other.open()
    assert not other.state.is_locked()


async def test_two_meshes_live_side_by_side_and_leave_nothing(mesh: Mesh, tmp_path: Path) -> None:
    state = tmp_path / "s"
    services = SERVICES[1:]
    async with Mesh(state=state, port=0, xds_port=0, admin_port=0, services=services) as other:
        theirs = await other.status()
        assert {p.phase for p in theirs.processes} == {"ready"}
        assert not {p.address for p in theirs.processes} & {
            p.address for p in (await mesh.status()).processes
        }
        pids = [p.pid for p in theirs.processes]
    for pid in pids:
        assert pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert not any(answers(p.address) for p in theirs.processes)
    ended = await other.status()  # a table may still be drawn while the mesh goes
    assert (ended.phase, ended.generation) == ("stopping", None)
    assert {path.name for path in state.iterdir()} == {"logs", ".proxyless-mesh"}


async def test_on_one_address_ports_differ_and_the_limits_are_named(tmp_path: Path) -> None:
    async with Mesh(
        state=tmp_path / "s", port=0, xds_port=0, admin_port=0, services=SERVICES, shared_address=True
    ) as other:
        status = await other.status()
        assert {p.address.rpartition(":")[0] for p in status.processes} == {"127.0.0.1"}
        assert len({p.address for p in status.processes}) == 4
        assert status.limits[0] == (
            "instances share 127.0.0.1, as --shared-address asks, and are told apart by their ports"
        )
        assert "limit: " in (await cli(other, "status")).out
        joining = await other.environment("mine")
        assert f"{joining['INSTANCE_IP']}:{joining['PORT']}" not in {p.address for p in status.processes}
        assert joining["PORT"] != "9080"
        admins = {process.name: process.admin for process in status.processes if process.admin}
        assert len(set(admins.values())) == 3
        async with aiohttp.ClientSession() as session:
            for name, address in admins.items():
                async with session.get(f"http://{address}/") as answer:
                    who = await answer.json()
                assert f"{who['service']}/{who['version']}" == name


async def test_a_configuration_of_ones_own_is_what_the_mesh_starts_with(tmp_path: Path) -> None:
    config = tmp_path / "rules"
    config.mkdir()
    (config / "one.yaml").write_text(RULE % ("mine", 1))
    async with Mesh(
        state=tmp_path / "s", config=config, port=0, xds_port=0, admin_port=0, services=SERVICES
    ) as other:
        refs = {(item.ref.kind, item.ref.name) for item in await other.objects()}
    assert {name for kind, name in refs if kind == "VirtualService"} == {"mine"}
    assert {name for kind, name in refs if kind == "ServiceEntry"} == {"ratings", "details"}


async def test_a_broken_configuration_is_refused_with_its_place_and_leaves_nothing(tmp_path: Path) -> None:
    config = tmp_path / "rules.yaml"
    config.write_text(ODD_RULE)
    broken = Mesh(state=tmp_path / "s", config=config, port=0, xds_port=0, admin_port=0, services=SERVICES)
    with pytest.raises(Refused) as caught:
        await broken.open()
    assert any(str(config) in line and "htp" in line for line in caught.value.details)
    assert not broken.state.is_locked()
