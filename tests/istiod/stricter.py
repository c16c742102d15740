"""Documents the embedded control plane refuses although Istiod, reading a directory, takes them.

Istiod reads files leniently: it skips fields it does not know, and of two that exclude each other it keeps
the last. In a cluster none of them gets that far: by the schema of Istio's CRDs the API server refuses them.
"""

from __future__ import annotations

from tests.istiod.documents import document
from tests.istiod.verdicts import hashing, http, place, routes, rules
from tests.unit.controlplane.documents import VS, match
from tests.unit.controlplane.documents import document as unit_document

UNKNOWN_FIELDS = (
    *routes("headers: {both: {}}"),
    place(unit_document(VS, "htp: [] # <<<\nhttp: [{route: [{destination: {host: a}}]}]")),
    place(match("headers:\n  a: {exakt: dev} # <<<")),
)
ONE_OF_TWO = (
    *rules(
        "{loadBalancer: {simple: RANDOM, consistentHash: {useSourceIp: true}}}",
        hashing("{httpHeaderName: a, useSourceIp: true}"),
        hashing("{useSourceIp: true, maglev: {tableSize: 5}, ringHash: {}}"),
    ),
    place(match("headers:\n  a: {exact: a, prefix: b} # <<<")),
    http("directResponse: {status: 200, body: {string: a, bytes: YQ==}}"),
    http("redirect: {port: 1, derivePort: FROM_REQUEST_PORT}"),
)
NULLS = (*routes("match: [null]"), place(match("headers:\n  a: null # <<<")))
NUMBERS_FOR_NAMES = (
    http("redirect: {derivePort: 1}"),
    document("ServiceEntry", "thing", "hosts: [a.com]\nresolution: 1"),
)

STRICTER = frozenset((*UNKNOWN_FIELDS, *ONE_OF_TWO, *NULLS, *NUMBERS_FOR_NAMES))
