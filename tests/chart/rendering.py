"""deploy/helm/bookinfo, rendered by Helm's own engine, and its objects sorted out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pytest
import yaml

# Some platforms have no wheel of it; see pyproject.toml.
helm = pytest.importorskip("helm_python")

CHART = Path(__file__).resolve().parents[2] / "deploy" / "helm" / "bookinfo"
NAMESPACE = "bookinfo-test"
VALUES = {path.name.removesuffix("-values.yaml"): path for path in sorted(CHART.glob("ci/*-values.yaml"))}
KUBERNETES = ("1.30", "1.31", "1.32", "1.33", "1.34")

Object = dict[str, Any]


@dataclass(frozen=True)
class Rendering:
    """What Helm made of some values."""

    values: Mapping[str, Any]
    """With the chart's defaults in them."""
    texts: Mapping[str, str]
    """By the template's path in the chart."""

    @cached_property
    def objects(self) -> list[Object]:
        """Every object, in the order of the templates; not to be changed."""
        texts = [text for name, text in self.texts.items() if name.endswith(".yaml")]
        return [each for text in texts for each in yaml.load_all(text, yaml.CSafeLoader) if each is not None]

    def of(self, *kinds: str) -> list[Object]:
        """The objects of these kinds."""
        return [each for each in self.objects if each["kind"] in kinds]

    def versions(self) -> list[Object]:
        """The Deployments that are versions of services; the console's is none."""
        return [each for each in self.of("Deployment") if each["metadata"]["labels"]["app"] != "console"]

    def named(self, kind: str, name: str) -> Object:
        """The one object of this kind and name."""
        [found] = [each for each in self.of(kind) if each["metadata"]["name"] == name]
        return found

    def pods(self) -> Iterator[tuple[Object, Object]]:
        """The metadata and spec of every Pod there will be, whoever starts it."""
        for each in self.objects:
            match each["kind"]:
                case "Deployment":
                    template = each["spec"]["template"]
                case "CronJob":
                    template = each["spec"]["jobTemplate"]["spec"]["template"]
                case "Pod":
                    template = each
                case _:
                    continue
            yield template["metadata"], template["spec"]


@cache
def chart() -> Any:
    """The chart as Helm has read it."""
    return helm.Chart.load(CHART)


def render(values: Mapping[str, Any] | None = None, namespace: str = NAMESPACE) -> Rendering:
    """Render the chart with these values over its own; helm's errors say what is wrong with them."""
    texts = chart().render(dict(values or {}), name="bookinfo", namespace=namespace)
    merged = chart().merge_values(dict(values or {}))
    return Rendering(merged, {name.removeprefix("bookinfo/templates/"): text for name, text in texts.items()})


def read_values(name: str) -> Any:
    """The values of one file of ci/."""
    return yaml.safe_load(VALUES[name].read_text(encoding="utf-8"))


@cache
def rendered(name: str) -> Rendering:
    """The chart with one file of ci/."""
    return render(read_values(name))


every_rendering = pytest.mark.parametrize("name", VALUES)
