"""The table of routes: what all three clients are asked."""

from tests.parity import requests
from tests.parity.cases import numbered
from tests.parity.rows import (
    faults,
    headers,
    http_answers,
    http_failures,
    http_matching,
    http_sending,
    retries,
    routes,
)

CASES = numbered((*headers.ROWS, *routes.ROWS, *faults.ROWS, *retries.ROWS), "case")
"""The rows, each with a listener name of its own."""

REQUESTS = requests.numbered(
    (*http_matching.ROWS, *http_answers.ROWS, *http_sending.ROWS, *http_failures.ROWS), "request"
)
"""The rows of HTTP, which gRPC's client has not."""
