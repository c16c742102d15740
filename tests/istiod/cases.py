"""Every case: some documents and the calls asked about. Generated ones come from a seed, so they stay."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lanes.render import render
from lanes.spec import Lane, MeshSpec, Mode, Service
from tests.istiod import documents, endpoints, features
from tests.istiod.questions import HOST, Identity, Question
from tests.lane_matrix import SPEC

ROOT = Path(__file__).parents[2]
GENERATED = 72
SEED = 20240506
RATINGS = "ratings.default.svc.cluster.local"
FOREIGNER = Identity("other", (("app", "details"),), "127.9.9.8")

QUESTIONS = (
    Question(),
    Question(metadata=(("baggage", "env=dev"),)),
    Question(metadata=(("x-user", "jason"),)),
    Question(metadata=(("x-user", "jane"), ("baggage", "user=7,env=dev"), ("a-one", "a"), ("b-two", "b"))),
    Question(method="/other.Service/Call"),
    Question("reviews:9080"),
    Question(f"{RATINGS}:9080", metadata=(("baggage", "env=dev"),)),
    Question(identity=FOREIGNER),
)


@dataclass(frozen=True)
class Case:
    """Documents, one text each, and what is asked over them."""

    name: str
    documents: tuple[str, ...]
    questions: tuple[Question, ...] = QUESTIONS

    @property
    def digest(self) -> str:
        """Changes with the documents and with what is asked."""
        asked = [f"{question.target} {question.identity.name}" for question in self.questions]
        return hashlib.sha256("\n".join((*self.documents, *asked)).encode()).hexdigest()[:12]

    def targets(self, identity: Identity) -> list[str]:
        """What clients of an identity ask for."""
        return sorted({question.target for question in self.questions if question.identity == identity})

    @property
    def identities(self) -> list[Identity]:
        """Who asks."""
        return list(dict.fromkeys(question.identity for question in self.questions))


def all_cases() -> list[Case]:
    """The project's own YAML, the worlds of endpoints, and the generated combinations."""
    return [*_project(), *_worlds(), *_generated()]


def _split(text: str) -> tuple[str, ...]:
    """Texts of one document each."""
    return tuple(part.strip() + "\n" for part in text.split("---\n") if part.strip())


def _placed(objects: Iterator[Any] | list[Any]) -> tuple[str, ...]:
    """Objects as texts, in the namespace `apply` would write."""
    found = []
    for each in objects:
        each["metadata"].setdefault("namespace", "default")
        found.append(yaml.safe_dump(each, sort_keys=False))
    return tuple(found)


def _project() -> Iterator[Case]:
    services = _split(documents.SERVICES)
    lane_calls = tuple(
        Question(target, metadata=metadata)
        for target in (f"{HOST}:9080", f"{RATINGS}:9080", "details.default.svc.cluster.local:9080")
        for metadata in (
            (),
            (("baggage", "env=dev"),),
            (("baggage", "user=7,env=dev;ttl=1,x=y"),),
            (("baggage", "env=dev2"),),
            (("baggage", "env=qa"),),
        )
    )
    for folder in sorted({file.parent for file in (ROOT / "mesh").rglob("*.yaml")}):
        objects = [
            each for file in sorted(folder.glob("*.yaml")) for each in yaml.safe_load_all(file.read_text())
        ]
        name = "-".join(folder.relative_to(ROOT).parts)
        yield Case(name, (*services, *_placed(objects)), lane_calls)
    for name, spec in _specs().items():
        yield Case(f"lanes-{name}", (*services, *_placed(render(spec))), lane_calls)
    yield lane_matrix()


def lane_matrix() -> Case:
    """The world of the lane matrix, with every version of the mesh."""
    services = (*_split(documents.SERVICES), documents.workload("details", "v2", "127.0.3.2"))
    questions = tuple(
        Question(f"{name}.default.svc.cluster.local:9080") for name in ("reviews", "ratings", "details")
    )
    return Case("lanes-matrix", (*services, *_placed(render(SPEC))), questions)


def _specs() -> dict[str, MeshSpec]:
    reviews = Service("reviews", "v1", 9080, ("v1", "v2", "v3"))
    ratings = Service("ratings", "v1", 9080, ("v1", "v2"))
    details = Service("details", "v1", 9080, ("v1",))
    dev = Lane("dev", {"reviews": "v2", "ratings": "v2"})
    return {
        "base": MeshSpec((reviews, ratings, details)),
        "dev": MeshSpec((reviews, ratings, details), (dev,)),
        "two": MeshSpec((reviews, ratings, details), (dev, Lane("qa", {"reviews": "v3"}))),
        "strict": MeshSpec((reviews, ratings, details), (Lane("dev", {"reviews": "v2"}, Mode.STRICT),)),
    }


def _worlds() -> Iterator[Case]:
    for name, text in endpoints.WORLDS.items():
        route = documents.virtual_service("- route: [{destination: {host: reviews, subset: v1}}]")
        rest = (route,) if "name: v1" in text else ()
        asked = tuple(
            each for each in QUESTIONS if each.target.partition(".")[0] in ("reviews:9080", "reviews")
        )
        yield Case(f"endpoints-{name}", (*_split(text), *rest), asked)


def _deck(random_: random.Random, table: dict[str, str]) -> Iterator[str]:
    """Names without end, each once before any comes again."""
    while True:
        names = list(table)
        random_.shuffle(names)
        yield from names


def _generated() -> Iterator[Case]:
    dice = random.Random(SEED)
    matches, actions = _deck(dice, features.MATCHES), _deck(dice, features.ACTIONS)
    surroundings, rules = _deck(dice, features.SURROUNDINGS), _deck(dice, features.RULES)
    for number in range(GENERATED):
        routes = []
        for index in range(dice.choice((1, 2, 2, 3))):
            action = features.ACTIONS[next(actions)].replace("\n", "\n  ")
            routes.append(f"- {action}\n  match: {features.MATCHES[next(matches)]}")
            if index == 0 and dice.random() < 0.2:
                routes[-1] = f"- {action}"
        routes.append(f"- {features.TO_V1}")
        text = documents.join(
            documents.WORLD,
            documents.virtual_service("\n".join(routes)),
            features.SURROUNDINGS[next(surroundings)],
            features.RULES[next(rules)],
        )
        yield Case(f"generated-{number:02}", _split(text))
