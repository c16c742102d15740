"""The command's own words: what is asked wrongly, what help shows, what is told of an answer."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from lanes.cli.app import lanes

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
        (("render", "dev"), "Say what the lane holds"),
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


def test_without_a_mesh_there_is_one_sentence(tmp_path: Path) -> None:
    answer = CliRunner().invoke(lanes, ["list", "--state", str(tmp_path)])
    assert "No mesh is running in" in str(answer.exception)
