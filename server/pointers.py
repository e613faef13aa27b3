"""Memory by its address: to hand compiled loops an array costs as much as what many do with it; a number, nothing.

Whoever passes an address on keeps what lies there alive, and in its place, until the call is over.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Called = Callable[..., int]
"""A loop that takes addresses and numbers; bytes stand for the address of their own."""


def octets(address: int, n: int) -> NDArray[np.uint8]:
    """n bytes from an address on. Compiled loops have a version of their own (`teach`)."""
    if n == 0:
        return np.zeros(0, np.uint8)
    return np.frombuffer(memoryview((ctypes.c_uint8 * int(n)).from_address(int(address))), np.uint8)


def integers(address: int, n: int) -> NDArray[np.int64]:
    """n whole numbers of 8 bytes from an address on."""
    return octets(address, 8 * n).view(np.int64)


def copy(out: NDArray[np.uint8], at: int, text: NDArray[np.uint8], start: int, length: int) -> int:
    """Put bytes of `text` at a place of `out`, other memory; where they end. Compiled, it is C's memcpy."""
    out[at : at + length] = text[start : start + length]
    return at + length


def teach(numba: Any, extending: Any) -> None:
    """Tell numba what `octets` and `copy` are; once.

    Args:
        numba, extending: the modules.
    """

    @extending.intrinsic  # type: ignore[untyped-decorator] # numba has no types
    def pointer(context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.inttoptr(args[0], context.get_value_type(numba.types.voidptr))

        return numba.types.voidptr(numba.types.int64), generate

    carray, octet = numba.carray, np.uint8

    @extending.overload(octets)  # type: ignore[untyped-decorator] # numba has no types
    def _(address: Any, n: Any) -> Any:
        def there(address: Any, n: Any) -> Any:
            return carray(pointer(address), n, octet)

        return there

    @extending.intrinsic  # type: ignore[untyped-decorator] # numba has no types
    def memcpy(context: Any, out: Any, at: Any, text: Any, start: Any, length: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            ends = [(signature.args[place], args[place], args[place + 1]) for place in (0, 2)]
            to, of = (builder.gep(context.make_array(kind)(context, builder, one).data, [by]) for kind, one, by in ends)
            numba.core.cgutils.raw_memcpy(builder, to, of, args[4], 1)
            return context.get_dummy_value()

        place = numba.types.intp
        return numba.types.void(out, place, text, place, place), generate

    @extending.overload(copy)  # type: ignore[untyped-decorator] # numba has no types
    def _(out: Any, at: Any, text: Any, start: Any, length: Any) -> Any:
        def copied(out: Any, at: Any, text: Any, start: Any, length: Any) -> Any:
            memcpy(out, at, text, start, length)
            return at + length

        return copied


def compiled(numba: Any, function: Callable[..., int], arguments: str, *, cache: bool) -> Called:
    """A loop as machine code, called without numba's own way, which looks at the type of every argument.

    Python's lock is kept: to let it go costs more than the call takes.

    Args:
        numba: the module.
        function: takes addresses and numbers, and gives a number.
        arguments: a letter for each, `b` where bytes are given.
        cache: whether numba keeps it on disk.

    Raises:
        RuntimeError: there is no folder to keep it in.
    """
    integer = numba.types.int64
    code = numba.cfunc(integer(*(integer,) * len(arguments)), cache=cache)(function)
    kinds = [ctypes.c_char_p if letter == "b" else ctypes.c_int64 for letter in arguments]
    call: Any = ctypes.PYFUNCTYPE(ctypes.c_int64, *kinds)(code.address)
    call.code = code  # the machine code lives as long as this
    called: Called = call
    return called


def plain(function: Callable[..., int]) -> Called:
    """The same without numba, to try the loops as Python runs them."""

    def call(*given: bytes | int) -> int:
        return function(*map(_address, given))

    return call


def _address(given: bytes | int) -> int:
    return given if isinstance(given, int) else ctypes.cast(ctypes.c_char_p(given), ctypes.c_void_p).value or 0
