"""The session cookie and the header made of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productpage.session import header_value, seal, unseal, user_fault

SECRET = b"0123456789abcdef"


@given(st.text(min_size=1, max_size=64).filter(lambda name: user_fault(name) is None))
def test_a_sealed_name_comes_back_and_its_header_can_travel(name: str) -> None:
    assert unseal(seal(name, SECRET), SECRET) == name
    value = header_value(name)
    assert value.isascii()
    assert value.isprintable()


@given(st.text(max_size=100))
def test_no_other_cookie_is_believed(cookie: str) -> None:
    assert unseal(cookie, SECRET) is None


def test_another_secret_or_a_changed_name_is_not_believed() -> None:
    cookie = seal("jason", SECRET)
    assert unseal(cookie, b"another secret!!") is None
    assert (
        unseal(seal("admin", b"another secret!!").split(".")[0] + "." + cookie.split(".")[1], SECRET) is None
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("jason", "jason"), ("Mr. O'Neil <x>", "Mr. O'Neil <x>"), ("Jörg", "J%C3%B6rg"), ("5%", "5%25")],
)
def test_header_value(name: str, value: str) -> None:
    assert header_value(name) == value


@pytest.mark.parametrize("name", ["", "x" * 65, "a\nb", "a\x00"])
def test_names_that_nobody_can_have(name: str) -> None:
    assert user_fault(name) is not None
