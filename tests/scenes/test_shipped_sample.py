"""The clip that ships with the project and its truth belong together."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(scope="module")
def lines() -> list[dict]:
    return [json.loads(line) for line in (SAMPLES / "street.truth.jsonl").read_text().splitlines()]


def test_it_is_small_and_has_a_truth_for_every_frame(lines: list[dict]) -> None:
    import av

    assert (SAMPLES / "street.mp4").stat().st_size <= 4_000_000
    with av.open(str(SAMPLES / "street.mp4")) as container:
        video = container.streams.video[0]
        assert (video.width, video.height, video.average_rate) == (1280, 720, 30)
        assert len(container.streams.audio) == 1
        times = sorted(
            float(packet.pts * packet.time_base) for packet in container.demux(video) if packet.pts is not None
        )
    assert times == pytest.approx([line["pts"] for line in lines], abs=1e-4)
    assert [line["frame"] for line in lines] == list(range(len(times)))


def test_its_truth_has_much_to_follow(lines: list[dict]) -> None:
    lives: dict[tuple[int, str], int] = {}
    for line in lines:
        assert len(line["instances"]) >= 8
        for one in line["instances"]:
            key = (one["id"], one["label"])
            lives[key] = lives.get(key, 0) + 1
    assert len({identity for identity, _ in lives}) == len(lives) >= 30
    assert {label for _, label in lives} == {"person", "vehicle", "cycle"}
    assert np.median(list(lives.values())) > 60


def test_its_boxes_are_those_of_its_masks(lines: list[dict]) -> None:
    for line in lines[::30]:
        for one in line["instances"]:
            x, y, w, h = coco.toBbox(one["mask"])
            assert one["box"] == [x, y, x + w, y + h]
            assert one["mask"]["size"] == [720, 1280]
