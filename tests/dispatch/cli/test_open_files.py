"""How many phones fit into the files a process may open."""

import resource

from dispatch.cli.open_files import FILES_FOR_OTHERS, phones_at_most, raise_open_files


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    """What is returned is what may be opened from then on."""
    hard = raise_open_files()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)


def test_each_worker_has_files_of_its_own() -> None:
    """Of which some are not for phones; too few are none, not less."""
    assert phones_at_most(20_000) == 20_000 - FILES_FOR_OTHERS
    assert phones_at_most(20_000, workers=2) == 2 * phones_at_most(20_000)
    assert phones_at_most(FILES_FOR_OTHERS - 1, workers=2) == 0
