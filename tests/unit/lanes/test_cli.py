"""The command's own words: what is asked wrongly, what help shows, what is told of an answer."""

import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from lanes.cli.app import lanes

ROOT = Path(__file__).parents[3]
NAMES = (
    *("list", "create", "add", "remove", "status", "try", "explain"),
    *("render", "delete", "prune", "door", "history", "rollback"),
)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "Dev", "-s", "reviews=v2"), "The lane name 'Dev' is not made of a-z, 0-9 and '-'"),
        (("create", "base", "-s", "reviews=v2"), "is the name of the base lane"),
        (("create", "x" * 64, "-s", "reviews=v2"), "has 64 characters, 63 are the most"),
        (("create", "dev"), "Missing option '-s' / '--service'"),
        (("create", "dev", "-s", "reviews"), "'reviews' is not SERVICE=VERSION, SERVICE=COMMAND or"),
        (("create", "dev", "-s", "reviews=v:2"), "The version 'v:2' of reviews is not 1 to 63 letters"),
        (("create", "dev", "-s", "reviews=v2", "-s", "reviews=v3"), "reviews is given twice"),
        (("create", "dev", "-s", "reviews=v2", "--mode", "loose"), "'loose' is not one of"),
        (("add", "dev"), "Say what to add"),
        (("render", "-s", "reviews=v2"), "Say which lane has these services"),
        (("door", "add", "--lane", "dev"), "Say whom the rule is for"),
        (("door", "add", "--user", "jason"), "this rule needs a `lane` to lead to"),
        (("door", "add", "--percent", "0", "--lane", "dev"), "0 is no number above 0 and up to 100"),
        (("rollback", "x"), "'x' is not a valid integer"),
    ],
)
def test_what_is_asked_wrongly_is_said_so_and_exits_with_2(words: tuple[str, ...], said: str) -> None:
    answer = CliRunner().invoke(lanes, words)
    assert answer.exit_code == 2
    assert said in " ".join(answer.output.split())


def test_every_command_helps_with_an_example() -> None:
    assert tuple(lanes.commands) == NAMES
    for name in NAMES:
        answer = CliRunner().invoke(lanes, [name, "--help"])
        assert answer.exit_code == 0
        assert f"lanes {name}" in answer.output.partition("Options:")[0].partition("\n")[2], name


def test_render_adds_to_a_lane_that_is_there_and_shows_one_as_it_is(tmp_path: Path) -> None:
    def rendered(*words: str) -> str:
        answer = CliRunner().invoke(lanes, ["render", *words, "--config", str(tmp_path)])
        assert answer.exit_code == 0, answer.output
        return answer.output

    shutil.copytree(ROOT / "mesh" / "rules" / "canary", tmp_path, dirs_exist_ok=True)
    there = rendered("dev", "-s", "reviews=v2", "-s", "ratings=v2", "--mode", "strict")
    (tmp_path / "virtual-services.yaml").write_text(there)
    shown = [*yaml.safe_load_all(rendered("dev"))]
    more = [*yaml.safe_load_all(rendered("dev", "-s", "reviews=v3"))]
    routes = {
        each["metadata"]["name"]: each["spec"]["http"] for each in more if each["kind"] == "VirtualService"
    }
    assert routes["reviews"][0]["route"][0]["destination"]["subset"] == "v3"
    assert [route.get("name") for route in routes["ratings"]][:2] == ["lane-dev", "lane-dev-strict"]
    assert {(e["kind"], e["metadata"]["name"]) for e in shown} == {
        (e["kind"], e["metadata"]["name"]) for e in more
    }
    assert next(iter(yaml.safe_load_all(there))) in shown
    answer = CliRunner().invoke(lanes, ["render", "nosuch", "--config", str(tmp_path)])
    assert str(answer.exception) == "There is no lane 'nosuch'; there are dev."


def test_without_a_mesh_there_is_one_sentence(tmp_path: Path) -> None:
    answer = CliRunner().invoke(lanes, ["list", "--state", str(tmp_path)])
    assert "No mesh is running in" in str(answer.exception)
