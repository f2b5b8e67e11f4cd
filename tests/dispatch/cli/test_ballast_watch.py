"""The ballast is held while there is room; without any it goes, and PostgreSQL is waited for."""

import asyncio
from pathlib import Path
from typing import Final

import pytest

from dispatch.cli.ballast_watch import BallastWatch
from dispatch.cli.serve import watched
from dispatch.store.ballast import MB, Ballast
from dispatch.store.embedded import EmbeddedPostgres, RestartError
from tests.patience import until

HUGE: Final = 2**60
"""Of this no disk has any room."""


class Ending(EmbeddedPostgres):
    """A database that ends, and cannot be brought back so many times."""

    def __init__(self, data: Path, times: int) -> None:
        super().__init__(data)
        self.left = times

    async def watch(self) -> None:
        """End, or be stopped."""
        if self.left:
            self.left -= 1
            raise RestartError("no space left on device")


def test_a_disk_with_room_holds_it(tmp_path: Path) -> None:
    """Whole, and once."""
    ballast = Ballast(tmp_path, MB)
    watch = BallastWatch(ballast)
    watch.look()
    watch.look()
    assert (ballast.held_bytes(), watch.spent) == (MB, False)


def test_a_disk_without_room_has_it_given_up(tmp_path: Path) -> None:
    """The database goes on with what was held."""
    Ballast(tmp_path, MB).put()
    ballast = Ballast(tmp_path, HUGE)
    watch = BallastWatch(ballast)
    watch.look()
    assert (ballast.held_bytes(), watch.spent) == (0, True)
    watch.look()
    assert watch.spent


def test_a_service_without_one_leaves_none_from_before(tmp_path: Path) -> None:
    """Nobody would give it up."""
    Ballast(tmp_path, MB).put()
    ballast = Ballast(tmp_path, 0)
    watch = BallastWatch(ballast)
    watch.look()
    assert (ballast.held_bytes(), watch.spent) == (0, False)


@pytest.mark.asyncio
async def test_it_is_looked_after_until_the_end(tmp_path: Path) -> None:
    """One that somebody removed is held again."""
    ballast = Ballast(tmp_path, MB)
    looking = asyncio.create_task(BallastWatch(ballast).run())
    await until(lambda: ballast.held_bytes() == MB)
    ballast.give_up()
    await until(lambda: ballast.held_bytes() == MB)
    assert not looking.done()
    looking.cancel()


@pytest.mark.asyncio
async def test_a_folder_that_takes_nothing_ends_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said, and tried again later."""
    (tmp_path / "ballast").mkdir()
    looking = asyncio.create_task(BallastWatch(Ballast(tmp_path, MB)).run())
    said: list[str] = []

    def told() -> bool:
        said.append(capsys.readouterr().out)
        return "ballast_fails" in "".join(said)

    await until(told)
    assert not looking.done()
    looking.cancel()


@pytest.mark.asyncio
async def test_a_database_without_room_is_waited_for(tmp_path: Path) -> None:
    """The phones stay with a service that cannot write."""
    watch, stop = BallastWatch(Ballast(tmp_path, HUGE)), asyncio.Event()
    watch.look()
    server = Ending(tmp_path / "postgres", times=1)
    await watched(server, watch, stop)
    assert (server.left, stop.is_set()) == (0, False)


@pytest.mark.asyncio
async def test_a_database_that_ends_for_another_reason_ends_the_service(tmp_path: Path) -> None:
    """Whoever supervises it has to know."""
    stop = asyncio.Event()
    server = Ending(tmp_path / "postgres", times=2)
    await watched(server, BallastWatch(Ballast(tmp_path, MB)), stop)
    assert (server.left, stop.is_set()) == (1, True)
