"""Compiles the few inner loops with numba where it is installed; the same text runs without.

A kernel is a function of numbers and arrays that calls no others of ours but its parts, which are
in its file and compiled into it. It is compiled at its first call, for the types it is called with,
and kept in a cache beside the source: `warm` calls of whoever owns it keep that out of a running
service.
"""

from collections.abc import Callable
from functools import update_wrapper
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, Generic, ParamSpec, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

COMPILED: Final = find_spec("numba") is not None
"""Whether kernels are compiled in this process."""

Array: TypeAlias = Any
"""What a kernel is handed: an array where it is compiled, else a memoryview; see `handed`."""

P = ParamSpec("P")
T = TypeVar("T")

_PARTS: Final[list[Callable[..., object]]] = []
"""Parts that numba was not told of yet."""


class Kernel(Generic[P, T]):
    """A function that compiles itself when it is first called; `py_func` is its plain text."""

    def __init__(self, py_func: Callable[P, T]) -> None:
        self.py_func = py_func
        self._ready: Callable[P, T] | None = None
        update_wrapper(self, py_func)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run, compiled where that can be."""
        return self.ready(*args, **kwargs)

    @property
    def ready(self) -> Callable[P, T]:
        """The function that runs: compiled where numba is, else the plain one."""
        if self._ready is None:
            self._ready = _jitted(self.py_func) if COMPILED else self.py_func
        return self._ready

    def text(self, *, compiled: bool) -> Callable[P, T]:
        """Return the function as it is wanted; compiled only where numba is."""
        return self.ready if compiled else self.py_func


def compiled(function: Callable[P, T]) -> Kernel[P, T]:
    """Return a function that numba compiles when it is first called; itself where there is none."""
    return Kernel(function)


def part(function: Callable[P, T]) -> Callable[P, T]:
    """Return a function as it is, for kernels to call: compiled where they are.

    It is to be called a few times a run, not for each row: every array handed on costs some
    nanoseconds (four times the time of `dispatch.live.sift.sieve`, when that was tried).
    """
    _PARTS.append(function)
    return function


def _jitted(function: Callable[P, T]) -> Callable[P, T]:
    """Return the function compiled; kept on disk only where a folder can be written."""
    numba: Any = import_module("numba")
    extending: Any = import_module("numba.extending")
    while _PARTS:
        extending.register_jitable(_PARTS.pop())
    try:
        made: Callable[P, T] = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba found no folder for its cache
        made = numba.njit(nogil=True)(function)
    return made


def handed(array: NDArray[Any], *, compiled: bool) -> Array:
    """Return an array as kernels take it fastest: plain Python reads memoryviews 3x as fast.

    Compiled code gets a bare array that says of itself whether it may be written; one that is a
    map of a file has the same type as one that is not.
    """
    return np.asarray(array) if compiled else np.ascontiguousarray(array).data


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return a view nobody can write through, so that each kernel is compiled once for all."""
    view = np.asarray(array).view()
    view.setflags(write=False)
    return view
