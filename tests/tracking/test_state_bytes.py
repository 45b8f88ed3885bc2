"""A state as bytes: it comes back exactly, and whatever else is in a file is refused and does nothing."""

from __future__ import annotations

import io
import json
import pickle
import tracemalloc
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from streamseg.tracking.state import from_bytes, to_bytes

MARK = b"SSSTATE1"
TYPES = st.one_of(
    arrays.boolean_dtypes(),
    arrays.integer_dtypes(),
    arrays.unsigned_integer_dtypes(),
    arrays.floating_dtypes(sizes=(16, 32, 64)),
)
ARRAYS = arrays.arrays(TYPES, arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | ARRAYS
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1, max_size=5), inner, max_size=4),
    max_leaves=8,
)
STATES = st.dictionaries(st.text(min_size=1, max_size=5), VALUES, max_size=5)
SAMPLE = {
    "name": "Zoë \ud800",
    "numbers": [1, -0.0, float("inf"), float("nan"), 10**30, True, None],
    "deep": {"empty": {}, "none": np.zeros((0, 7), np.float32), "whole": np.arange(6).reshape(2, 3)},
    "small": np.array([[0, 255]], np.uint8),
    "true": np.array([True, False]),
    "odd": np.array([np.nan, np.inf, -np.inf, -0.0, 5e-324]),
}


def forged(text: bytes | str | Any, numbers: bytes = b"", length: int | None = None) -> bytes:
    """What somebody may write who knows the format."""
    text = text if isinstance(text, bytes) else text.encode() if isinstance(text, str) else json.dumps(text).encode()
    body = (len(text) if length is None else length).to_bytes(4, "little") + text + numbers
    return MARK + zlib.crc32(body).to_bytes(4, "little") + body


def same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        native = one.astype(one.dtype.newbyteorder("="))
        return (native.dtype, native.shape, native.tobytes()) == (other.dtype, other.shape, other.tobytes())
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and repr(one) == repr(other)


def refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        from_bytes(data)


@given(STATES)
@settings(max_examples=150, deadline=None)
def test_a_state_comes_back_exactly(state: dict[str, Any]) -> None:
    data = to_bytes(state)
    assert same(state, from_bytes(data)) and to_bytes(from_bytes(data)) == data


def test_the_sample_comes_back_in_memory_of_its_own() -> None:
    data = to_bytes(SAMPLE)
    state = from_bytes(data)
    assert same(SAMPLE, state)
    for array in (state["small"], state["deep"]["whole"]):
        assert array.flags.writeable and array.flags.aligned
        array.fill(1)
    assert same(SAMPLE, from_bytes(data))


@given(st.permutations(range(3)), st.booleans())
def test_axes_lie_in_memory_as_they_did(axes: list[int], backwards: bool) -> None:
    array = np.arange(24.0).reshape(2, 3, 4).transpose(axes)
    strides = from_bytes(to_bytes({"a": array[::-1] if backwards else array}))["a"].strides
    assert strides == array.strides


@given(st.integers(0), st.integers(1, 255), st.integers(0, 3), st.binary(min_size=1, max_size=9))
@settings(max_examples=200, deadline=None)
def test_whatever_is_damaged_is_refused(place: int, change: int, kind: int, other: bytes) -> None:
    data = bytearray(to_bytes(SAMPLE))
    place %= len(data)
    if kind == 0:
        data[place] ^= change
    elif kind == 1:
        del data[place:]
    elif kind == 2:
        data += other
    else:
        data[place:place] = other
    if data != to_bytes(SAMPLE):
        refused(bytes(data))


@given(st.lists(st.tuples(st.integers(0), st.binary(max_size=3), st.integers(0, 3)), min_size=1, max_size=4))
@settings(max_examples=300, deadline=None)
def test_whatever_is_forged_is_data_or_refused(changes: list[tuple[int, bytes, int]]) -> None:
    data = bytearray(to_bytes(SAMPLE)[len(MARK) + 4 :])
    for place, other, length in changes:
        place %= len(data)
        data[place : place + length] = other
    data = bytearray(MARK + zlib.crc32(data).to_bytes(4, "little") + data)
    try:
        state = from_bytes(bytes(data))
    except ValueError:
        return
    assert isinstance(state, dict) and to_bytes(state)


@given(st.binary(max_size=64))
def test_noise_is_refused(noise: bytes) -> None:
    for data in (noise, MARK + noise, MARK + zlib.crc32(noise).to_bytes(4, "little") + noise):
        if data != forged("{}"):
            refused(data)


