"""Notices as they are kept."""

import msgspec
import pytest

from schemas.notice import Notice, NoticeLevel
from tests.dispatch.core.test_notices import NOTICE


def test_a_notice_comes_back_as_it_was() -> None:
    """Levels as text."""
    assert msgspec.json.decode(msgspec.json.encode(NOTICE), type=Notice) == NOTICE


def test_the_levels_go_from_quiet_to_loud() -> None:
    """In this order a full outbox lets them go."""
    assert list(NoticeLevel) == ["info", "warn", "urgent"]


def test_no_other_level_is_read() -> None:
    """A mistake is told when it is read."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert("loud", NoticeLevel)
