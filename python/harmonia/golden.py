"""The golden number formats (docs/golden-api.md) through ctypes: the functions of libharmonia_golden.so on lists."""
import ctypes
import ctypes.util
import os
import pathlib
from typing import List, Optional, Sequence


class GoldenError(Exception):
    """A function refused its arguments; the text is harmonia_error_text() of the code."""


def _library() -> str:
    named = os.environ.get("HARMONIA_GOLDEN")
    if named:
        return named
    # The name with a version is that of a package without the one for development.
    for parent in pathlib.Path(__file__).resolve().parents:
        for pattern in ("build/lib/libharmonia_golden.so", "lib*/libharmonia_golden.so*", "lib*/*-linux-gnu*/libharmonia_golden.so*"):
            for file in sorted(parent.glob(pattern)):
                return str(file)
    return ctypes.util.find_library("harmonia_golden") or "libharmonia_golden.so"


class Golden:
    """FP16 values are floats here and 16 bits on their way; stored rows are bytes."""

    def __init__(self, library: Optional[str] = None) -> None:
        self._lib = ctypes.CDLL(library or _library())
        self._lib.harmonia_error_text.restype = ctypes.c_char_p

    def _check(self, code: int) -> None:
        if code != 0:
            raise GoldenError(self._lib.harmonia_error_text(code).decode())

    def fp32_to_fp16(self, values: Sequence[float]) -> List[int]:
        """The 16 bits of each value rounded to nearest-even."""
        n = len(values)
        out = (ctypes.c_uint16 * n)()
        self._check(self._lib.harmonia_fp32_to_fp16((ctypes.c_float * n)(*values), ctypes.c_uint64(n), out))
        return list(out)

    def bfp_encode(self, values: Sequence[float], group_size: int = 32, mantissa_bits: int = 8, nearest: bool = False) -> bytes:
        """A stored row of block floating point: of each group exponent, signs and nibble planes."""
        n = len(values)
        size = ctypes.c_uint64()
        self._check(self._lib.harmonia_bfp_row_bytes(group_size, mantissa_bits, ctypes.c_uint64(n), ctypes.byref(size)))
        fp16 = (ctypes.c_uint16 * n)(*self.fp32_to_fp16(values))
        stored = (ctypes.c_uint8 * size.value)()
        self._check(self._lib.harmonia_bfp_encode(group_size, mantissa_bits, int(nearest), fp16, ctypes.c_uint64(n), stored, size, None))
        return bytes(stored)

    def bfp_decode(self, stored: bytes, n: int, group_size: int = 32, mantissa_bits: int = 8) -> List[float]:
        """The n values of a stored row."""
        out = (ctypes.c_float * n)()
        buffer = (ctypes.c_uint8 * len(stored)).from_buffer_copy(stored)
        self._check(self._lib.harmonia_bfp_decode_fp32(group_size, mantissa_bits, buffer, ctypes.c_uint64(len(stored)), ctypes.c_uint64(n), out))
        return list(out)
