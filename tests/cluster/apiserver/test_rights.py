"""Which rights the command needs, no more and no fewer, and what it says where one is missing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from tests.cluster.apiserver import installation
from tests.cluster.apiserver.conftest import Bookinfo
from tests.cluster.apiserver.settings import KUBECONFIG, XDS_PLAIN
from tests.fakes.lanes_command import Answer, Command, no_traceback

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

Rights = Mapping[tuple[str, str], Sequence[str]]
RIGHTS: Rights = {
    ("networking.istio.io", "virtualservices"): ("list", "create", "patch", "delete"),
    ("networking.istio.io", "destinationrules"): ("list", "create", "patch", "delete"),
    ("apps", "deployments"): ("get", "list", "create", "patch", "delete"),
    ("", "services"): ("list",),
    ("", "pods"): ("list",),
    ("", "pods/portforward"): ("get", "create"),
    ("", "configmaps"): ("get", "create", "patch"),
}
NAME = "platform"


async def grant(bookinfo: Bookinfo, rights: Rights) -> None:
    rules = [
        {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
        for (group, resource), verbs in rights.items()
        if verbs
    ]
    metadata = {"name": NAME, "namespace": bookinfo.namespace}
    rbac = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": NAME, "namespace": bookinfo.namespace}
    for each in (
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": NAME},
            "subjects": [subject],
        },
    ):
        await bookinfo.server.apply(each)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def account(bookinfo: Bookinfo, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Path]:
    """The kubeconfig of a ServiceAccount."""
    await grant(bookinfo, RIGHTS)
    path = f"/api/v1/namespaces/{bookinfo.namespace}/serviceaccounts/{NAME}/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}}
    token = (await bookinfo.server.ask("POST", path, request))["status"]["token"]
    yield with_token(token, tmp_path_factory.mktemp("account"))


def with_token(token: str, folder: Path) -> Path:
    """The kubeconfig, for somebody else."""
    config: dict[str, Any] = yaml.safe_load(Path(KUBECONFIG).read_text(encoding="utf-8"))
    config["users"] = [{"name": each["name"], "user": {"token": token}} for each in config["users"]]
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    return file


@pytest.fixture
def theirs(account: Path, bookinfo: Bookinfo, tmp_path: Path) -> Command:
    """The command as that account."""
    return Command(tmp_path, KUBECONFIG=str(account), LANES_NAMESPACE=bookinfo.namespace)


async def until(command: Command, words: Sequence[str], code: int) -> Answer:
    """Try until it ends so: the API server takes a moment to know of a Role."""
    async with asyncio.timeout(60):
        while True:
            answer = await command(*words)
            if answer.code == code:
                return answer


async def test_these_rights_are_enough_for_every_verb(
    lanes: Command, theirs: Command, bookinfo: Bookinfo
) -> None:
    await grant(bookinfo, RIGHTS)
    await until(theirs, ["list"], 0)
    await theirs.ok("create", "mine", "-s", "reviews=bookinfo:1", "--mode", "strict", "--ttl", "1h")
    await theirs.ok("status", "mine")
    answer = await theirs("try", "mine")
    assert "reviews mine (mine)" in answer.out
    await theirs.ok("explain", "mine", "--xds-address", XDS_PLAIN)
    await theirs.ok("add", "mine", "-s", "details=v2", "-s", "reviews=bookinfo:2", "--mode", "permissive")
    await theirs.ok("remove", "mine", "-s", "details")
    await theirs.ok("render", "more", "-s", "reviews=bookinfo:3")
    await theirs.ok("create", "more", "-s", "reviews=v9", "--dry-run")
    number = (await theirs.json("history"))[-1]["revision"]
    await theirs.ok("door", "add", "--header", "x-lane")
    await theirs.ok("door", "clear")
    await theirs.ok("delete", "mine")
    await theirs.ok("rollback", str(number))
    await theirs.ok("add", "mine", "--ttl", "1s")
    await asyncio.sleep(1)
    await theirs.ok("prune")
    assert (await theirs("list")).out == ""
    await bookinfo.server.ask(
        "DELETE", f"/api/v1/namespaces/{bookinfo.namespace}/configmaps/productpage-door"
    )


@pytest.mark.parametrize(
    ("resource", "verb", "words"),
    [
        ("virtualservices.networking.istio.io", "list", ["list"]),
        ("services", "list", ["status", "team"]),
        ("configmaps", "get", ["history"]),
        ("virtualservices.networking.istio.io", "patch", ["create", "team", "-s", "reviews=v2"]),
        ("deployments.apps", "create", ["create", "team", "-s", "reviews=bookinfo:1"]),
        ("pods/portforward", "get", ["try", "there"]),
    ],
)
async def test_a_right_that_is_missing_is_named(
    lanes: Command, theirs: Command, bookinfo: Bookinfo, resource: str, verb: str, words: list[str]
) -> None:
    await lanes.ok("create", "there", "-s", "reviews=v1")
    before = await bookinfo.rules(), await bookinfo.deployments()
    name, _, group = resource.partition(".")
    lacking = {
        key: [each for each in verbs if (key, each) != ((group, name), verb)] for key, verbs in RIGHTS.items()
    }
    await grant(bookinfo, lacking)
    try:
        answer = await until(theirs, words, 2)
    finally:
        await grant(bookinfo, RIGHTS)
    [line] = [each for each in answer.err.splitlines() if "no right" in each]
    who = f"system:serviceaccount:{bookinfo.namespace}:{NAME}"
    assert re.match(
        rf"({who} has|You have) no right to {verb}( and create)? {re.escape(resource)} in the ", line
    )
    assert line.endswith("(403); a Role with this verb and resource gives it.")
    no_traceback(answer)
    assert (await bookinfo.rules(), await bookinfo.deployments()) == before


async def test_the_charts_role_has_them_all(bookinfo: Bookinfo) -> None:
    [role] = [
        each
        for each in installation.rendered(bookinfo.namespace)
        if each["kind"] == "Role" and each["metadata"]["name"] == "lanes"
    ]
    granted = {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    wanted = {(*key, verb) for key, verbs in RIGHTS.items() for verb in verbs}
    assert wanted <= granted


async def test_who_is_not_known_and_what_is_not_there(
    bookinfo: Bookinfo, account: Path, tmp_path: Path
) -> None:
    stranger = with_token("nonsense", tmp_path)
    for words, said in (
        (
            ("--kubeconfig", str(stranger)),
            "does not know who you are (401): the credentials are missing, wrong",
        ),
        (("--context", "nowhere", "--kubeconfig", str(account)), "has no context 'nowhere'; there are "),
        (("--kubeconfig", str(tmp_path / "none")), "There is no kubeconfig "),
        (
            ("--kubeconfig", str(account), "--state", "x"),
            "--state names a mesh on this machine and --kubeconfig",
        ),
    ):
        answer = await Command(tmp_path)("list", *words)
        assert answer.code == 2, answer
        assert said in answer.err
        no_traceback(answer)
