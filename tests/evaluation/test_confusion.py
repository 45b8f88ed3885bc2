"""The table of truth against prediction, by hand."""

import numpy as np
import pytest

from streamseg.evaluation.confusion import Confusion
from streamseg.masks import Patch, encode

LEFT, RIGHT, FAR = (0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10)


def entry(name, box, score=None, iscrowd=0):
    x1, y1, x2, y2 = box
    runs = encode(Patch(np.ones((y2 - y1, x2 - x1), bool), x1, y1), 20, 60)
    return {"category_id": {"a": 1, "b": 2}[name], "segmentation": runs, "iscrowd": iscrowd, "score": score}


TABLES = {
    "nothing at all": ([], [], [[0, 0, 0], [0, 0, 0], [0, 0, 0]], "0 missed, 0 false, 0 confused"),
    "found": ([("a", LEFT)], [("a", LEFT, 0.9)], [[1, 0, 0], [0, 0, 0], [0, 0, 0]], "0 missed, 0 false, 0 confused"),
    "missed": ([("b", LEFT)], [], [[0, 0, 0], [0, 0, 1], [0, 0, 0]], "1 missed, 0 false, 0 confused"),
    "below the threshold": ([("b", LEFT)], [("b", LEFT, 0.4)], [[0, 0, 0], [0, 0, 1], [0, 0, 0]], "1 missed"),
    "false": ([], [("a", FAR, 0.9)], [[0, 0, 0], [0, 0, 0], [1, 0, 0]], "0 missed, 1 false, 0 confused"),
    "confused": ([("a", LEFT)], [("b", LEFT, 0.9)], [[0, 1, 0], [0, 0, 0], [0, 0, 0]], "0 missed, 0 false, 1 confused"),
    # The second one of its class is the better one of the two, yet another class scores higher: its own class is first.
    "own class first": (
        [("a", LEFT)],
        [("b", LEFT, 0.9), ("a", (0, 0, 10, 8), 0.6)],
        [[1, 0, 0], [0, 0, 0], [0, 1, 0]],
        "0 missed, 1 false, 0 confused",
    ),
    "one object is taken once": (
        [("a", LEFT)],
        [("a", LEFT, 0.9), ("a", LEFT, 0.8)],
        [[1, 0, 0], [0, 0, 0], [1, 0, 0]],
        "0 missed, 1 false, 0 confused",
    ),
    "too little overlap": (
        [("a", LEFT)],
        [("a", (0, 0, 10, 4), 0.9)],
        [[0, 0, 1], [0, 0, 0], [1, 0, 0]],
        "1 missed, 1 false, 0 confused",
    ),
    "in a crowd of its class": ([("a", (0, 0, 60, 20), 1)], [("a", RIGHT, 0.9)], [[0, 0, 0]] * 3, "0 missed, 0 false"),
    "in a crowd of another class": (
        [("a", (0, 0, 60, 20), 1)],
        [("b", RIGHT, 0.9)],
        [[0, 0, 0], [0, 0, 0], [0, 1, 0]],
        "0 missed, 1 false",
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables(name):
    truth, found, counts, note = TABLES[name]
    truth = [entry(label, box, iscrowd=crowd[0] if crowd else 0) for label, box, *crowd in truth]
    table = Confusion(("a", "b"), (1, 2))
    mistakes = table.add(truth, [entry(*one) for one in found])
    assert table.counts.tolist() == counts
    assert str(mistakes).startswith(note)


def test_pictures_add_up():
    table = Confusion(("a", "b"), (1, 2), score_threshold=0.3)
    for _ in range(3):
        table.add([entry("a", LEFT), entry("b", RIGHT)], [entry("a", LEFT, 0.3)])
    assert table.counts.tolist() == [[3, 0, 0], [0, 0, 3], [0, 0, 0]]
