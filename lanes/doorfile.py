"""The file of the door's rules: YAML in, rules out, with the place of whatever is wrong. Pure.

```yaml
rules:                      # in order; the first that names a lane wins
  - header: x-lane          # its value is the lane
  - header: x-team          # this value leads to the lane dev
    equals: blue
    lane: dev
  - cookie: lane
  - user: [jason, ann]      # whoever is signed in by such a name
    lane: dev
  - percent: 10             # of the visitors who asked for no lane
    lane: dev
```
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from lanes.baggage import is_key
from lanes.door import CookieRule, HeaderRule, Rule, ShareRule, UserRule
from lanes.spec import lane_name_fault

KINDS = ("header", "cookie", "user", "percent")
_KEYS = (*KINDS, "equals", "lane")
_HUNDRED = 100
# 33.3 + 33.3 + 33.4 is 100, whatever binary fractions make of it.
_DIGITS = 9


class DoorError(ValueError):
    """Rules that cannot be used; the message is one sentence with the place."""


@dataclass(frozen=True, slots=True)
class DoorRule:
    """One rule as written: exactly one of header, cookie, users and percent says whom it is for."""

    header: str | None = None
    cookie: str | None = None
    users: tuple[str, ...] = ()
    percent: float | None = None
    equals: str | None = None
    lane: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As it stands in the file."""
        user: str | list[str] | None = list(self.users) or None
        if len(self.users) == 1:
            user = self.users[0]
        percent = self.percent
        if percent is not None and percent == int(percent):
            percent = int(percent)
        pairs = {"header": self.header, "cookie": self.cookie, "user": user, "percent": percent}
        pairs |= {"equals": self.equals, "lane": self.lane}
        return {key: value for key, value in pairs.items() if value is not None}

    def describe(self) -> str:
        """In words."""
        to = f"→ {self.lane}" if self.lane else "→ the lane it names"
        for kind, name in (("header", self.header), ("cookie", self.cookie)):
            if name is not None:
                return f"{kind} {name}{'' if self.equals is None else f' = {self.equals}'} {to}"
        if self.users:
            return f"user {', '.join(self.users)} {to}"
        return f"{self.percent:g}% of the visitors who asked for no lane {to}"


def parse_door(text: str, label: str = "the rules") -> tuple[DoorRule, ...]:
    """The rules of a file; an empty file has none. DoorError names the place of the first fault."""
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
        document = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{label}:{mark.line + 1}" if mark else label
        raise DoorError(f"{place}: this is not YAML: {getattr(error, 'problem', None) or error}.") from None
    if document is None:
        return ()
    places = _Places(label, root)
    if not isinstance(document, dict) or set(document) - {"rules"}:
        odd = next((key for key in document if key != "rules"), None) if isinstance(document, dict) else None
        raise places.error((odd,) if odd is not None else (), "the file holds `rules` and nothing else")
    rules = document.get("rules") or []
    if not isinstance(rules, list):
        raise places.error(("rules",), "it is a list of rules")
    found = tuple(_rule(rule, ("rules", index), places) for index, rule in enumerate(rules))
    total = 0.0
    for index, rule in enumerate(found):
        total = round(total + (rule.percent or 0), _DIGITS)
        if total > _HUNDRED:
            raise places.error(("rules", index, "percent"), f"the shares sum to {total:g}, more than 100")
    return found


def compiled(rules: Iterable[DoorRule]) -> tuple[Rule, ...]:
    """The rules as the door goes by them; shares lie beside each other, so that each gets all of its own."""
    found: list[Rule] = []
    total = 0.0
    for rule in rules:
        if rule.header is not None:
            found.append(HeaderRule(rule.header, rule.equals, rule.lane))
        elif rule.cookie is not None:
            found.append(CookieRule(rule.cookie, rule.equals, rule.lane))
        elif rule.users:
            found.append(UserRule(frozenset(rule.users), rule.lane or ""))
        else:
            before, total = total, round(total + (rule.percent or 0), _DIGITS)
            found.append(ShareRule(before / _HUNDRED, total / _HUNDRED, rule.lane or ""))
    return tuple(found)


def format_door(rules: Iterable[DoorRule]) -> str:
    """The text of the file."""
    document = {"rules": [rule.to_dict() for rule in rules]}
    return str(yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True))


def digest_of(text: str) -> str:
    """By what a door and whoever wrote its rules know that they speak of the same."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


Path = tuple[str | int, ...]


class _Places:
    """Where in a YAML text a field is."""

    def __init__(self, label: str, root: Any) -> None:
        self._label = label
        self._root = root

    def error(self, path: Path, reason: str) -> DoorError:
        """The error of this field."""
        node = self._root
        for step in path:
            node = _below(node, step) or node
        field = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")
        line = f":{node.start_mark.line + 1}" if node is not None else ""
        return DoorError(f"{self._label}{line}: {f'{field}: ' if field else ''}{reason}.")


def _below(node: Any, step: str | int) -> Any:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
        return node.value[step]
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == str(step)), None)
    return None


def _rule(rule: object, path: Path, places: _Places) -> DoorRule:
    if not isinstance(rule, dict):
        raise places.error(path, "a rule is a mapping such as {header: x-lane}")
    for key in rule:
        if key not in _KEYS:
            raise places.error((*path, key), f"a rule has no such field; it has {', '.join(_KEYS)}")
    kinds = [kind for kind in KINDS if kind in rule]
    if len(kinds) != 1:
        raise places.error(path, f"a rule has exactly one of {', '.join(KINDS)}")
    kind = kinds[0]
    lane = _text(rule, "lane", path, places)
    equals = _text(rule, "equals", path, places)
    if lane is not None and (fault := lane_name_fault(lane)):
        raise places.error((*path, "lane"), f"the lane name {lane!r} {fault}")
    if lane is None and (kind in ("user", "percent") or equals is not None):
        raise places.error(path, "this rule needs a `lane` to lead to")
    if equals is not None and kind not in ("header", "cookie"):
        raise places.error((*path, "equals"), "only a header or a cookie can be compared")
    return _of_kind(kind, rule, equals, lane, path, places)


def _of_kind(
    kind: str, rule: Mapping[str, Any], equals: str | None, lane: str | None, path: Path, places: _Places
) -> DoorRule:
    if kind == "percent":
        share = rule["percent"]
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= _HUNDRED:
            raise places.error((*path, "percent"), f"{share!r} is no number above 0 and up to 100")
        return DoorRule(percent=float(share), lane=lane)
    if kind == "user":
        users = rule["user"] if isinstance(rule["user"], list) else [rule["user"]]
        if not users or not all(isinstance(user, str) and user for user in users):
            raise places.error((*path, "user"), "a user is a name, or a list of names; quote one like 007")
        return DoorRule(users=tuple(users), lane=lane)
    name = _text(rule, kind, path, places) or ""
    if not is_key(name):
        raise places.error((*path, kind), f"{name!r} cannot be the name of a {kind}")
    if kind == "header":
        return DoorRule(header=name.lower(), equals=equals, lane=lane)
    return DoorRule(cookie=name, equals=equals, lane=lane)


def _text(rule: Mapping[str, Any], key: str, path: Path, places: _Places) -> str | None:
    value = rule.get(key)
    if value is not None and (not isinstance(value, str) or not value):
        raise places.error((*path, key), f"{value!r} is no text; quote it if it is meant as one")
    return value
