"""How a kernel is declared: an array function with one compiled signature, compiled on first call.

A kernel takes written arrays, then read arrays, then scalars. Read arrays are declared read-only
and C-contiguous, so that writable arrays and memory maps share one signature. Nothing compiles at
import; what was compiled is kept on disk beside the source. A kernel's inner functions live in the
same file, because the cache does not notice changes elsewhere. Where sums may be reassociated, a
loop that sums writes nothing: else its rounding would depend on how far apart two arrays lie.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, update_wrapper
from typing import Any

import numba
from numba import types

KERNELS: list[Kernel] = []
"""Every kernel of the modules imported so far."""

f32, f64, i8, i16, i32, i64, u8, u16, u32, u64, flag = (
    types.float32,
    types.float64,
    types.int8,
    types.int16,
    types.int32,
    types.int64,
    types.uint8,
    types.uint16,
    types.uint32,
    types.uint64,
    types.boolean,
)


def written(dtype: types.Type, ndim: int = 1) -> types.Array:
    """Declare an array that the kernel writes."""
    return types.Array(dtype, ndim, "C")


def read(dtype: types.Type, ndim: int = 1) -> types.Array:
    """Declare an array that the kernel only reads; memory maps are welcome."""
    return types.Array(dtype, ndim, "C", readonly=True)


class Kernel:
    """A function of arrays, compiled when first called.

    Attributes
    ----------
    py_func : callable
        The same function uncompiled.
    """

    def __init__(self, function: Callable[..., Any], signature: tuple[types.Type, ...]) -> None:
        update_wrapper(self, function)
        self.py_func = function
        self.signature = signature

    @cached_property
    def compiled(self) -> Callable[..., Any]:
        """The machine code, from the cache on disk where there is any."""
        try:
            return self._compile(cache=True)
        except RuntimeError:  # nowhere to write: a sealed container, a function without a file
            return self._compile(cache=False)

    def _compile(self, cache: bool) -> Callable[..., Any]:
        compile_now = numba.njit(self.signature, cache=cache, nogil=True, error_model="numpy")
        compiled: Callable[..., Any] = compile_now(self.py_func)
        return compiled

    def __call__(self, *args: Any) -> Any:
        return self.compiled(*args)


def kernel(*signature: types.Type) -> Callable[[Callable[..., Any]], Kernel]:
    """Declare a kernel by the types of its arguments.

    Examples
    --------
    >>> import numpy as np
    >>> @kernel(written(f32), read(f32), f32)
    ... def scale(out, values, factor):
    ...     for row in range(len(values)):
    ...         out[row] = factor * values[row]
    >>> out = np.empty(2, np.float32)
    >>> scale.py_func(out, np.ones(2, np.float32), 3.0)
    >>> out
    array([3., 3.], dtype=float32)
    """

    def declare(function: Callable[..., Any]) -> Kernel:
        declared = Kernel(function, signature)
        KERNELS.append(declared)
        return declared

    return declare


inner = numba.njit(nogil=True, error_model="numpy", inline="never")
"""Declare a function that only kernels of the same file call."""

inlined = numba.njit(nogil=True, error_model="numpy", forceinline=True)
"""The same, pasted where it is called: for small work on many arrays, which cost time to pass."""


def compile_all() -> int:
    """Compile every kernel of the modules imported so far; return how many there are."""
    for declared in KERNELS:
        _ = declared.compiled
    return len(KERNELS)
