"""YAML that cannot be read is refused with its place, and never costs the process."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.yamltree import MAX_NODES, compose


@pytest.mark.parametrize(
    ("text", "document", "line", "field", "message"),
    [
        ("a: b: c", 1, 1, "", "mapping values are not allowed"),
        ("a: 1\n---\nb: [1", 2, 3, "", "parsing a flow sequence"),
        ("a: 1\nb:\n  c: 1\n  c: 2", 1, 4, "b.c", "duplicate key; first given on line 3"),
        ("a:\n- x: 1\n  x: 2", 1, 3, "a[0].x", "duplicate key"),
        ("- 1", 1, 1, "", "must be a mapping"),
        ("a: &a {b: 1}\nc: {<<: *a}", 1, 2, "c", "merge keys"),
        ("? {a: 1}\n: 2", 1, 1, "", "a key must be a string"),
        ("a: \x01", 1, 0, "", "not YAML"),
        ("[" * 50_000, 1, 0, "", "levels deep"),
        ("- " * 5_000 + "a", 1, 0, "", "levels deep"),
        ("a: &a\n- *a", 1, 1, "", "contains it"),
        ("a: 1\n---\n# nothing\n---\nb: 1\nb: 2", 3, 6, "b", "duplicate key"),
    ],
)
def test_what_cannot_be_read_has_a_place(
    text: str, document: int, line: int, field: str, message: str
) -> None:
    _, reports = compose(text, "x.yaml")
    (error,) = [error for report in reports for error in report.errors]
    assert (error.file, error.document, error.line, error.field) == ("x.yaml", document, line, field)
    assert message in error.message


def test_good_documents_beside_a_bad_one_are_kept() -> None:
    documents, reports = compose("a: 1\n---\nb: 1\nb: 2\n---\nc: 1", "x.yaml")
    assert [document.number for document in documents] == [1, 3]
    assert len(reports) == 1


def test_empty_documents_count_and_are_nothing() -> None:
    documents, reports = compose("---\n# a comment\n---\na: 1\n---\nnull\n", "x.yaml")
    assert [document.number for document in documents] == [2]
    assert not reports


def test_aliases_of_aliases_do_not_unfold_for_ever() -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    _, (report,) = compose("\n".join(lines), "x.yaml")
    assert len(report.errors) == 1
    assert "too many values" in report.errors[0].message
    assert MAX_NODES < 9**12


@given(st.text(alphabet=st.sampled_from("ab:-[]{}&*!|>'\"#,? \n\t%@`<~1"), max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    documents, reports = compose(text, "x.yaml")
    for report in reports:
        for error in report.errors:
            assert error.message
            assert 0 <= error.line <= text.count("\n") + 2
    assert all(document.number >= 1 for document in documents)
