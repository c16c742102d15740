"""Commands about rules: apply, delete, get."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

import click

from mesh.cli.options import ask, console, state_option, timeout_option
from mesh.errors import MeshError, NotFound
from mesh.inventory import NAMESPACE
from mesh.objects import MeshObject, Ref, dump_yaml, kind_named
from mesh.report import Report
from mesh.sources import objects_in, read_files, read_stdin
from mesh.table import objects_view

_STDIN = "-"
_file_option = click.option(
    "-f",
    "--filename",
    "files",
    multiple=True,
    metavar="FILE",
    help="A YAML file, a folder of them, or - for standard input; may be given several times.",
)


@click.command()
@_file_option
@timeout_option
@state_option
def apply(files: tuple[str, ...], timeout: float, state: str) -> None:
    """Put rules in force: any Istio YAML, unchanged.

    Says who has taken them and in how many milliseconds. Exit code 1 when the control plane or a client
    refuses, or a client does not answer in time.
    """
    if not files:
        raise click.UsageError("Say which rules: -f FILE.")
    texts = _read(files)
    _show(ask(state, lambda mesh: mesh.apply_files(texts, timeout)))


@click.command()
@click.argument("kind", required=False)
@click.argument("names", nargs=-1)
@_file_option
@click.option("-n", "--namespace", default=NAMESPACE, show_default=True, help="Where the objects named are.")
@timeout_option
@state_option
def delete(
    kind: str | None,
    names: tuple[str, ...],
    files: tuple[str, ...],
    namespace: str,
    timeout: float,
    state: str,
) -> None:
    """Take rules out of force: those in -f FILE, or KIND NAME..."""
    refs = [item.ref for item in objects_in(_read(files))] if files else []
    if kind is not None:
        kind, names = _split(kind, names)
        if not names:
            raise click.UsageError(f"Say which {kind} to delete: KIND NAME.")
        kind = kind_named(kind, _kinds(ask(state, lambda mesh: mesh.objects())))
        refs += [Ref(kind, namespace, name) for name in names]
    if not refs:
        raise click.UsageError("Say what to delete: -f FILE, or KIND NAME.")
    _show(ask(state, lambda mesh: mesh.delete_refs(refs, timeout)))


@click.command()
@click.argument("kind", required=False)
@click.argument("names", nargs=-1)
@click.option("-n", "--namespace", help="Only objects of this namespace.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "yaml", "json"]),
    default="table",
    show_default=True,
    help="yaml is what `apply -f -` and Istio take.",
)
@state_option
def get(kind: str | None, names: tuple[str, ...], namespace: str | None, output: str, state: str) -> None:
    """Show the rules in force: all, those of a KIND (`vs`, `destinationrules`, `vs,dr`), or those named."""
    objects = ask(state, lambda mesh: mesh.objects())
    kinds: list[str] = []
    if kind is not None:
        kind, names = _split(kind, names)
        kinds = [] if kind == "all" else [kind_named(each, _kinds(objects)) for each in kind.split(",")]
    chosen = choose(objects, kinds, names, namespace)
    if output == "yaml":
        click.echo("---\n".join(dump_yaml(item.document) for item in chosen), nl=False)
    elif output == "json":
        click.echo(json.dumps(as_list(chosen, single=len(names) == 1), indent=2, default=str))
    elif chosen:
        console().print(objects_view(chosen))
    else:
        click.echo("No objects found.", err=True)


def choose(
    objects: Sequence[MeshObject], kinds: Collection[str], names: Sequence[str], namespace: str | None
) -> list[MeshObject]:
    """The objects a user asks for, no kinds being all; NotFound when one is named that is not there."""
    of_kind = [
        item
        for item in objects
        if (not kinds or item.ref.kind in kinds) and namespace in (None, item.ref.namespace)
    ]
    missing = [name for name in names if all(item.ref.name != name for item in of_kind)]
    if missing:
        wanted = " or ".join(kinds or ["object"]).lower()
        raise NotFound(f"There is no {wanted} {', '.join(missing)} in this mesh.")
    return [item for item in of_kind if not names or item.ref.name in names]


def as_list(objects: Sequence[MeshObject], *, single: bool) -> object:
    """As kubectl prints JSON: the one object asked for, or a List."""
    if single and len(objects) == 1:
        return objects[0].document
    return {"apiVersion": "v1", "kind": "List", "items": [item.document for item in objects]}


def _kinds(objects: Sequence[MeshObject]) -> list[str]:
    return sorted({item.ref.kind for item in objects})


def _split(kind: str, names: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """`vs/reviews` is `vs reviews`."""
    kind, slash, name = kind.partition("/")
    return kind, ((name, *names) if slash else names)


def _read(files: Sequence[str]) -> dict[str, str]:
    if "" in files:
        raise click.UsageError("-f needs the name of a file, a folder or -.")
    texts = read_files(Path(name) for name in files if name != _STDIN)
    if _STDIN in files:
        texts["stdin"] = read_stdin(sys.stdin.buffer)
    return texts


def _show(report: Report) -> None:
    for line in report.lines():
        click.echo(line)
    if not report.ok:
        raise MeshError("Not every client that is affected has taken the change.")
