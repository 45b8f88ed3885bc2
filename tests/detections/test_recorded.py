"""Our own records as detections."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from streamseg.detections.recorded import CELLS, RecordedDetections, mask_in_box
from streamseg.errors import UserError
from streamseg.masks import Patch, encode
from streamseg.training.segmentations import run_lengths


def test_frames_keep_their_numbers_and_times(records, record):
    things = [("car", 0.9, (4, 5, 20, 30)), ("bus", 0.25, (10.5, 0, 70, 12))]
    found = RecordedDetections(records(record(0), record(2, things), record(3, things[1:], pts=0.31)))
    assert found.numbers.tolist() == [0, 2, 3] and found.seconds.tolist() == [0, 0.2, 0.31]
    assert (found.class_names, found.size, found.extent, found.has_masks) == (("bus", "car"), None, (70, 30), False)
    assert [found.at(number).names for number in range(5)] == [[], [], ["car", "bus"], ["bus"], []]


def test_masks_come_back_as_they_were(records, record):
    things = [("car", 0.9, (4, 6, 20, 30)), ("bus", 0.25, (10, 0, 60, 12))]
    lines = [record(0, things, masks=True)]
    found = RecordedDetections(records(*lines))
    assert found.has_masks and found.size == (64, 48)
    objects = found.at(0)
    assert found.at(1).masks.shape == (0, CELLS, CELLS) and found.at(1).pasting == objects.pasting == "aligned"
    assert objects.masks.shape == (2, CELLS, CELLS) and objects.masks.dtype == np.float32
    pixels = objects.to_masks(48, 64)
    for mine, entry in zip(pixels, lines[0]["instances"], strict=True):
        theirs = coco.decode(entry["mask"]).astype(bool)
        assert (mine & theirs).sum() / (mine | theirs).sum() > 0.97


@settings(max_examples=40, deadline=None)
@given(
    corner=st.tuples(st.floats(-10, 50), st.floats(-10, 40)),
    extent=st.tuples(st.floats(0.5, 60), st.floats(0.5, 50)),
    seed=st.integers(0, 5),
)
def test_cells_hold_their_share_of_the_mask(corner, extent, seed):
    pixels = np.random.default_rng(seed).random((48, 64)) > 0.5
    runs = run_lengths(encode(Patch(pixels, 0, 0), 48, 64), 48, 64)
    box = (*corner, corner[0] + extent[0], corner[1] + extent[1])
    cells = mask_in_box(runs, 48, box)
    assert cells.shape == (CELLS, CELLS) and cells.dtype == np.float32
    assert cells.min() >= 0 and cells.max() <= 1 + 1e-5
    across, down = (
        np.clip(np.minimum(box[axis + 2], np.arange(size) + 1) - np.maximum(box[axis], np.arange(size)), 0, None)
        for axis, size in ((0, 64), (1, 48))
    )
    inside = down @ pixels @ across
    assert cells.mean() * extent[0] * extent[1] == pytest.approx(inside, rel=1e-3, abs=1e-3)


def test_masks_are_used_where_every_object_has_one(records, record):
    both = record(0, [("car", 0.9, (4, 6, 20, 30))], masks=True)
    path = records(both, record(1, [("car", 0.9, (4, 6, 20, 30)), ("car", 0.9, (4, 6, 4, 30))]))
    found = RecordedDetections(path)
    assert not found.has_masks and not found.at(0).has_masks
    assert found.notes == [
        f"{path}: 1 box without area is left out",
        f"{path}: 2 of 3 objects have no mask, so only boxes are used",
    ]


def test_records_of_others_need_neither_time_nor_score(records):
    entry = {"label": "car", "box": [1, 2, 3, 4]}
    found = RecordedDetections(records({"frame": 4, "instances": [entry]}))
    assert found.seconds is None and found.numbers.tolist() == [4]
    assert found.at(4).scores.tolist() == [1]


def test_a_file_without_records_is_a_video_without_frames(records):
    found = RecordedDetections(records())
    assert len(found.numbers) == 0 and len(found.at(0)) == 0


def masked(**wrong):
    mask = {**encode(Patch(np.ones((4, 4), bool), 0, 0), 48, 64), **wrong}
    return {"frame": 1, "pts": 1, "instances": [{"label": "a", "box": [0, 0, 4, 4], "mask": mask}]}


def boxed(box, **other):
    return {"frame": 1, "pts": 1, "instances": [{"label": "a", "box": box, **other}]}


WRONG = {
    "no json": "{",
    "no record": {"frames": 1},
    "a list": [1, 2],
    "a word as frame": {"frame": "x", "instances": []},
    "frame -1 at nan s is in no video": {"frame": -1, "instances": []},
    "at inf s is in no video": {"frame": 3, "pts": float("inf"), "instances": []},
    "comes before the line above it": {"frame": 0, "pts": 9, "instances": []},
    "comes before the line above": {"frame": 2, "pts": -1, "instances": []},
    "several sources": {"frame": 2, "pts": 9, "source": "b", "instances": []},
    "holds regions of classes": {"frame": 2, "pts": 9, "instances": [], "regions": []},
    "is no box (left, top, right, bottom)": boxed([5, 0, 3, 4]),
    "is no box (": boxed([5, 0, float("nan"), 4]),
    "not enough values": boxed([5, 0]),
    "score 98.5 is not from 0 to 1": boxed([0, 0, 1, 1], score=98.5),
    "do not add up to the picture": masked(counts="000"),
    "run lengths are broken": masked(counts="\u00ff"),
    "a mask of [48] pixels": masked(size=[48]),
    "a mask of [48, -64] pixels": masked(size=[48, -64]),
}


UNNAMED = ("no json", "no record", "a list", "a word as frame", "a mask of [48] pixels", "not enough values")
"""What Python finds, in words of its own."""


@pytest.mark.parametrize("message", WRONG)
def test_a_wrong_line_is_one_line_that_names_it(records, record, message):
    line = WRONG[message]
    path = records(record(0), line if isinstance(line, str) else json.dumps(line))
    with pytest.raises(UserError) as error:
        RecordedDetections(path)
    assert str(error.value).startswith(f"{path}, line 2: ") and "\n" not in str(error.value)
    if message not in (
        "no json",
        "no record",
        "a list",
        "a word as frame",
        "a mask of [48] pixels",
        "not enough values",
    ):
        assert message in str(error.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 99) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["frame", "pts", "instances", "label", "box", "score", "mask", "size", "counts"]), inner
        )
    ),
    max_leaves=12,
)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.fixed_dictionaries({"frame": st.integers(0, 9), "instances": JSON}) | JSON, max_size=4))
def test_any_json_is_read_or_refused_in_one_line(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("fuzz") / "found.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    try:
        found = RecordedDetections(path)
    except UserError as error:
        assert "\n" not in str(error)
        return
    for number in found.numbers.tolist():
        assert np.isfinite(found.at(number).boxes).all()
