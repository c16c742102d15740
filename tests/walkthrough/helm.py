"""`helm template` as far as a page types it, by Helm's own engine; there is no `helm` to be had from PyPI."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import helm_python
import yaml


@click.command()
@click.argument("verb", type=click.Choice(["template"]))
@click.argument("release")
@click.argument("chart", type=click.Path(exists=True))
@click.option("--namespace", required=True)
@click.option("--values", type=click.File())
@click.option("--show-only", required=True)
def main(
    verb: str, release: str, chart: str, namespace: str, values: click.utils.LazyFile, show_only: str
) -> None:
    """Print one rendered template."""
    loaded = helm_python.Chart.load(Path(chart).resolve())
    texts = loaded.render(yaml.safe_load(values), name=release, namespace=namespace)
    sys.stdout.write(texts[f"{Path(chart).name}/{show_only}"])


if __name__ == "__main__":
    main()
