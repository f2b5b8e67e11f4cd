"""Inner loops, compiled where numba is."""

import subprocess
import sys
from pathlib import Path
from types import FunctionType

import numpy as np
import pytest

from geo.compiled import COMPILED, compiled, handed, part, read_only

ROOT = Path(__file__).parents[2]
NO_NUMBA = """
import sys
sys.modules["numba"] = None
import geo, geo.road_eta
from geo.compiled import COMPILED, compiled
print(COMPILED, compiled(lambda n: n + 1)(1))
"""
NOT_YET = "import sys, geo, geo.road_eta; print('numba' in sys.modules)"


@compiled
def total(numbers: np.ndarray, start: int) -> int:
    """Add them up."""
    for number in numbers:
        start += number
    return start


@part
def twice(number: int) -> int:
    """Double a number."""
    return 2 * number


@compiled
def doubled(numbers: np.ndarray) -> int:
    """Add up twice the numbers."""
    start = 0
    for number in numbers:
        start += twice(number)
    return start


def printed(program: str) -> str:
    """Return what a program of its own prints."""
    done = subprocess.run(
        (sys.executable, "-c", program), cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize("kind", [False, True])
def test_a_kernel_answers_the_same_compiled_or_not(kind: bool) -> None:
    """It is called like the function it is made of, and keeps its name."""
    numbers = np.arange(5)
    assert total.text(compiled=kind)(handed(numbers, compiled=kind), 1) == 11
    assert total(numbers, 1) == total.py_func(numbers, 1) == 11
    assert (vars(total)["__name__"], total.__doc__) == ("total", "Add them up.")


def test_a_kernel_is_compiled_once_where_numba_is() -> None:
    """Which it is where the tests run."""
    assert COMPILED
    assert total.ready is total.ready
    assert total.ready is not total.py_func


def test_a_kernel_calls_its_parts_compiled_or_not() -> None:
    """A part stays a function that anybody may call."""
    numbers = np.arange(5)
    assert doubled(numbers) == doubled.py_func(numbers) == 20
    assert (part(twice), twice(3)) == (twice, 6)


def test_plain_python_reads_the_arrays_own_memory() -> None:
    """Numbers are Python's own; what is written goes into the array; strides are no matter."""
    numbers = np.zeros(3)
    view = handed(numbers, compiled=False)
    view[1] = 2.5
    assert numbers.tolist() == [0.0, 2.5, 0.0]
    assert type(view[1]) is float
    assert handed(np.arange(6)[::2], compiled=False).tolist() == [0, 2, 4]
    assert handed(numbers, compiled=True) is numbers


def test_a_map_of_a_file_and_an_array_are_of_one_kind(tmp_path: Path) -> None:
    """So that a kernel is compiled once for both; neither can be written through."""
    np.arange(4).tofile(tmp_path / "numbers")
    mapped = np.memmap(tmp_path / "numbers", np.int64, "r")
    for array in (mapped, np.arange(4)):
        view = read_only(array)
        assert type(view) is np.ndarray
        assert not view.flags.writeable
        assert view.tolist() == [0, 1, 2, 3]


def test_without_numba_all_runs_as_it_is_written() -> None:
    """Nothing of geo needs it."""
    assert printed(NO_NUMBA) == "False 2"


def test_numba_is_not_loaded_before_it_is_needed() -> None:
    """It takes half a second, which no command line should."""
    assert printed(NOT_YET) == "False"


def test_where_no_folder_can_be_written_nothing_is_kept() -> None:
    """A function of no file has none beside it; it is compiled anew in each process, and works."""
    code = total.py_func.__code__.replace(co_filename="<nowhere>")
    assert compiled(FunctionType(code, {}))(np.arange(3), 0) == 3
