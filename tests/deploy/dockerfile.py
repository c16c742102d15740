"""A Dockerfile as data: instructions, stages, and what a `.dockerignore` lets through to them."""

from __future__ import annotations

import fnmatch
import json
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath


@dataclass(frozen=True)
class Instruction:
    """`KEYWORD value`, continued lines joined, flags (`--from=build`) apart."""

    keyword: str
    value: str
    flags: dict[str, str]

    @property
    def words(self) -> list[str]:
        """The value in the form that needs no shell, a JSON list; empty if it is in the other."""
        return list(json.loads(self.value)) if self.value.startswith("[") else []


@dataclass(frozen=True)
class Stage:
    """What stands between one FROM and the next."""

    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, keyword: str) -> list[Instruction]:
        """The stage's instructions of this keyword, in their order."""
        return [each for each in self.instructions if each.keyword == keyword]

    def last(self, keyword: str) -> Instruction:
        """The one of this keyword that counts."""
        return self.all(keyword)[-1]

    @property
    def environment(self) -> dict[str, str]:
        """What ENV sets."""
        return {key: value for each in self.all("ENV") for key, value in pairs(each.value).items()}


def pairs(text: str) -> dict[str, str]:
    """`A=b C="d e"`, as ENV and LABEL have it."""
    return {key: value.strip('"') for key, value in re.findall(r'([\w.]+)=("[^"]*"|\S+)', text)}


def stages(text: str) -> list[Stage]:
    """The stages of a Dockerfile, with the defaults of the ARGs before them filled in."""
    defaults: dict[str, str] = {}
    found: list[Stage] = []
    for instruction in instructions(text):
        if instruction.keyword == "FROM":
            base, _, name = instruction.value.partition(" AS ")
            for key, value in defaults.items():
                base = base.replace(f"${{{key}}}", value)
            found.append(Stage(base, name))
        elif found:
            found[-1].instructions.append(instruction)
        else:
            assert instruction.keyword == "ARG", f"{instruction.keyword} before the first FROM"
            defaults |= pairs(instruction.value)
    return found


def instructions(text: str) -> list[Instruction]:
    """Every instruction of a Dockerfile."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [_instruction(line) for line in joined.splitlines()]


def _instruction(line: str) -> Instruction:
    keyword, _, rest = line.partition(" ")
    flags: dict[str, str] = {}
    while match := re.match(r"--(\w+)=(\S+)\s+", rest.lstrip()):
        flags[match[1]] = match[2]
        rest = rest.lstrip()[match.end() :]
    return Instruction(keyword.upper(), rest.strip(), flags)


def lets_through(ignore: str, path: str) -> bool:
    """Whether a `.dockerignore` leaves this file to the builder: the last pattern that matches decides."""
    kept = True
    for line in ignore.splitlines():
        pattern = line.strip()
        if pattern and not pattern.startswith("#"):
            wanted = pattern.startswith("!")
            if _matches(pattern.removeprefix("!"), path):
                kept = wanted
    return kept


def _matches(pattern: str, path: str) -> bool:
    """A pattern matches a file by its name or by that of a folder it is in."""
    places = [path, *(str(parent) for parent in PurePosixPath(path).parents)][:-1] or [path]
    if pattern.startswith("**/"):
        return any(fnmatch.fnmatchcase(place.rpartition("/")[2], pattern[3:]) for place in places)
    return any(
        place.count("/") == pattern.count("/") and fnmatch.fnmatchcase(place, pattern) for place in places
    )
