"""HOTA, IDF1, switches and MOTA against tables worked out by hand, and against TrackEval fed directly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trackeval import metrics

from streamseg.errors import UserError
from streamseg.evaluation import scores as measures
from streamseg.evaluation.clip import read_records
from streamseg.evaluation.scores import TrackScores, combined
from streamseg.evaluation.tracking import evaluate_tracks, overall
from streamseg.masks import Patch, encode

Entry = tuple[int, float]  # identity, and the left edge of a box 20 wide and 40 high


def entry(identity: int, left: float, label: str = "person", top: float = 10, height: float = 40) -> dict[str, Any]:
    return {"id": identity, "label": label, "box": [left, top, left + 20, top + height]}


def write(path: Path, frames: list[list[dict[str, Any]]]) -> Path:
    lines = [json.dumps({"frame": index, "pts": index / 10, "instances": found}) for index, found in enumerate(frames)]
    path.write_text("\n".join(lines) + "\n")
    return path


def classes(folder: Path, truth: list[list[Any]], result: list[list[Any]], **options: Any) -> dict[str, TrackScores]:
    """Entries are dicts, or an identity and a left edge."""
    frames = [[[e if isinstance(e, dict) else entry(*e) for e in frame] for frame in side] for side in (truth, result)]
    clips = (
        read_records(write(folder / name, side)) for name, side in zip(("a.jsonl", "b.jsonl"), frames, strict=True)
    )
    return evaluate_tracks(*clips, **{"by": "box", **options})


def compare(folder: Path, truth: list[list[Any]], result: list[list[Any]], **options: Any) -> TrackScores:
    return overall(classes(folder, truth, result, **options))


ONE = [[(1, 50)]] * 4
TWO = [[(1, 50), (2, 200)]] * 4


@pytest.mark.parametrize(
    ("truth", "result", "matched", "false", "switches", "mota", "idf1"),
    [
        pytest.param(ONE, [[(7, 50)]] * 4, 4, 0, 0, 1.0, 1.0, id="perfect under another number"),
        pytest.param(ONE, [[(7, 50)]] * 2 + [[(8, 50)]] * 2, 4, 0, 1, 0.75, 0.5, id="one switch"),
        pytest.param(ONE, [[(7, 50)]] * 2 + [[], []], 2, 0, 0, 0.5, 2 / 3, id="half missed"),
        pytest.param(ONE, [[(7, 50)], [], [], [(7, 50)]], 2, 0, 0, 0.5, 2 / 3, id="back under its own number"),
        pytest.param(ONE, [[(7, 50)], [], [], [(8, 50)]], 2, 0, 1, 0.25, 1 / 3, id="back under a new number"),
        pytest.param(ONE, [[(7, 50), (9, 300)]] * 2 + [[(7, 50)]] * 2, 4, 2, 0, 0.5, 0.8, id="a false track"),
        pytest.param(TWO, [[(1, 50), (2, 200)]] * 2 + [[(2, 50), (1, 200)]] * 2, 8, 0, 2, 0.75, 0.5, id="two swap"),
        pytest.param(ONE, [[(7, 65)]] * 4, 0, 4, 0, -1.0, 0.0, id="too far off"),
        pytest.param(ONE, [[]] * 4, 0, 0, 0, 0.0, 0.0, id="nothing found"),
        pytest.param([[]] * 4, [[(1, 5)]] * 4, 0, 4, 0, 0.0, 0.0, id="nothing there"),
        pytest.param(ONE, [[(0, 50)]] * 4, 0, 0, 0, 0.0, 0.0, id="id 0 is not tracked"),
        # 7 holds the object although 8 covers it better from the second frame on.
        pytest.param(ONE, [[(7, 52)]] + [[(7, 52), (8, 50)]] * 3, 4, 3, 0, 0.25, 8 / 11, id="pairs stay together"),
    ],
)
def test_hand_counted_tables(
    tmp_path: Path, truth: Any, result: Any, matched: int, false: int, switches: int, mota: float, idf1: float
) -> None:
    scores = compare(tmp_path, truth, result)
    assert (scores.matched, scores.false_positives, scores.switches) == (matched, false, switches)
    assert scores.mota == pytest.approx(mota)
    assert scores.idf1 == pytest.approx(idf1)


def test_motp_is_the_mean_overlap_of_what_was_found(tmp_path: Path) -> None:
    scores = compare(tmp_path, TWO, [[(1, 50), (2, 205)]] * 2 + [[(1, 45)], [(3, 300)]])
    assert scores.motp == pytest.approx((2 * 1 + 3 * 15 / 25) / 5)
    assert combined([]).motp == 0


@pytest.mark.parametrize(
    ("result", "fragments", "tracked", "lost", "deta", "assa"),
    [
        pytest.param([[(7, 50)]] * 5, 0, 1, 0, 1, 1, id="perfect"),
        # Each of the first two frames: agreed on in 2 frames, the truth alone in 3; of the last three: 3 and 2.
        pytest.param([[(7, 50)]] * 2 + [[(8, 50)]] * 3, 0, 1, 0, 1, (2 * 2 / 5 + 3 * 3 / 5) / 5, id="switched"),
        pytest.param([[(7, 50)], [(9, 250)], [(7, 50)], [(7, 250)], [(8, 50)]], 2, 0, 0, 3 / 7, None, id="lost twice"),
        pytest.param([[(7, 50)], [], [], [], [(7, 50)]], 0, 0, 0, 2 / 5, 2 / 5, id="frames without anything"),
        pytest.param([[(7, 250)]] * 5, 0, 0, 1, 0, 0, id="never found"),
    ],
)
def test_fragments_and_hota_by_hand(
    tmp_path: Path, result: Any, fragments: int, tracked: int, lost: int, deta: float, assa: float | None
) -> None:
    scores = compare(tmp_path, [[(1, 50)]] * 5, result)
    assert (scores.fragmentations, scores.mostly_tracked, scores.mostly_lost) == (fragments, tracked, lost)
    assert scores.deta == pytest.approx(deta)
    if assa is not None:
        assert (scores.assa, scores.hota) == pytest.approx((assa, (deta * assa) ** 0.5))


def test_classes_together_are_one_as_trackeval_adds_videos(tmp_path: Path) -> None:
    frames = [[entry(1, 50), entry(1, 150, "cycle")]] * 4
    scores = classes(tmp_path, frames, [[entry(7, 50)]] * 4)
    assert (scores["person"].mota, scores["cycle"].mota) == (1, 0)
    both = combined(scores.values())
    assert (both.truth, both.matched, both.mota, both.idf1) == (8, 4, 0.5, pytest.approx(2 / 3))
    assert (both.deta, both.assa, both.hota) == pytest.approx((0.5, 1, 0.5**0.5))


def test_hours_of_video_are_measured_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    truth, result = wandering(1, frames=120)
    whole = compare(tmp_path, truth, result)
    monkeypatch.setattr(measures, "_TRACKS", 8)
    monkeypatch.setattr(measures, "_TABLES", 20_000)
    parts = compare(tmp_path, truth, result)
    for name in ("at_overlaps", "clear", "identity"):
        for key, value in getattr(whole, name).items():
            assert np.array_equal(value, getattr(parts, name)[key]), key


def test_labels_must_agree(tmp_path: Path) -> None:
    scores = classes(tmp_path, ONE, [[entry(1, 50, "vehicle")]] * 4)
    assert (scores["person"].misses, scores["person"].false_positives) == (4, 0)
    assert (scores["vehicle"].misses, scores["vehicle"].false_positives) == (0, 4)
    whole = combined(scores.values())
    assert (whole.truth, whole.result, whole.idf1, whole.hota) == (4, 4, 0, 0)


def test_one_identity_in_two_classes_is_two_tracks(tmp_path: Path) -> None:
    frames = [[entry(1, 50), entry(1, 50, "cycle")]] * 3
    assert compare(tmp_path, frames, frames).idf1 == 1


def test_min_height_leaves_small_truth_and_what_found_it_out(tmp_path: Path) -> None:
    truth = [[entry(1, 50), entry(2, 200, height=15)]] * 4
    found = [[entry(1, 50), entry(2, 200, height=17), entry(3, 400, height=10)]] * 4
    whole = compare(tmp_path, truth, found)
    assert (whole.truth, whole.result, whole.matched) == (8, 12, 8)
    for result in (found, [[entry(1, 50)]] * 4):
        tall = compare(tmp_path, truth, result, min_height=16)
        assert (tall.truth, tall.result, tall.mota, tall.idf1) == (4, 4, 1, 1)
    high_and_false = compare(tmp_path, truth, [[entry(1, 50), entry(3, 400)]] * 4, min_height=16)
    assert high_and_false.false_positives == 4


def with_mask(item: dict[str, Any], columns: int = 20) -> dict[str, Any]:
    """The left ``columns`` of the box are the object; the frame is 100 high, 300 wide."""
    left, top, _, bottom = (int(v) for v in item["box"])
    return {**item, "mask": encode(Patch(np.ones((bottom - top, columns), bool), left, top), 100, 300)}


def test_masks_decide_where_they_are_asked_for(tmp_path: Path) -> None:
    truth, result = [[with_mask(entry(1, 50))]] * 2, [[with_mask(entry(1, 50), columns=9)]] * 2
    assert compare(tmp_path, truth, result, by="box").matched == 2
    assert compare(tmp_path, truth, result, by="mask").matched == 0
    assert compare(tmp_path, truth, result, by="mask", threshold=0.4).matched == 2


def test_frames_that_were_left_out_count_as_missed(tmp_path: Path) -> None:
    assert compare(tmp_path, ONE, [[(1, 50)]]).misses == 3


def test_missing_masks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"b\.jsonl: has no masks"):
        compare(tmp_path, [[with_mask(entry(1, 50))]], ONE[:1], by="mask")


def test_masks_of_another_size_are_refused(tmp_path: Path) -> None:
    other = {**entry(1, 50), "mask": encode(Patch(np.ones((4, 4), bool), 0, 0), 50, 50)}
    with pytest.raises(UserError, match="different sizes"):
        compare(tmp_path, [[with_mask(entry(1, 50))]], [[other]], by="mask")


def wandering(seed: int, frames: int = 40) -> tuple[list[list[Any]], list[list[Any]]]:
    """Objects that walk through each other, and detections that miss, stray, switch and invent."""
    rng = np.random.default_rng(seed)
    start, speed = rng.uniform(0, 250, 6), rng.uniform(-6, 6, 6)
    names = np.arange(1, 7)
    truth, result = [], []
    for step in range(frames):
        lefts = start + speed * step
        truth.append([(one + 1, lefts[one]) for one in range(6) if rng.random() < 0.95])
        if rng.random() < 0.15:
            names[rng.choice(6, 2, replace=False)] = rng.choice(np.setdiff1d(np.arange(1, 30), names), 2, replace=False)
        shown = np.flatnonzero(rng.random(6) < 0.8)
        result.append([(int(names[one]), lefts[one] + rng.normal(0, 3)) for one in shown])
        if rng.random() < 0.3:
            result[-1].append((99, rng.uniform(0, 300)))
    return truth, result


@pytest.mark.parametrize("seed", range(6))
def test_equal_to_trackeval(tmp_path: Path, seed: int) -> None:
    truth, result = wandering(seed)
    if seed == 0:
        truth[10], result[20] = [], []
    data: dict[str, Any] = {"num_timesteps": len(truth), "similarity_scores": []}
    for a, b in zip(truth, result, strict=True):
        first, second = (np.array([left for _, left in side], float) for side in (a, b))
        shared = np.maximum(20 - np.abs(first[:, None] - second[None]), 0)
        data["similarity_scores"].append(shared / (40 - shared))
    for name, side in (("gt", truth), ("tracker", result)):
        every = sorted({identity for frame in side for identity, _ in frame})
        data[f"{name}_ids"] = [np.array([every.index(identity) for identity, _ in frame], int) for frame in side]
        data[f"num_{name}_ids"], data[f"num_{name}_dets"] = len(every), sum(map(len, side))
    quiet = {"PRINT_CONFIG": False}
    clear, identity = metrics.CLEAR(quiet).eval_sequence(data), metrics.Identity(quiet).eval_sequence(data)
    hota = metrics.HOTA().eval_sequence(data)
    scores = compare(tmp_path, truth, result)
    for ours, theirs in (("hota", "HOTA"), ("deta", "DetA"), ("assa", "AssA")):
        assert getattr(scores, ours) == pytest.approx(float(np.mean(hota[theirs])), abs=1e-9)
    assert (scores.matched, scores.switches) == (clear["CLR_TP"], clear["IDSW"])
    assert scores.switches > 3
    assert scores.identity_matched == identity["IDTP"]
    assert (scores.mota, scores.motp) == pytest.approx((clear["MOTA"], clear["MOTP"]))
    assert scores.idf1 == pytest.approx(identity["IDF1"])


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_neither_order_nor_names_matter(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    truth, result = wandering(seed, frames=12)
    rng = np.random.default_rng(seed)
    others = rng.permutation(200)
    shuffled = [
        [(int(others[one]) + 1, left) for one, left in map(frame.__getitem__, rng.permutation(len(frame)))]
        for frame in result
    ]
    folder = tmp_path_factory.mktemp("order")
    first, second = compare(folder, truth, result), compare(folder, truth, shuffled)
    for name in ("hota", "deta", "assa", "mota", "motp", "idf1", "switches", "fragmentations"):
        assert getattr(first, name) == pytest.approx(getattr(second, name))
