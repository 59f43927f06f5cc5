"""Ask the memory for rows before they are used: for kernels that walk rows in no order."""

from __future__ import annotations

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]  # what numba is made of
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

_FLOATS_PER_LINE = 16  # of the cache


def fetch_ahead(rows, row):
    """Ask for a row of an array that will be wanted soon; it changes nothing but the time.

    rows  (n_rows, f) float32
    row   integer, a row that there is
    """


@intrinsic
def _prefetch(typing_context, rows, row):  # noqa: ARG001  # numba asks for these names
    def generate(context, builder, signature, arguments):
        array_type = signature.args[0]
        array = context.make_array(array_type)(context, builder, arguments[0])
        width = builder.extract_value(array.shape, 1)
        first = builder.mul(arguments[1], width)
        word = ir.IntType(32)
        hint = builder.module.declare_intrinsic(
            "llvm.prefetch", [array.data.type],
            ir.FunctionType(ir.VoidType(), [array.data.type, word, word, word]),
        )  # fmt: skip
        with cgutils.for_range_slice(
            builder, width.type(0), width, width.type(_FLOATS_PER_LINE)
        ) as (place, _):
            pointer = builder.gep(array.data, [builder.add(first, place)])
            builder.call(hint, [pointer, word(int(array_type.mutable)), word(3), word(1)])
        return context.get_dummy_value()

    return types.void(rows, types.int64), generate


@overload(fetch_ahead, jit_options={"forceinline": True})
def _compiled_fetch_ahead(rows, row):  # noqa: ARG001  # types, by which numba chooses
    return lambda rows, row: _prefetch(rows, np.int64(row))  # type: ignore[call-arg]


def fetch_place(values, place):
    """Ask for the line of a place of an array that will be wanted soon.

    values  (n,) of numbers
    place   integer, a place that there is
    """


@intrinsic
def _prefetch_place(typing_context, values, place):  # noqa: ARG001  # numba asks for these names
    def generate(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        word = ir.IntType(32)
        hint = builder.module.declare_intrinsic(
            "llvm.prefetch", [array.data.type],
            ir.FunctionType(ir.VoidType(), [array.data.type, word, word, word]),
        )  # fmt: skip
        pointer = builder.gep(array.data, [arguments[1]])
        builder.call(hint, [pointer, word(0), word(3), word(1)])
        return context.get_dummy_value()

    return types.void(values, types.int64), generate


@overload(fetch_place, jit_options={"forceinline": True})
def _compiled_fetch_place(values, place):  # noqa: ARG001  # types, by which numba chooses
    return lambda values, place: _prefetch_place(values, np.int64(place))  # type: ignore[call-arg]