def described(*description: Any) -> dict[str, Any]:
    return {"a": {"": list(description)}}


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        pytest.param("", b"", id="nothing"),
        pytest.param("[]", b"", id="a list"),
        pytest.param("3", b"", id="a number"),
        pytest.param("{", b"", id="half of it"),
        pytest.param(b'{"a": "\xff"}', b"", id="no text"),
        pytest.param("{}", b"1", id="more than there should be"),
        pytest.param('{"a": %s}' % ("9" * 5000), b"", id="an endless number"),
        pytest.param("[" * 300_000, b"", id="an abyss"),
        pytest.param('{"a":' * 100_000 + "1" + "}" * 100_000, b"", id="another abyss"),
        pytest.param({"": 1}, b"", id="nothing described"),
        pytest.param({"a": {"": ["int8", [1], [0]], "b": 1}}, b"1", id="described, and something else"),
        pytest.param(described("int8", [1]), b"1", id="half described"),
        pytest.param(described("object", [1], [0]), bytes(8), id="objects"),
        pytest.param(described("O", [1], [0]), bytes(8), id="objects by another name"),
        pytest.param(described("complex64", [1], [0]), bytes(8), id="complex numbers"),
        pytest.param(described(["int8"], [1], [0]), b"1", id="a type that is a list"),
        pytest.param(described("bool", [2], [0]), b"\1\2", id="true, false or else"),
        pytest.param(described("int8", [2], [0]), b"1", id="cut off"),
        pytest.param(described("int8", [-1], [0]), b"1", id="less than none"),
        pytest.param(described("int8", [-1, -1], [0, 1]), b"1", id="less than none, twice"),
        pytest.param(described("int8", [1.0], [0]), b"1", id="a broken size"),
        pytest.param(described("int8", [True], [0]), b"1", id="a true size"),
        pytest.param(described("int8", 1, [0]), b"1", id="no shape"),
        pytest.param(described("int8", [1], [1]), b"1", id="no such axis"),
        pytest.param(described("int8", [1], [False]), b"1", id="a false axis"),
        pytest.param(described("int8", [1, 1], [0, 0]), b"1", id="an axis twice"),
        pytest.param(described("int8", [1] * 99, list(range(99))), b"1", id="very many axes"),
        pytest.param(described("int8", [10**40], [0]), b"1", id="more than there is"),
        pytest.param(described("float64", [2**31, 2**31, 2**31], [0, 1, 2]), b"1", id="more than can be counted"),
        pytest.param(described("int8", [0, 10**40], [0, 1]), b"", id="nothing, of any size"),
        pytest.param(described("int8", [0] + [2**28] * 7, list(range(8))), b"", id="nothing, of any size, often"),
    ],
)
def test_forgeries_are_refused_and_take_no_memory(text: bytes | str | dict[str, Any], numbers: bytes) -> None:
    data = forged(text, numbers)
    tracemalloc.start()
    try:
        refused(data)
        assert tracemalloc.get_traced_memory()[1] < 40e6
    finally:
        tracemalloc.stop()


def test_the_text_is_bounded() -> None:
    refused(forged("{}", length=3))
    refused(forged("{}", length=2**32 - 1))
    refused(forged("{}" + " " * (1 << 20)))
    with pytest.raises(ValueError, match="too long"):
        to_bytes({"a": "b" * (1 << 20)})


def test_nothing_is_executed() -> None:
    class Intruder:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return (exec, ("raise SystemExit",))

    file = io.BytesIO()
    np.save(file, np.array([Intruder()], object))
    for data in (pickle.dumps(Intruder()), file.getvalue(), pickle.dumps(SAMPLE)):
        refused(data)
        refused(MARK + data)
        refused(forged({"a": data.hex()}, data))
        refused(forged(described("object", [1], [0]), data))


@pytest.mark.parametrize(
    "value",
    [(1,), {1}, b"a", np.float32(1), np.array([None]), np.array(["a"]), np.zeros(1, complex), {1: 2}, 1j],
    ids=repr,
)
def test_what_is_not_plain_is_not_written(value: Any) -> None:
    with pytest.raises(TypeError, match="cannot be part of a state"):
        to_bytes({"a": [value]})


def test_an_empty_name_is_not_written() -> None:
    with pytest.raises(ValueError, match="an empty name cannot"):
        to_bytes({"a": {"": 1}})
