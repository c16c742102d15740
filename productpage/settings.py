"""What productpage is told beyond what every service is told."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lanes.door import Door, HeaderRule
from serving.settings import Settings, Variable, flag, header, seconds, target_of, target_variable, text

DEPENDENCIES = ("details", "reviews", "ratings")
DELIVERY = "delivery"
"""The one that speaks HTTP."""

_SECRET_BYTES = 16


def _timeout(value: str) -> float:
    if (number := seconds(value)) == 0:
        raise ValueError("leaves no time for any call")
    return number


def _url(value: str) -> str:
    if not value:
        return ""
    parts = urlsplit(value)
    if parts.scheme != "http" or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("is not of the form http://HOST:PORT")
    return f"http://{parts.netloc}"


def _secret(value: str) -> bytes:
    if not value:
        return secrets.token_bytes(_SECRET_BYTES)
    if len(value.encode()) < _SECRET_BYTES:
        raise ValueError(f"is shorter than {_SECRET_BYTES} bytes")
    return value.encode()


TRUST_BAGGAGE = Variable(
    "TRUST_BAGGAGE", "off", "believe `baggage` from outside, and so the lane in it", flag
)
TRUST_END_USER = Variable(
    "TRUST_END_USER", "off", "believe `end-user` from outside when nobody signed in", flag
)
LANE_HEADER = Variable(
    "LANE_HEADER",
    "",
    "a header from outside whose value is the lane, such as x-lane; none if not set",
    header,
)
DOOR_RULES = Variable(
    "DOOR_RULES",
    "",
    "a file of rules that colour requests (see `lanes door`), watched for changes; none if not set",
    text,
)
LANE_MENU = Variable(
    "LANE_MENU", "on", "let visitors choose a lane on the page, which a cookie keeps; it colours them", flag
)
CONSOLE_URL = Variable(
    "CONSOLE_URL",
    "",
    "where the lane console listens; /mesh then shows it to all who reach this port",
    _url,
)
CALL_TIMEOUT = Variable("CALL_TIMEOUT", "3", "seconds that all calls for one request may take", _timeout)
SESSION_SECRET = Variable(
    "SESSION_SECRET",
    "",
    "what sessions are signed with; by chance if not set, and then they end with the process",
    _secret,
    secret=True,
)

VARIABLES: tuple[Variable[Any], ...] = (
    TRUST_BAGGAGE,
    TRUST_END_USER,
    LANE_HEADER,
    DOOR_RULES,
    LANE_MENU,
    CONSOLE_URL,
    CALL_TIMEOUT,
    SESSION_SECRET,
    *(target_variable(service) for service in (*DEPENDENCIES, DELIVERY)),
)


@dataclass(frozen=True, slots=True)
class PageSettings:
    """The door, the time calls may take in seconds, where the services are, and the secret of sessions."""

    door: Door
    call_timeout: float
    targets: Mapping[str, str]
    delivery: str
    session_secret: bytes
    door_rules: Path | None = None
    lane_menu: bool = True
    console_url: str = ""

    @classmethod
    def read(cls, settings: Settings, environ: Mapping[str, str]) -> PageSettings:
        """The settings in this environment; SettingError names the first that cannot be used."""
        lane_header = LANE_HEADER.read(environ)
        door = Door(
            rules=(HeaderRule(lane_header),) if lane_header else (),
            trust_baggage=TRUST_BAGGAGE.read(environ),
            trust_end_user=TRUST_END_USER.read(environ),
        )
        return cls(
            door=door,
            call_timeout=CALL_TIMEOUT.read(environ),
            targets={service: target_of(service, settings, environ) for service in DEPENDENCIES},
            delivery=target_of(DELIVERY, settings, environ),
            session_secret=SESSION_SECRET.read(environ),
            door_rules=Path(rules).absolute() if (rules := DOOR_RULES.read(environ)) else None,
            lane_menu=LANE_MENU.read(environ),
            console_url=CONSOLE_URL.read(environ),
        )
