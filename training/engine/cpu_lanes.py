"""Sixteen float32 numbers in one register: a numba type, and the arithmetic on it that the CPU kernels are written in.

Written out in lanes, a loop does not depend on what a compiler recognises, its sums have one order, and so every
machine that has fused multiplication and addition gives the same bits. A machine with narrower registers takes two or
four of them. Functions ending in ``_lanes`` are elementwise and within two units in the last place of float32.
"""

# ruff: noqa: ARG001 - numba reads the names and the number of an operation's arguments

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from _render.compiling import LEAF

LANES = 16
"""Numbers in a register, and the multiple to which channels and hidden units are filled up with zeros."""

_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_INTS = ir.VectorType(ir.IntType(32), LANES)


class _Lanes(types.Type):
    """numba's type of a register."""

    def __init__(self) -> None:
        super().__init__(name=f"float32x{LANES}")


LANES_TYPE = _Lanes()


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    """A register is an LLVM vector."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _FLOATS)


def _operation(function: Callable[..., Any]) -> Any:
    """An operation on lanes: called in kernels with fewer arguments than it is written with."""
    return intrinsic(function)


def _constant(vector: ir.VectorType, value: float) -> ir.Constant:
    return ir.Constant(vector, [value] * LANES)


def _spread(builder: Any, value: Any) -> Any:
    first = builder.insert_element(ir.Constant(_FLOATS, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, ir.Constant(_FLOATS, ir.Undefined), _constant(_INTS, 0))


def _call(builder: Any, name: str, *values: Any) -> Any:
    kind = ir.FunctionType(_FLOATS, [_FLOATS] * len(values))
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}f32")
    return builder.call(function, values)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, offset: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [offset]), _FLOATS.as_pointer())


@_operation
def spread(_typing: Any, value: Any) -> Any:
    """All lanes equal to a float32."""

    def make(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return _spread(builder, args[0])

    return (LANES_TYPE(types.float32), make) if value == types.float32 else None


@_operation
def load(_typing: Any, array: Any, offset: Any) -> Any:
    """The lanes that begin at an element of a flat float32 array."""

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(_pointer(context, builder, signature.args[0], *args), align=4)

    return LANES_TYPE(array, types.intp), make


@_operation
def load_spread(_typing: Any, array: Any, offset: Any) -> Any:
    """All lanes equal to one element of a flat float32 array, which is not counted from its end."""

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return _spread(builder, builder.load(builder.gep(data, [args[1]])))

    return LANES_TYPE(array, types.intp), make


@_operation
def load_place(_typing: Any, array: Any, offset: Any) -> Any:
    """An element of a flat int32 array, which is not counted from its end."""

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.sext(builder.load(builder.gep(data, [args[1]])), ir.IntType(64))

    return types.int64(array, types.intp), make


@_operation
def store(_typing: Any, array: Any, offset: Any, value: Any) -> Any:
    """Write lanes from an element of a flat float32 array on."""

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[2], _pointer(context, builder, signature.args[0], args[0], args[1]), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, LANES_TYPE), make


@_operation
def fma(_typing: Any, first: Any, second: Any, third: Any) -> Any:
    """first · second + third, rounded once where the machine can."""

    def make(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return _call(builder, "fmuladd", *args)

    return LANES_TYPE(LANES_TYPE, LANES_TYPE, LANES_TYPE), make


def _binary(doc: str, emit: Callable[[Any, Any, Any], Any]) -> Any:
    def operation(_typing: Any, first: Any, second: Any) -> Any:
        def make(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            return emit(builder, args[0], args[1])

        return LANES_TYPE(LANES_TYPE, LANES_TYPE), make

    operation.__doc__ = doc
    return _operation(operation)


add = _binary("first + second.", lambda builder, a, b: builder.fadd(a, b))
subtract = _binary("first − second.", lambda builder, a, b: builder.fsub(a, b))
multiply = _binary("first · second.", lambda builder, a, b: builder.fmul(a, b))
divide = _binary("first / second.", lambda builder, a, b: builder.fdiv(a, b))
larger = _binary(
    "The second where it is the larger one, else the first (NaN stays).",
    lambda builder, a, b: builder.select(builder.fcmp_ordered("<", a, b), b, a),
)
smaller = _binary(
    "The second where it is the smaller one, else the first (NaN stays).",
    lambda builder, a, b: builder.select(builder.fcmp_ordered(">", a, b), b, a),
)


def _rounding(doc: str, name: str) -> Any:
    def operation(_typing: Any, value: Any) -> Any:
        def make(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            return _call(builder, name, args[0])

        return LANES_TYPE(LANES_TYPE), make

    operation.__doc__ = doc
    return _operation(operation)


nearest = _rounding("The nearest integers, even ones at ties.", "rint")
lower_whole = _rounding("The next integers below.", "floor")


@_operation
def where_less(_typing: Any, first: Any, second: Any, then: Any, otherwise: Any) -> Any:
    """`then` where first < second, elsewhere, and at NaN, `otherwise`."""

    def make(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", args[0], args[1]), args[2], args[3])

    return LANES_TYPE(LANES_TYPE, LANES_TYPE, LANES_TYPE, LANES_TYPE), make


@_operation
def store_multiples(_typing: Any, array: Any, offset: Any, value: Any, step: Any) -> Any:
    """Write value · step, for whole numbers in lanes, into a flat int32 array from an element on."""

    def make(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        place = builder.bitcast(builder.gep(data, [args[1]]), _INTS.as_pointer())
        step = builder.insert_element(
            ir.Constant(_INTS, ir.Undefined), builder.trunc(args[3], ir.IntType(32)), ir.Constant(ir.IntType(32), 0)
        )
        step = builder.shuffle_vector(step, ir.Constant(_INTS, ir.Undefined), _constant(_INTS, 0))
        builder.store(builder.mul(builder.fptosi(args[2], _INTS), step), place, align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, LANES_TYPE, types.intp), make


@_operation
def times_power_of_two(_typing: Any, value: Any, exponent: Any) -> Any:
    """value · 2^exponent for whole exponents, by adding to the bits of the exponent; the result must be normal."""

    def make(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        shifted = builder.shl(builder.fptosi(args[1], _INTS), _constant(_INTS, 23))
        return builder.bitcast(builder.add(builder.bitcast(args[0], _INTS), shifted), _FLOATS)

    return LANES_TYPE(LANES_TYPE, LANES_TYPE), make


@_operation
def total(_typing: Any, value: Any) -> Any:
    """The sum of the lanes, halves added to halves."""

    def make(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        sums = args[0]
        for half in (8, 4, 2, 1):
            order = [(lane + half) % LANES for lane in range(LANES)]
            turned = builder.shuffle_vector(sums, ir.Constant(_FLOATS, ir.Undefined), ir.Constant(_INTS, order))
            sums = builder.fadd(sums, turned)
        return builder.extract_element(sums, ir.Constant(ir.IntType(32), 0))

    return types.float32(LANES_TYPE), make


_ONE = np.float32(1)
_HALF = np.float32(0.5)
_LOG2_E = np.float32(1.4426950408889634)
_LN2_HIGH = np.float32(-0.693359375)
_LN2_LOW = np.float32(2.12194440e-4)
_EXP_LOW = np.float32(-87.0)
_EXP_HIGH = np.float32(87.0)
# exp(r) = 1 + r + r² q(r) for |r| ≤ ln 2 / 2; least relative error, 1.2e-7 of q.
_Q1, _Q2 = np.float32(0.16666576266288757), np.float32(0.04166685417294502)
_Q3, _Q4 = np.float32(0.008363200351595879), np.float32(0.0013901309575885534)
# log(1 + e) = e p(e) for 0 ≤ e ≤ 1; least relative error, 5e-9.
_P1, _P2, _P3 = np.float32(-0.4999990165233612), np.float32(0.3332996368408203), np.float32(-0.24954134225845337)
_P4, _P5, _P6 = np.float32(0.1967593878507614), np.float32(-0.15305590629577637), np.float32(0.10603651404380798)
_P7, _P8, _P9 = np.float32(-0.056959498673677444), np.float32(0.01985144428908825), np.float32(-0.0032440212089568377)


@njit(**LEAF)
def exp_lanes(x: Any) -> Any:
    """exp(x) between exp(−87) and exp(87); exactly 1 near 0."""
    x = smaller(larger(x, spread(_EXP_LOW)), spread(_EXP_HIGH))
    power = nearest(multiply(x, spread(_LOG2_E)))
    rest = fma(power, spread(_LN2_LOW), fma(power, spread(_LN2_HIGH), x))
    square = multiply(rest, rest)
    high = fma(rest, spread(_Q4), spread(_Q3))
    low = fma(rest, spread(_Q1), spread(_HALF))
    q = fma(square, fma(rest, high, spread(_Q2)), low)
    return times_power_of_two(add(spread(_ONE), fma(square, q, rest)), power)


@njit(**LEAF)
def softplus_lanes(x: Any) -> Any:
    """log(1 + exp(x)) = max(x, 0) + log(1 + exp(−|x|))."""
    zero = spread(np.float32(0))
    positive = larger(x, zero)
    e = exp_lanes(subtract(smaller(x, zero), positive))
    square = multiply(e, e)
    fourth = multiply(square, square)
    p01 = fma(e, spread(_P1), spread(_ONE))
    p23 = fma(e, spread(_P3), spread(_P2))
    p45 = fma(e, spread(_P5), spread(_P4))
    p67 = fma(e, spread(_P7), spread(_P6))
    p89 = fma(e, spread(_P9), spread(_P8))
    low = fma(square, p23, p01)
    high = fma(fourth, p89, fma(square, p67, p45))
    return fma(e, fma(fourth, high, low), positive)


@njit(**LEAF)
def sigmoid_lanes(x: Any) -> Any:
    """1 / (1 + exp(−x))."""
    one = spread(_ONE)
    return divide(one, add(one, exp_lanes(subtract(spread(np.float32(0)), x))))
