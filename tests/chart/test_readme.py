"""The chart's README: its examples render, its commands name what there is, its table is true."""

import re
import shlex
from functools import reduce
from itertools import pairwise
from typing import Any

import pytest
import yaml

from tests.chart.rendering import CHART, chart, helm, render, rendered

README = (CHART / "README.md").read_text(encoding="utf-8")
EXAMPLES = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)]
COMMANDS = [
    shlex.split(line.partition("|")[0])
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
]
TABLE = re.findall(r"^\| `([\w.]+)` \| (?:`(.*?)`|\w*) \| (.*) \|$", README, re.MULTILINE)


def options(command: list[str], name: str) -> list[str]:
    return [value for option, value in pairwise(command) if option == name]


def test_there_is_something_to_hold_to() -> None:
    assert len(EXAMPLES) == 5
    assert len([command for command in COMMANDS if command[0] == "helm"]) >= 4
    assert len(TABLE) >= 12


@pytest.mark.parametrize("values", EXAMPLES, ids=str)
def test_an_example_has_an_effect(values: dict[str, Any]) -> None:
    """Those under Lanes on the rules, that under Metrics on who scrapes, that of the console on what runs."""
    kind = "Deployment" if "console" in values else "PodMonitor" if "admin" in values else "VirtualService"
    assert render(values).of(kind) != rendered("default").of(kind)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c[0] == "helm"], ids=shlex.join)
def test_a_helm_command_renders(command: list[str]) -> None:
    assert options(command, "--namespace") == ["bookinfo"]
    values: dict[str, Any] = reduce(
        lambda found, text: found | helm.parse_set_string(text), options(command, "--set"), {}
    )
    texts = render(values).texts
    for template in options(command, "--show-only"):
        assert texts[template.removeprefix("templates/")].strip()
    if "template" not in command and "test" not in command:
        assert str(CHART).endswith(command[command.index("bookinfo") + 1])


@pytest.mark.parametrize(("value", "default", "rest"), TABLE)
def test_a_row_of_the_table(value: str, default: str, rest: str) -> None:
    found = reduce(lambda values, key: values[key], value.split("."), chart().values)
    if isinstance(found, dict):
        assert default in ("", *found)
    else:
        assert default == (str(found).lower() if isinstance(found, bool) else str(found))


def test_what_helm_test_is_said_to_say_is_what_it_is_told() -> None:
    [pod] = rendered("default").of("Pod")
    wanted = yaml.safe_load(pod["spec"]["containers"][0]["command"][-1])
    lines = [
        f"{visit['lane']}: as it should be: "
        + ", ".join(f"{name} {' or '.join(versions)}" for name, versions in visit["versions"].items())
        for visit in wanted
    ]
    assert "\n".join(lines) in README
