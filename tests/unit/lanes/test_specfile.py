"""A file of services and lanes, and what a value of --service may name."""

import sys
from pathlib import Path

import pytest

from lanes.landscape import LaneError
from lanes.spec import Lane, MeshSpec, Mode, Service, SpecError
from lanes.specfile import spec_from
from lanes.workload import names_workload, workload_of


def test_a_whole_file() -> None:
    data = {
        "namespace": "shop",
        "key": "lane",
        "services": {"reviews": {"v1": 80, "v3": 20}, "ratings": "v1"},
        "versions": {"ratings": ["v2", "v3"]},
        "lanes": {"dev": {"services": {"reviews": "v2"}}, "qa": {"mode": "strict"}},
    }
    services = (Service("reviews", {"v1": 80, "v3": 20}), Service("ratings", "v1", versions=("v2", "v3")))
    lanes = (Lane("dev", {"reviews": "v2"}), Lane("qa", {}, Mode.STRICT))
    assert spec_from(data) == MeshSpec(services, lanes, "lane", "shop")
    assert spec_from(None) == MeshSpec(())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "the file: a mapping by name is needed"),
        ({"lane": {}}, "the file: there is no field 'lane'"),
        ({"services": {1: "v1"}}, "services: a mapping by name is needed; quote names that are numbers"),
        ({"services": {"a": {"v1": "80"}}}, "services.a: shares are whole numbers"),
        ({"services": {"a": 1.0}}, "services.a: a mapping by name is needed"),
        ({"services": {"a": {"v1": 80}}}, "service a: the weights of its base sum to 80"),
        ({"versions": {"a": ["v2"]}}, "versions: there is no field 'a'"),
        ({"services": {"a": "v1"}, "versions": {"a": "v2"}}, "versions.a: a list of versions is needed"),
        ({"services": {"a": "v1"}, "versions": {"a": [2]}}, "versions.a: 2 is no text"),
        ({"lanes": {"dev": {"mode": "loose"}}}, "lanes.dev.mode: 'loose' is none of permissive, strict"),
        ({"lanes": {"dev": {"services": {"a": 2}}}}, "lanes.dev.services.a: 2 is no text"),
        ({"lanes": {"dev": {"services": {"a": "v2"}}}}, "lane dev: there is no service 'a'"),
        ({"lanes": {"Dev": {}}}, "lane name 'Dev' is not made of"),
        ({"key": 7}, "key: 7 is no text"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_field(data: object, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec_from(data)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("v2", False),
        ("./reviews", True),
        ("/bin/true", True),
        ("python x.py", True),
        (" v2 ", False),
        ("~/x", True),
    ],
)
def test_a_version_is_neither_path_nor_command(text: str, is_one: bool) -> None:
    assert names_workload(text) is is_one


def test_how_what_is_named_is_run(tmp_path: Path) -> None:
    package = tmp_path / "checkout" / "reviews"
    package.mkdir(parents=True)
    for name in ("__init__.py", "__main__.py"):
        (package / name).touch()
    (tmp_path / "serve.py").touch()
    (tmp_path / "serve").touch(mode=0o755)

    def run(text: str) -> tuple[tuple[str, ...], str]:
        found = workload_of("reviews", text, tmp_path, {"PATH": "/bin"})
        assert (found.given, found.origin) == (text, str(tmp_path))
        return found.argv, found.directory

    module = (sys.executable, "-m", "reviews")
    assert run("./checkout/reviews") == (module, str(tmp_path / "checkout"))
    assert run("./checkout --debug") == ((*module, "--debug"), str(tmp_path / "checkout"))
    assert run("./serve.py 1") == ((sys.executable, str(tmp_path / "serve.py"), "1"), str(tmp_path))
    assert run("./serve 'a b'") == ((str(tmp_path / "serve"), "a b"), str(tmp_path))
    assert run("sh -c x") == (("/bin/sh", "-c", "x"), str(tmp_path))
    with pytest.raises(LaneError, match="no file or command 'nothing-like-it' to run as reviews"):
        run("nothing-like-it 1")
