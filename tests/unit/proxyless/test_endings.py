"""How an attempt ended, for those who judge endpoints by it."""

from __future__ import annotations

import pytest
from proxyless.endings import Ending, ending


@pytest.mark.parametrize(
    ("details", "end"),
    [
        (None, Ending()),
        ("", Ending()),
        ("no such product", Ending()),
        ("the server says: Stream removed (…)", Ending()),
        ("failed to connect to all addresses; last error: …", Ending("connect-failure")),
        ("Stream removed (Socket closed)", Ending("reset")),
        ("Stream removed (RST_STREAM (Received RST_STREAM with error code 2))", Ending("reset")),
        ("Stream removed (RST_STREAM (Received RST_STREAM with error code 7))", Ending("refused-stream")),
        ("Stream removed (GOAWAY received; Error code: 0; Debug Text: )", Ending("refused-stream")),
        ("Received http2 header with status: 503", Ending(None, 503)),
    ],
)
def test_how_an_attempt_ended(details: str | None, end: Ending) -> None:
    assert ending(details) == end
