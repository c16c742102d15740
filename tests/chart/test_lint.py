"""helm lint --strict, for every file of values and every Kubernetes that is supported."""

import yaml

from tests.chart.rendering import (
    CHART,
    KUBERNETES,
    VALUES,
    chart,
    every_rendering,
    helm,
    read_values,
    rendered,
)

_WARNING = 2


@every_rendering
def test_helm_lint_strict(name: str) -> None:
    for version in (KUBERNETES[0], KUBERNETES[-1]):
        report = helm.lint(CHART, read_values(name), strict=True, kube_version=f"v{version}.0")
        assert report["errors"] == []
        assert [m for m in report["messages"] if m["severity"] >= _WARNING] == []


def test_lint_finds_something_where_there_is_something() -> None:
    assert helm.lint(CHART, {"replicaz": 3}, strict=True)["errors"] != []


def test_there_are_thirteen_files_of_values_and_no_two_render_the_same() -> None:
    assert len(VALUES) == 13
    assert len({str(rendered(name).objects) for name in VALUES}) == len(VALUES)


@every_rendering
def test_no_object_is_rendered_twice_and_each_is_in_its_namespace(name: str) -> None:
    keys = [
        (each["apiVersion"], each["kind"], each["metadata"]["namespace"], each["metadata"]["name"])
        for each in rendered(name).objects
    ]
    assert len(set(keys)) == len(keys)
    assert {namespace for _, _, namespace, _ in keys} == {"bookinfo-test"}


def test_the_chart_speaks_of_the_version_that_pyproject_gives_the_image() -> None:
    about = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    pyproject = (CHART.parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{about["appVersion"]}"' in pyproject


def test_the_files_of_values_are_for_developers_and_not_packaged() -> None:
    assert {file["name"] for file in chart().files} == {".helmignore", "README.md", "files/prove_lanes.py"}
