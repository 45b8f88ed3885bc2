"""COCO files: class ids with gaps, segmentations of every kind, ignored regions, and faults."""

import json

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from streamseg.errors import UserError
from streamseg.training.coco import CocoData, decode_segmentation

SQUARE = np.zeros((20, 30), np.uint8)
SQUARE[5:10, 8:20] = 1
RLE = coco_mask.encode(np.asfortranarray(SQUARE))
PLAIN = {"size": [20, 30], "counts": [165, *([5, 15] * 11), 5, 210]}


@pytest.mark.parametrize(
    ("segmentation", "expected"),
    [
        ([[8, 5, 20, 5, 20, 10, 8, 10]], 60),
        ([[8, 5, 14, 5, 14, 10, 8, 10], [14, 5, 20, 5, 20, 10, 14, 10]], 60),
        (RLE, 60),
        ({"size": RLE["size"], "counts": RLE["counts"].decode()}, 60),
        (PLAIN, 60),
        ([[8, 5, 50, 5, 50, 10, 8, 10], [0, 5, 8, 5, 8, 10, 0, 10]], 150),
    ],
    ids=["polygon", "two polygons", "bytes", "text", "plain runs", "cut by the border"],
)
def test_segmentations(segmentation, expected):
    mask = decode_segmentation(segmentation, 20, 30)
    assert (mask.shape, mask.dtype, int(mask.sum())) == ((20, 30), np.uint8, expected)


@pytest.mark.parametrize("size", [(20, 30), (10, 15), (7, 30), (1, 1)])
def test_masks_of_another_size_have_the_nearest_pixels(size):
    mask = np.random.default_rng(0).integers(0, 2, (20, 30)).astype(np.uint8)
    rows, columns = ((np.arange(new) + 0.5) * old / new for new, old in zip(size, mask.shape, strict=True))
    expected = mask[rows.astype(int)[:, None], columns.astype(int)]
    found = decode_segmentation(coco_mask.encode(np.asfortranarray(mask)), 20, 30, size)
    assert (found == expected).all()


def test_labels_follow_category_ids(dataset):
    data = CocoData.read(dataset)
    assert (data.class_names, data.category_ids, len(data)) == (("green", "red"), (4, 9), 12)
    sample = data.sample(1)
    assert (sample.labels.tolist(), sample.masks.shape, sample.labelled) == ([2], (1, 64, 96), {1, 2})
    inside = sample.image[sample.masks[0] > 0]
    assert np.median(inside, axis=0).tolist() == [250, 40, 40]


def changed(dataset, change):
    content = json.loads(dataset.read_text())
    change(content)
    dataset.write_text(json.dumps(content))
    return CocoData.read(dataset)


def test_crowds_and_missing_labels(dataset):
    def change(content):
        content["annotations"][0]["iscrowd"] = 1
        content["images"][0]["labelled_categories"] = [9]

    sample = changed(dataset, change).sample(0)
    assert (len(sample.masks), len(sample.ignore), sample.labelled) == (0, 1, {2})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "No such file"),
        ("{", "not a JSON file"),
        ("[" * 100_000, "not a JSON"),
        ("[]", "no COCO"),
        ('{"images": []}', "no COCO"),
        ('{"images": [], "annotations": {}, "categories": []}', "no COCO"),
    ],
)
def test_unreadable(tmp_path, text, message):
    file = tmp_path / "a.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UserError, match=message):
        CocoData.read(file)


def test_a_broken_segmentation_is_named(dataset):
    def change(content):
        content["annotations"][0]["segmentation"] = {"size": [64, 96], "counts": [99999, 5]}

    with pytest.raises(UserError, match=r"annotation 1 of 0.png: its run lengths are broken"):
        changed(dataset, change).sample(0)


def test_a_damaged_picture_is_named(dataset):
    (dataset.parent / "images" / "0.png").write_text("no picture")
    with pytest.raises(UserError, match=r"picture 0.png: not a picture"):
        CocoData.read(dataset).sample(0)
