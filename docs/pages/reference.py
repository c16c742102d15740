"""The API reference: public names, their signatures and docstrings, as griffe finds them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import griffe
from proxyless.__main__ import main as commands

HERE = Path(__file__).parent
XDS = Path(__file__).parents[2] / "xds"
_MODULES = ("proxyless", "proxyless.http", "proxyless.csds")
_FOR_USERS = {
    "Client": ("channel", "explain", "config_dump", "close"),
    "Channel": (
        *("unary_unary", "unary_stream", "stream_unary", "stream_stream"),
        *("get_state", "wait_for_state_change", "channel_ready", "close"),
    ),
}
"""Of classes that other files of the library use as well, what users may rely on; of others that is all."""

_WIDTH = 100


def render() -> str:
    """The page, as Markdown."""
    lines = [(HERE / "reference.head.md").read_text(encoding="utf-8").rstrip(), ""]
    for name, module in _modules():
        lines += [f"## {name}", "", *_names(module, name)]
    lines += ["## Commands", "", *_commands()]
    return "\n".join(lines).rstrip() + "\n"


def public() -> Iterator[tuple[str, griffe.Object]]:
    """Every name on the page, with what it is."""
    for name, module in _modules():
        for each, thing in _exports(module):
            yield f"{name}.{each}", thing
            if isinstance(thing, griffe.Class):
                yield from ((f"{name}.{each}.{key}", member) for key, member in _members(thing))


def _modules() -> Iterator[tuple[str, griffe.Module]]:
    """The modules with public names, those of them that there are."""
    package = griffe.load("proxyless", search_paths=[str(XDS)])
    for name in _MODULES:
        inner = name.partition(".")[2]
        if not inner or inner in package.members:
            found = package[inner] if inner else package
            assert isinstance(found, griffe.Module)
            yield name, found


def _exports(module: griffe.Module) -> Iterator[tuple[str, griffe.Object]]:
    """What a module's `__all__` names, and where it is imported from, what that is."""
    for name in sorted(map(str, module.exports or ())):
        found = module[name]
        if isinstance(found, griffe.Module) and name in found.members:
            found = found[name]  # imported from a module of its own name, which is all griffe sees
        yield name, found.final_target if isinstance(found, griffe.Alias) else found


def _names(module: griffe.Module, path: str) -> Iterator[str]:
    for name, thing in _exports(module):
        yield from (f"### {path}.{name}", "", *_code(thing, name), *_docstring(thing))
        if isinstance(thing, griffe.Class):
            for key, member in _members(thing):
                if isinstance(member, griffe.Function):
                    yield from (f"#### {name}.{key}", "", *_code(member, key), *_docstring(member))
            yield from _attributes(thing)


def _members(thing: griffe.Class) -> Iterator[tuple[str, griffe.Object]]:
    """The public members of a class, those of bases of its own library included, in the source's order."""
    classes = [thing, *(base for base in thing.mro() if base.path.startswith("proxyless."))]
    seen: set[str] = set()
    shown = _FOR_USERS.get(thing.name)
    for each in classes:
        for name, member in each.members.items():
            if name.startswith("_") or name in seen or isinstance(member, griffe.Alias):
                continue
            if shown is not None and name not in shown:
                continue
            if isinstance(member, griffe.Attribute) and not (
                member.docstring or "class-attribute" in member.labels or "dataclass" in each.labels
            ):
                continue  # what `__init__` keeps for itself
            seen.add(name)
            yield name, member


def _attributes(thing: griffe.Class) -> Iterator[str]:
    rows = [(key, each) for key, each in _members(thing) if isinstance(each, griffe.Attribute)]
    if not rows:
        return
    yield from ("| attribute | type | |", "| --- | --- | --- |")
    for key, each in rows:
        kind = str(each.annotation).replace("|", "\\|") if each.annotation else ""
        text = " ".join(each.docstring.value.split()) if each.docstring else ""
        yield f"| `{key}` | `{kind}` | {text} |"
    yield ""


def _code(thing: griffe.Object, name: str) -> Iterator[str]:
    """The signature, as one would write it."""
    yield "```python"
    if isinstance(thing, griffe.Class):
        bases = ", ".join(str(base) for base in thing.bases)
        start = thing.all_members.get("__init__")
        start = start.final_target if isinstance(start, griffe.Alias) else start
        if isinstance(start, griffe.Function) and thing.name not in _NOT_MADE:
            yield _signature("class ", name, start)
        else:
            yield f"class {name}({bases})" if bases else f"class {name}"
    elif isinstance(thing, griffe.Function):
        for label in ("classmethod", "staticmethod"):
            if label in thing.labels:
                yield f"@{label}"
        yield _signature("async def " if "async" in thing.labels else "def ", name, thing)
    else:
        yield name
    yield from ("```", "")


_NOT_MADE = frozenset({"Channel", "Decision"})
"""Classes that are had from another, never made by the user."""


_STARS = {griffe.ParameterKind.var_positional: "*", griffe.ParameterKind.var_keyword: "**"}


def _signature(word: str, name: str, function: griffe.Function) -> str:
    parameters: list[str] = []
    starred = False
    for each in function.parameters:
        if each.name in ("self", "cls") or each.name.startswith("_"):
            continue
        if each.kind is griffe.ParameterKind.keyword_only and not starred:
            parameters.append("*")
        stars = _STARS.get(each.kind, "")
        starred = starred or bool(stars) or each.kind is griffe.ParameterKind.keyword_only
        text = stars + each.name
        if each.annotation is not None:
            text += f": {each.annotation}"
        if each.default is not None and not stars:
            text += f" = {each.default}"
        parameters.append(text)
    result = f" -> {function.returns}" if function.returns and word != "class " else ""
    line = f"{word}{name}({', '.join(parameters)}){result}"
    if len(line) <= _WIDTH:
        return line
    return "\n".join([f"{word}{name}(", *(f"    {each}," for each in parameters), f"){result}"])


def _docstring(thing: griffe.Object) -> Iterator[str]:
    if thing.docstring is None:
        return
    text = thing.docstring.value.replace("\n::\n", "\n```text\n")
    if "```text" in text:
        # A literal block ends where the text is no longer indented.
        head, _, rest = text.partition("```text\n")
        block, _, tail = rest.lstrip("\n").partition("\n\n")
        text = f"{head}```text\n{block}\n```\n\n{tail}"
    yield from (text, "")


def _commands() -> Iterator[str]:
    above = click.Context(commands, info_name="python -m proxyless", **commands.context_settings)
    for name, command in sorted(commands.commands.items()):
        context = click.Context(command, parent=above, info_name=name, terminal_width=_WIDTH)
        yield from (f"### python -m proxyless {name}", "", "```text", command.get_help(context), "```", "")
