"""`exportTo`, by the rules of Istio's `validateExportTo`."""

from __future__ import annotations

from controlplane import names
from controlplane.fields import Fields


def parse_exports(
    fields: Fields, namespace: str, *, is_service: bool = False, is_selected: bool = False
) -> tuple[str, ...]:
    """Read `exportTo`: `.`, `*`, namespaces, and for a service `~`; `.` is given as its namespace."""
    found: list[str] = []
    given = fields.placed_strings("exportTo")
    for text, path, line in given:
        key = namespace if text == "." else text
        if key in found:
            fields.report.error(line, path, f"{key} is given twice")
        elif text == "~" and not is_service:
            fields.report.error(line, path, "~ (no one) is for a ServiceEntry only")
        elif text not in (".", "*", "~") and not names.is_dns_label(text):
            fields.report.error(line, path, f'"{text}" is neither . nor * nor a namespace')
        found.append(key)
    for alone, word in (("*", "everyone"), ("~", "no one")):
        if alone in found and len(found) > 1:
            fields.error(f"{alone} ({word}) stands alone", "exportTo")
    if is_selected and found and found != [namespace]:
        fields.error("with a workloadSelector it cannot go beyond its own namespace", "exportTo")
    return tuple(found)
