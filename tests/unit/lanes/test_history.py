"""The history of lanes: which of them are missed."""

from lanes.history import Revision, lost_since
from lanes.spec import Lane

DEV = Lane("dev", {"reviews": "v2"})
K = Lane("k", {"reviews": "v3"})
FIRST = Revision(1, "", "", "create dev", (DEV,), key="env")
OTHERS = Revision(2, "", "", "create k --key team", (K,), key="team")


def test_lanes_of_another_key_are_not_missed() -> None:
    assert lost_since([FIRST, OTHERS], [DEV], "env") == {}
    assert lost_since([FIRST, OTHERS], [], "env") == {"dev": 1}
    assert lost_since([FIRST, OTHERS], [], "team") == {"k": 2}


def test_a_revision_of_before_keys_were_written_down_counts_for_any() -> None:
    data = {name: value for name, value in FIRST.to_dict().items() if name != "key"}
    assert lost_since([Revision.from_dict(data)], [], "team") == {"dev": 1}
