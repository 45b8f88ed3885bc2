"""What of settings and model reaches the parts of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamseg.pipeline.wiring import Plan, tracker_of
from streamseg.settings import Settings
from streamseg.tracking.belief import Belief

OWN = Belief().neutral_score


@pytest.mark.parametrize(
    ("setting", "model", "expected"), [(None, None, OWN), (None, 0.7, 0.7), (0.8, 0.7, 0.8), (0.8, None, 0.8)]
)
@pytest.mark.parametrize("own_scores", [False, True])
def test_which_score_is_neutral(setting: float | None, model: float | None, expected: float, own_scores: bool) -> None:
    settings = Settings(track_neutral_score=setting)
    assert tracker_of(settings, own_scores, model).belief.neutral_score == expected


def test_the_model_says_it_unless_the_user_does(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((48, 64, 3), np.uint8))
    settings = Settings(source=(str(tmp_path / "a.png"),) * 2, model="street", device="cpu", output=f"{tmp_path}/out/")
    with Plan(settings) as plan:
        segmenter = plan.load()
        said = segmenter.model.neutral_score
        assert {tracker.belief.neutral_score for tracker in plan.parts(segmenter).trackers} == {said} != {OWN}
        segmenter.model = replace(segmenter.model, neutral_score=None)
        assert plan.parts(segmenter).trackers[0].belief.neutral_score == OWN
        plan.settings = replace(settings, track_neutral_score=0.6)
        assert plan.parts(segmenter).trackers[0].belief.neutral_score == 0.6
