"""`lanes render`: YAML only, for whoever keeps the rules in git."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from lanes.change import changes, dump_all
from lanes.cli.changes import lane_named, mode_choice, versions_of
from lanes.cli.options import lane_name, service_option, target_options
from lanes.cli.place import OnThisMachine
from lanes.cli.target import Target
from lanes.edits import extend
from lanes.landscape import (
    DESTINATION_RULE,
    NAMESPACE,
    VIRTUAL_SERVICE,
    Document,
    Known,
    Landscape,
    LaneError,
    destination_rules_for,
    key_of,
    maps,
    resolved,
    spec_of,
    virtual_service_for,
)
from lanes.own import lanes_in, owner_of, routes_of
from lanes.render import render as rendered
from lanes.spec import Mode, SpecError
from lanes.specfile import spec_from
from lanes.store import LaneStore, Seen
from mesh import yamltext
from mesh.sources import objects_in, read_files


@click.command()
@click.argument("lane", required=False)
@service_option(required=False)
@click.option("--mode", type=mode_choice, help="[default: the lane's; permissive for a new one]")
@click.option(
    "-f", "--filename", "file", metavar="FILE", help="A file of services and lanes, rendered as a whole."
)
@click.option(
    "--config",
    type=click.Path(exists=True, path_type=Path),
    help="Istio YAML to put the lane into, a folder or a file; no mesh is asked then.",
)
@target_options
def render(
    lane: str | None,
    services: Mapping[str, str],
    mode: str | None,
    file: str | None,
    config: Path | None,
    target: Target,
) -> None:
    """Print the YAML of lanes, and change nothing.

    \b
    lanes render                                       what the lanes of the mesh consist of
    lanes render dev                                   the same of one lane
    lanes render dev -s reviews=v2                     what `create` or, if it is there, `add` would give
    lanes render dev -s reviews=v2 --config rules/     the same, without a mesh
    lanes render -f lanes.yaml                         services and lanes of a file

    A file for -f holds `services` (a base version, or shares) and `lanes`:

    \b
    services: {reviews: {v1: 80, v3: 20}, ratings: v1}
    lanes: {dev: {services: {reviews: v2}, mode: strict}}
    """
    if file is not None:
        if lane is not None or services or config is not None:
            raise click.UsageError("-f stands alone: the file says it all.")
        click.echo(dump_all(_of_file(Path(file))), nl=False)
        return
    if lane is None and services:
        raise click.UsageError("Say which lane has these services: lanes render LANE --service ...")
    run = any(target.names_workload(version) for version in target.checked(services).values())
    if run and (config is not None or isinstance(target.place, OnThisMachine)):
        raise click.UsageError("Only versions can be rendered; what is to be run is no YAML.")
    if lane is None:
        landscape = _of_config(config, target.lane_key) if config else target.run(_landscape)
        click.echo(dump_all(map(_without_time, _holding_lanes(landscape))), nl=False)
        return
    name = lane_name(click.get_current_context(), click.Argument(["lane"]), lane)
    wanted = None if mode is None else Mode(mode)
    if config is not None:
        found = _put(Seen(_of_config(config, target.lane_key)), name, services, wanted)
    else:
        found = target.run(lambda store: _planned(store, name, services, wanted, target))
    click.echo(dump_all(map(_without_time, found)), nl=False)


async def _landscape(store: LaneStore) -> Landscape:
    return (await store.read()).landscape


async def _planned(
    store: LaneStore, lane: str, services: Mapping[str, str], mode: Mode | None, target: Target
) -> list[Document]:
    seen = await store.read()
    versions, start = versions_of(seen, lane, services, target, "")
    started = await store.workload_changes(start, (), seen)
    return [*(each.after for each in started if each.after), *_put(seen, lane, versions, mode)]


def _put(seen: Seen, lane: str, versions: Mapping[str, str], mode: Mode | None) -> list[Document]:
    """What `create` would put in force; of a lane that is there all that it would consist of after `add`."""
    before = seen.landscape
    if not versions:
        lane_named(before, lane)
    after = extend(lane, versions, mode, None)(before)
    changed = {each.key: each.after for each in changes(before, after) if each.after is not None}
    if any(there.name == lane for there in lanes_in(before)):
        changed |= {key_of(document): document for document in _holding_lanes(after, lane)}
    return [changed[key] for key in sorted(changed)]


def _without_time(document: Document) -> Document:
    """For git, which need not know when an object was created."""
    metadata = {name: value for name, value in document["metadata"].items() if name != "creationTimestamp"}
    return {**document, "metadata": metadata}


def _of_file(file: Path) -> list[Document]:
    text = read_files([file])[str(file)]
    try:
        documents = yamltext.load_all(text)
        return rendered(spec_from(documents[0] if documents else None))
    except (yamltext.YamlError, SpecError) as error:
        raise LaneError(f"{file}: {error}.") from None


def _of_config(config: Path, lane_key: str) -> Landscape:
    """The objects of a folder; who has a rule, a ServiceEntry or a Service there is a service."""
    documents = [item.document for item in objects_in(read_files([config], recursive=True))]
    found: dict[str, Known] = {}
    for document in documents:
        spec, metadata = spec_of(document), document["metadata"]
        namespace = str(metadata["namespace"])
        hosts = spec.get("hosts") or ([spec["host"]] if "host" in spec else [])
        ports: tuple[int, ...] = ()
        if document["kind"] in ("ServiceEntry", "Service"):
            ports = tuple(int(p.get("number") or p.get("port") or 0) for p in maps(spec.get("ports")))
        if document["kind"] == "Service":
            hosts = [str(metadata["name"])]
        elif document["kind"] not in ("ServiceEntry", VIRTUAL_SERVICE, DESTINATION_RULE):
            hosts = []
        for host in hosts:
            name, _, rest = resolved(host, namespace).partition(".")
            if rest == f"{NAMESPACE}.svc.cluster.local" and name != "*":
                known = found.get(name)
                found[name] = Known(name, NAMESPACE, ports or (known.ports if known else ()))
    return Landscape.of(documents, list(found.values()), lane_key)


def _holding_lanes(landscape: Landscape, only: str | None = None) -> list[Document]:
    """The rules that lanes, or one of them, have a part in, with all that is in them."""
    lanes = [lane for lane in lanes_in(landscape) if only in (None, lane.name)]
    found: list[Document] = []
    for service in landscape.services:
        owned = [owner_of(route, landscape.lane_key) for route in routes_of(landscape, service)]
        if not any(own is not None and only in (None, own.lane) for own in owned):
            continue
        if any(service.name in lane.versions for lane in lanes):
            found += [landscape.objects[key] for key in destination_rules_for(landscape, service)]
        key = virtual_service_for(landscape, service)
        found += [landscape.objects[key]] if key is not None else []
    return found
