"""Where a NATS server is, and by which name and password it lets us in."""

import pytest

from dispatch.bus.address import address


def test_an_address_is_taken_apart() -> None:
    """What may be shown holds neither name nor password."""
    one = address("nats://kapok:p%40ss%2Fword@bus.example.org:4223")
    assert one.url == "nats://bus.example.org:4223"
    assert (one.user, one.password, one.token) == ("kapok", "p@ss/word", None)
    assert not one.is_tls


def test_a_name_alone_is_a_token() -> None:
    """As it is for NATS."""
    one = address("tls://s3cret@[fd00::1]")
    assert (one.url, one.token, one.password) == ("tls://[fd00::1]:4222", "s3cret", None)
    assert one.is_tls


def test_nobody_has_to_have_a_name() -> None:
    """A server may let everybody in."""
    assert address("nats://10.0.0.1")[2:] == (None, None)


@pytest.mark.parametrize(
    "text",
    ["", "a:4222", "http://u:word@a", "nats://", "nats://a:0", "nats://u:word@a:x", "nats://[word"],
)
def test_what_is_no_address_is_refused_without_repeating_it(text: str) -> None:
    """A password would be in it."""
    with pytest.raises(ValueError, match="not an address of nats or tls") as told:
        address(text)
    assert "word" not in str(told.value)
    assert told.value.__cause__ is None
