"""What things remember from one frame to the next, to be taken out and put into others made alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, cast

import numpy as np


class Stateful:
    """A dataclass, with slots, whose state can be taken out and put into another one made in the same way.

    What it is made with are settings, and those never change. Fields with ``init=False`` are its state, all of them, so
    that none can be forgotten; slots allow no others. They hold numbers, strings, tuples of those, NumPy arrays, other
    stateful things, or records: dataclasses of such values, whose arrays have one row for each of the same things.

    What a field holds at first tells what fits into it later: the same type, and arrays of the same kind of numbers
    with as many axes; those outside of records have the same sizes, too, where these were not 0.
    """

    __slots__ = ()

    def state(self) -> dict[str, Any]:
        """All that later results depend on but the settings (see ``streamseg.tracking.Tracker.state``)."""
        return {name: _taken(getattr(self, name)) for name, _ in _remembered(self)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state (see ``streamseg.tracking.Tracker.restore``)."""
        before = self.state()
        try:
            self._put(state, "")
        except ValueError as error:
            self._put(before, "")
            raise ValueError(f"not the state of such a tracker: {error}") from error

    def check(self) -> None:
        """Raise ValueError where parts of the state contradict each other."""

    def _put(self, state: Any, where: str) -> None:
        firsts = dict(_remembered(self))
        _have(isinstance(state, Mapping) and state.keys() == firsts.keys(), where)
        for name, like in firsts.items():
            if isinstance(like, Stateful):
                like._put(state[name], f"{where}{name}.")
            else:
                value = _fitting(state[name], like, f"{where}{name}")
                if isinstance(like, np.ndarray):
                    _have(all(first in (0, size) for first, size in zip(like.shape, value.shape, strict=True)), where)
                setattr(self, name, value)
        self.check()


def _remembered(thing: Stateful) -> Iterator[tuple[str, Any]]:
    """The fields that are state, with what each held at first."""
    for each in fields(cast(Any, thing)):
        held = getattr(thing, each.name)
        if isinstance(held, Stateful):
            yield each.name, held
        elif not each.init:
            yield each.name, each.default if each.default_factory is MISSING else each.default_factory()


def _taken(value: Any) -> Any:
    """A value in plain terms, in memory of its own."""
    if isinstance(value, Stateful):
        return value.state()
    if isinstance(value, np.ndarray):
        # Sums may depend, in their last bit, on the order of the axes in memory.
        return value.copy(order="K")
    if is_dataclass(value):
        return {each.name: _taken(getattr(value, each.name)) for each in fields(value) if each.init}
    if isinstance(value, tuple):
        return [_taken(each) for each in value]
    if isinstance(value, float):
        return float(value)  # NumPy's scalars are floats, too, but not plain ones
    if value is None or isinstance(value, (int, str)):
        return value
    raise TypeError(f"{type(value).__name__} cannot be part of a state")


def _fitting(value: Any, like: Any, where: str) -> Any:
    """What ``_taken`` made of a value, as that value again.

    Raises:
        ValueError: It is nothing like what was there at first.
    """
    if isinstance(like, np.ndarray):
        _have(isinstance(value, np.ndarray) and (value.dtype.kind, value.ndim) == (like.dtype.kind, like.ndim), where)
        return value.copy(order="K")
    if is_dataclass(like):
        firsts = {each.name: getattr(like, each.name) for each in fields(like) if each.init}
        _have(isinstance(value, Mapping) and value.keys() == firsts.keys(), where)
        parts = {name: _fitting(value[name], first, f"{where}.{name}") for name, first in firsts.items()}
        _have(len({part.shape[:1] for part in parts.values() if isinstance(part, np.ndarray)}) == 1, where)
        return cast(Any, type(like))(**parts)
    if isinstance(like, tuple):  # an empty one stands for any number of names
        _have(isinstance(value, list), where)
        _have([type(each) for each in value] == ([type(each) for each in like] or [str] * len(value)), where)
        return tuple(value)
    if like is None:  # numbers that may be missing
        _have(value is None or (isinstance(value, np.ndarray) and value.dtype.kind == "f"), where)
        return _taken(value)
    _have(type(value) is type(like), where)
    return value


def _have(fits: bool, where: str) -> None:
    if not fits:
        raise ValueError(where.rstrip(".") or "other parts")
