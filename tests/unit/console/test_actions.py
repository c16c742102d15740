"""The journal: what is told of it, what is kept, and who was there later."""

from typing import Any

import pytest

from console.acting.actions import KEPT, Actions, Done
from console.acting.undo import Process, Rules, inverse_of
from lanes.change import Change
from lanes.landscape import Key
from mesh.errors import NotFound

REVIEWS = Key("VirtualService", "default", "reviews")


def rules(before: int, after: int, key: Key = REVIEWS) -> Rules:
    found = inverse_of([Change(key, {"n": before}, {"n": after})])
    assert found is not None
    return found


def journal() -> tuple[Actions, list[dict[str, Any]]]:
    published: list[dict[str, Any]] = []
    return Actions(published.append, lambda: 1_700_000_000.5), published


def test_an_action_as_the_page_gets_it() -> None:
    actions, published = journal()
    actions.add(Done("Kill reviews/v2", False, 12.345, ("killed",), Process("reviews/v2", "start")))
    assert published == [actions.to_dict()]
    assert published[0]["actions"] == [
        {
            "id": "1",
            "time": 1_700_000_000.5,
            "title": "Kill reviews/v2",
            "ok": False,
            "milliseconds": 12.3,
            "lines": ["killed"],
            "undoable": True,
            "undone": False,
        }
    ]


def test_what_changed_nothing_is_not_kept() -> None:
    actions, published = journal()
    sent = actions.made(Done("Send 1 request"))
    assert (sent.undoable, published, actions.to_dict()) == (False, [], {"actions": []})


def test_what_was_undone_is_not_undoable_and_its_undo_is() -> None:
    actions, _ = journal()
    first = actions.add(Done("Weights", inverse=rules(1, 2)))
    actions.add(Done("Undo: Weights", inverse=rules(2, 1)), undoes=first.id)
    undo, done = actions.to_dict()["actions"]
    assert (undo["undoable"], undo["undone"]) == (True, False)
    assert (done["undoable"], done["undone"]) == (False, True)


def test_the_newest_fifty_are_kept() -> None:
    actions, _ = journal()
    for number in range(KEPT + 1):
        actions.add(Done(str(number)))
    kept = actions.to_dict()["actions"]
    assert [kept[0]["title"], kept[-1]["title"], len(kept)] == ["50", "1", KEPT]
    with pytest.raises(NotFound):
        actions.find("1")
    assert actions.find("2").done.title == "1"


def test_who_changed_an_object_later() -> None:
    actions, _ = journal()
    first = actions.add(Done("first", inverse=rules(1, 2)))
    actions.add(Done("elsewhere", inverse=rules(1, 2, Key("VirtualService", "default", "details"))))
    actions.add(Done("kill", inverse=Process("reviews/v2", "start")))
    assert actions.later(first, REVIEWS) is None
    second = actions.add(Done("second", inverse=rules(2, 3)))
    assert actions.later(first, REVIEWS) == second
    assert actions.later(second, REVIEWS) is None
    undo = actions.add(Done("Undo: second", inverse=rules(3, 2)), undoes=second.id)
    assert actions.later(first, REVIEWS) == undo


def test_what_changes_nothing_has_no_inverse() -> None:
    assert inverse_of([Change(REVIEWS, {"n": 1}, {"n": 1})]) is None
