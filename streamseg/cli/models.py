"""``streamseg models``: what ``--model`` can name."""

from __future__ import annotations

import argparse
from collections.abc import Sequence


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are none."""


def run(args: argparse.Namespace) -> int:
    """Print a table of the models to standard output."""
    from streamseg.models import list_models

    head = ("MODEL", "FINDS", "CLASSES", "PARAMETERS", "WEIGHTS", "WHAT IT IS")
    rows = [(e.name, e.kind, e.classes, f"{e.parameters:.1f} M", e.weights, e.summary) for e in list_models()]
    print("\n".join(aligned([head, *rows])))
    return 0


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of text whose columns stand under each other."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
