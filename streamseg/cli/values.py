"""Values of flags that are no settings."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def number(kind: type[int] | type[float], least: float) -> Callable[[str], int | float]:
    """What turns a word of the command line into a finite number of this kind, ``least`` or more."""

    def parse(text: str) -> int | float:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not least <= value < float("inf"):
            what = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"{text!r} must be {what}, {least:g} or more")
        return value

    return parse
