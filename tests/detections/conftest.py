"""Small files of detections, made on the spot."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamseg.masks import Patch, encode


@pytest.fixture
def rows(tmp_path: Path) -> Callable[..., Path]:
    """``rows("1,-1,0,0,5,5,0.9", …, name="det.txt")`` writes a file of rows."""

    def write(*lines: str, name: str = "det.txt") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    return write


@pytest.fixture
def record() -> Callable[..., dict[str, Any]]:
    """``record(3, [("car", 0.9, (4, 5, 20, 30)), …], masks=True)``: a record of a frame of 64 x 48 pixels."""

    def make(
        number: int, objects: Sequence[tuple[str, float, tuple[float, ...]]] = (), masks: bool = False, **other: Any
    ) -> dict[str, Any]:
        entries = []
        for label, score, box in objects:
            entry = {"id": 0, "label": label, "score": score, "box": list(box)}
            if masks:
                left, top, right, bottom = (round(side) for side in box)
                inside = np.ones((bottom - top, right - left), bool)
                inside[: len(inside) // 2, : inside.shape[1] // 2] = False
                entry["mask"] = encode(Patch(inside, left, top), 48, 64)
            entries.append(entry)
        return {"frame": number, "pts": number / 10, "instances": entries, **other}

    return make


@pytest.fixture
def records(tmp_path: Path) -> Callable[..., Path]:
    """``records(record(0), …)`` writes a file of records; texts are lines as they are."""

    def write(*lines: dict[str, Any] | str, name: str = "found.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in lines))
        return path

    return write
