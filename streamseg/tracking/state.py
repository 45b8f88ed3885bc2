"""A tracker's state as bytes: data and nothing else, whoever wrote it.

First comes a mark, then a CRC-32 of all that follows: the length of a text, the text, and the numbers of all arrays
(little-endian, uncompressed, without gaps). The text is the state as JSON, in which an array is the only value of an
object under a name that nothing else has, the empty one: the type of its numbers, its shape, and its axes in the order
in which they lie in memory, outermost first.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

_MARK = b"SSSTATE1"
_CHECKSUM, _LENGTH = 4, 4  # bytes
_MOST_TEXT = 1 << 20  # bytes; parsed it takes some thirty times as much
_MOST_ROWS = 1 << 28  # of an array that has no bytes to tell: NumPy could not count some numbers
_INTEGERS = [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
_TYPES = {name: np.dtype(name) for name in ("bool", "float16", "float32", "float64", *_INTEGERS)}


def to_bytes(state: Mapping[str, Any]) -> bytes:
    """A state as bytes.

    Args:
        state: From ``Tracker.state``, or several of them with whatever belongs to them: dicts and lists of numbers,
            strings, booleans, None and NumPy arrays of numbers.

    Raises:
        TypeError: Something else is in it.
        ValueError: A name in it is empty, or all of it but the arrays is too long.
    """
    arrays: list[bytes] = []
    text = json.dumps(_written(state, arrays), separators=(",", ":")).encode("ascii")
    if len(text) > _MOST_TEXT:
        raise ValueError(f"a state of {len(text)} bytes without its arrays is too long")
    body = b"".join([len(text).to_bytes(_LENGTH, "little"), text, *arrays])
    return _MARK + zlib.crc32(body).to_bytes(_CHECKSUM, "little") + body


def from_bytes(data: bytes) -> dict[str, Any]:
    """The state that ``to_bytes`` was given, exactly, in memory of its own.

    Nothing in ``data`` is executed, and no more memory is taken than it is long, but for the text, whose length is
    bounded.

    Raises:
        ValueError: ``data`` is damaged, cut off or something else.
    """
    head = len(_MARK) + _CHECKSUM
    if data[: len(_MARK)] != _MARK:
        raise ValueError("not a tracker's state")
    if int.from_bytes(data[len(_MARK) : head], "little") != zlib.crc32(memoryview(data)[head:]):
        raise ValueError("a damaged state")
    start = head + _LENGTH
    length = int.from_bytes(data[head:start], "little")
    if length > min(_MOST_TEXT, len(data) - start):
        raise ValueError("a state with too long a text")
    arrays = _Arrays(data, start + length)
    try:
        state = _read(json.loads(data[start : start + length].decode("ascii")), arrays)
    except RecursionError as error:
        raise ValueError("a state nested too deeply") from error
    if not isinstance(state, dict) or arrays.left:
        raise ValueError("a state with something else in it")
    return state


def _written(value: Any, arrays: list[bytes]) -> Any:
    """A value as JSON has it; the bytes of its arrays are appended to ``arrays``."""
    if isinstance(value, np.ndarray):
        if value.dtype.name not in _TYPES:
            raise TypeError(f"an array of {value.dtype} cannot be part of a state")
        strides = value.strides
        axes = sorted(range(value.ndim), key=lambda axis: -abs(strides[axis]))
        arrays.append(value.transpose(axes).astype(value.dtype.newbyteorder("<")).tobytes())
        return {"": [value.dtype.name, list(value.shape), axes]}
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("a name that is no string cannot be part of a state")
        if "" in value:
            raise ValueError("an empty name cannot be part of a state")
        return {key: _written(each, arrays) for key, each in value.items()}
    if isinstance(value, list):
        return [_written(each, arrays) for each in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{type(value).__name__} cannot be part of a state")


def _read(value: Any, arrays: _Arrays) -> Any:
    if isinstance(value, list):
        return [_read(each, arrays) for each in value]
    if not isinstance(value, dict):
        return value
    if "" not in value:
        return {key: _read(each, arrays) for key, each in value.items()}
    described = value[""]
    if len(value) != 1 or not isinstance(described, list) or len(described) != 3:
        raise ValueError("an array without a description")
    return arrays.next(*described)


class _Arrays:
    """The arrays at the end of the data, one after the other."""

    def __init__(self, data: bytes, start: int) -> None:
        self._data = data
        self._at = start

    @property
    def left(self) -> int:
        """Bytes that belong to no array yet."""
        return len(self._data) - self._at

    def next(self, kind: Any, shape: Any, axes: Any) -> np.ndarray:
        """The next one, as its description in the text says."""
        if not isinstance(kind, str) or kind not in _TYPES or not _whole(shape) or not _whole(axes):
            raise ValueError("an array of something else than numbers")
        if max(shape, default=0) > _MOST_ROWS or sorted(axes) != list(range(len(shape))):
            raise ValueError("an array of no such shape")
        size = math.prod(shape) * _TYPES[kind].itemsize
        if size > self.left:
            raise ValueError("an array that is cut off")
        part = self._data[self._at : self._at + size]
        self._at += size
        if kind == "bool" and part.strip(b"\0\1"):
            raise ValueError("truth values that are neither true nor false")
        stored = np.frombuffer(part, _TYPES[kind].newbyteorder("<")).reshape([shape[axis] for axis in axes])
        return stored.astype(_TYPES[kind]).transpose(np.argsort(axes).tolist())


def _whole(numbers: Any) -> bool:
    """Whether these are whole numbers from 0 on."""
    return isinstance(numbers, list) and all(type(number) is int and number >= 0 for number in numbers)
