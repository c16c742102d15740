"""What `--service reviews=…` names in a cluster: a version that is there, or an image. Pure."""

from __future__ import annotations

import re

from lanes.landscape import LaneError

# https://pkg.go.dev/github.com/distribution/reference, which is what kubelets hold a name to
_HOST = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*(?::\w[\w.-]{{0,127}})?(?:@[A-Za-z][\w.+-]*:[0-9a-fA-F]{{32,}})?"
)


def names_image(text: str) -> bool:
    """Whether a value is an image; a version has neither `/` nor `:` nor `@`, nor blanks."""
    return any(mark in text for mark in "/:@") or len(text.split()) > 1


def image_of(service: str, text: str) -> str:
    """The image a user names; LaneError for what is none."""
    if not _IMAGE.fullmatch(text):
        raise LaneError(
            f"{text!r} is no name of an image to run as {service}; in a cluster one names a version such as "
            "v2, or an image such as registry.example/reviews:dev."
        )
    return text
