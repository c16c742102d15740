"""What explain says of a decision."""

from lanes.cli.trying import reasons


def test_clusters_among_which_a_call_is_drawn_are_told_with_their_weights() -> None:
    decision = {
        "service": "reviews",
        "route": {"name": "", "index": 1},
        "cluster": "v3",
        "clusters": {"v1": 4, "v3": 1, "v9": 0},
        "endpoints": ["127.0.0.1:1"],
        "steps": [],
        "error": None,
    }
    assert [*reasons(decision)] == ["reviews: route 1 → v1 80%, v3 20%"]
    alone = {**decision, "clusters": {"v3": 1}}
    assert [*reasons(alone)] == ["reviews: route 1 → v3 at 127.0.0.1:1"]
