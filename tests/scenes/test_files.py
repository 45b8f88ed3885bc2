from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco

from streamseg.errors import UserError
from streamseg.scenes import render_clip, render_still, write_sample, write_stills

SIZE = {"width": 160, "height": 96}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("sample")
    video, truth = folder / "street.mp4", folder / "street.truth.jsonl"
    write_sample(video, truth, seed=4, seconds=0.4, rate=10, **SIZE)
    return video, truth


def test_truth_file_comes_back_through_pycocotools(sample: tuple[Path, Path]) -> None:
    lines = [json.loads(line) for line in sample[1].read_text().splitlines()]
    frames = list(render_clip(4, seconds=0.4, rate=10, **SIZE))
    assert [line["frame"] for line in lines] == list(range(4))
    for line, frame in zip(lines, frames, strict=True):
        assert line["pts"] == pytest.approx(frame.seconds)
        assert [one["id"] for one in line["instances"]] == [found.id for found in frame.objects]
        for one, found in zip(line["instances"], frame.objects, strict=True):
            mask = coco.decode(one["mask"])
            assert mask.shape == (96, 160)
            assert np.array_equal(mask[found.mask.slices], found.mask.pixels)
            assert mask.sum() == found.mask.pixels.sum()
            assert tuple(one["box"]) == found.box
            assert one["label"] == found.label


def test_sample_has_every_frame_and_sound(sample: tuple[Path, Path]) -> None:
    import av

    with av.open(str(sample[0])) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (audio.codec_context.name, audio.codec_context.channels) == ("aac", 2)
        pictures = [(float(f.pts * f.time_base), f.to_ndarray(format="rgb24")) for f in container.decode(video)]
        container.seek(0)
        sound = np.concatenate([f.to_ndarray() for f in container.decode(audio)], axis=1)
    assert [pts for pts, _ in pictures] == pytest.approx(np.arange(4) / 10)
    for (_, picture), frame in zip(pictures, render_clip(4, seconds=0.4, rate=10, **SIZE), strict=True):
        assert np.abs(picture.astype(float) - frame.image).mean() < 12
    assert sound.shape[1] / 48000 == pytest.approx(0.4, abs=0.05)
    assert 0.002 < sound[:, 4800:].std() < 0.1


def test_only_whole_files_are_left(sample: tuple[Path, Path]) -> None:
    assert sorted(path.name for path in sample[0].parent.iterdir()) == ["street.mp4", "street.truth.jsonl"]


@pytest.mark.parametrize(
    ("folder", "width", "said"),
    [("there-is-none", 160, "there-is-none"), (".", 161, "even width")],
)
def test_sample_that_cannot_be_written(tmp_path: Path, folder: str, width: int, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        write_sample(tmp_path / folder / "a.mp4", tmp_path / folder / "a.jsonl", seconds=0.2, width=width, height=96)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_stills_are_a_coco_data_set(tmp_path: Path) -> None:
    from pycocotools.coco import COCO

    seen: list[tuple[int, int]] = []
    path = write_stills(
        tmp_path / "data", 2, first_seed=40, progress=lambda done, count: seen.append((done, count)), **SIZE
    )
    assert seen == [(1, 2), (2, 2)]
    data = COCO(str(path))
    assert {one["id"]: one["name"] for one in data.dataset["categories"]} == {1: "person", 2: "vehicle", 3: "cycle"}
    for index, entry in enumerate(data.dataset["images"]):
        assert entry["labelled_categories"] == [1, 2, 3]
        assert entry["source"] == "scenes"
        frame = render_still(40 + index, **SIZE)
        stored = cv2.imread(str(tmp_path / "data" / "images" / entry["file_name"]))[..., ::-1]
        assert np.abs(stored.astype(float) - frame.image).mean() < 12
        found = data.loadAnns(data.getAnnIds([entry["id"]]))
        assert len(found) == len(frame.objects)
        for annotation, true in zip(found, frame.objects, strict=True):
            mask = data.annToMask(annotation)
            assert mask.sum() == annotation["area"] == true.mask.pixels.sum()
            assert annotation["bbox"] == list(coco.toBbox(coco.encode(np.asfortranarray(mask))))
            assert annotation["iscrowd"] == 0


def test_stills_of_drives_are_a_second_apart(tmp_path: Path) -> None:
    path = write_stills(tmp_path / "data", 2, first_seed=3, drives=True, **SIZE)
    entries = json.loads(path.read_text())["images"]
    assert len(entries) == 2
    first = next(iter(render_clip(3, 10.0, rate=30, every=30, **SIZE)))
    pictures = [cv2.imread(str(tmp_path / "data" / "images" / entry["file_name"])).astype(float) for entry in entries]
    assert np.abs(pictures[0][..., ::-1] - first.image).mean() < 12
    assert np.abs(pictures[1] - pictures[0]).mean() > 3


def test_stills_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(UserError, match="taken"):
        write_stills(tmp_path / "taken", 1, **SIZE)
