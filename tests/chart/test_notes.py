"""What is printed after `helm install`: the next commands, and each of them right."""

import shlex

import pytest

from tests.chart.rendering import VALUES, every_rendering, render, rendered


def commands(name: str) -> list[list[str]]:
    lines = rendered(name).texts["NOTES.txt"].splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.startswith("  ")]


@every_rendering
def test_there_is_a_next_command(name: str) -> None:
    wait, test, *rest = commands(name)
    curl = next(command for command in rest if command[0] == "curl")
    forward = rest[: rest.index(curl)]
    assert wait[:4] == ["kubectl", "-n", "bookinfo-test", "wait"]
    label, value = wait[-1].split("=")
    assert all(each["metadata"]["labels"][label] == value for each in rendered(name).of("Deployment"))
    assert test == ["helm", "-n", "bookinfo-test", "test", "bookinfo", "--logs"]
    for command in forward:
        kind, service = command[4].split("/")
        [port] = rendered(name).named(kind.title(), service)["spec"]["ports"]
        assert command == [*wait[:3], "port-forward", f"service/{service}", f"9080:{port['port']}", "&"]
    assert curl[0] == "curl"
    assert curl[-1].endswith("/api/v1/products/0")


@pytest.mark.parametrize(
    ("name", "colour", "url"),
    [
        ("default", "baggage: env=demo", "http://localhost:9080/api/v1/products/0"),
        ("shares", "baggage: x.lane+v$$1=demo", "http://localhost:9080/api/v1/products/0"),
        ("production", "x-lane: demo", "http://localhost:9080/api/v1/products/0"),
        ("istio-ingress", "baggage: env=demo", "http://bookinfo.example.com/api/v1/products/0"),
        ("bare", None, "http://localhost:9080/api/v1/products/0"),
    ],
)
def test_the_request_is_one_of_a_lane_that_is_there(name: str, colour: str | None, url: str) -> None:
    assert name in VALUES
    assert next(command for command in commands(name) if command[0] == "curl") == [
        "curl",
        *(["-H", colour] if colour else []),
        url,
    ]


def test_a_key_that_a_shell_would_read_is_quoted() -> None:
    text = render({"laneKey": "o'clock"}).texts["NOTES.txt"]
    assert "baggage: o'clock=demo" in shlex.split(text.splitlines()[-1])


@every_rendering
def test_it_has_no_gaps(name: str) -> None:
    text = rendered(name).texts["NOTES.txt"]
    assert "\n\n\n" not in text
    assert "<no value>" not in text
