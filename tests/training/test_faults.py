"""Every fault of a data set is found, by name, and can be left out."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamseg.errors import UserError
from streamseg.training.coco import CocoData
from streamseg.training.faults import find_faults

STREET = Path(__file__).parents[3] / "shared" / "data" / "street"
NAN = float("nan")


def read(dataset, change):
    content = json.loads(dataset.read_text())
    change(content)
    dataset.write_text(json.dumps(content))
    return CocoData.read(dataset)


def image(position=3, **values):
    return lambda content: content["images"][position].update(values)


def annotation(position=3, **values):
    return lambda content: content["annotations"][position].update(values)


def entry(kind, value, position=1):
    return lambda content: content[kind].insert(position, value)


def without(kind, key, position=3):
    return lambda content: content[kind][position].pop(key)


def runs(*counts):
    return {"size": [64, 96], "counts": list(counts)}


def polygon(*numbers):
    return [list(numbers)]


FAR = (1000, 1000, 1010, 1000, 1010, 1010)
CHANGES = {
    "category id twice": (
        entry("categories", {"id": 9, "name": "blue"}),
        ["category 9 (blue): another category has this id"],
    ),
    "category name twice": (
        entry("categories", {"id": 5, "name": "red"}),
        ["category 5 (red): another category has this name"],
    ),
    "category without name": (entry("categories", {"id": 5}), ["category entry 2: has no name"]),
    "category no object": (entry("categories", [5]), ["category entry 2: is a list, not an object with id and name"]),
    "image no object": (entry("images", None), ["image entry 2: is null, not an object with id and file_name"]),
    "image without file name": (
        without("images", "file_name"),
        ["image entry 4: has no file_name", "annotation 4: there is no image 103"],
    ),
    "image id of wrong type": (
        image(id=1.5),
        ["image entry 4: its id is a fraction", "annotation 4: there is no image 103"],
    ),
    "file name of wrong type": (
        image(file_name=7),
        ["image entry 4: its file_name is a number", "annotation 4: there is no image 103"],
    ),
    "image id twice": (
        image(id=100),
        [
            "picture 0.png: its id 100 is also that of 3.png",
            "picture 3.png: its id 100 is also that of 0.png",
            "annotation 4: there is no image 103",
        ],
    ),
    "picture twice": (image(file_name="./2.png"), ["picture ./2.png: another entry has the same picture"]),
    "picture missing": (image(file_name="gone away.png"), ["picture gone away.png: the picture is not there"]),
    "picture is a folder": (image(file_name="."), ["picture .: the picture cannot be read (Is a directory)"]),
    "name with a line break": (
        image(file_name="a\nb\ud800\0"),
        [r"picture a\nb\ud800\x00: its file_name cannot be the name"],
    ),
    "size differs": (image(width=95), ["picture 3.png: the picture has 96x64 pixels, its entry says 95x64"]),
    "size turned": (image(width=64, height=96), ["picture 3.png: the picture has 96x64 pixels, its entry says 64x96"]),
    "size of wrong type": (image(width="96"), ["picture 3.png: its width and height are not whole numbers"]),
    "size out of range": (image(width=0), ["picture 3.png: its width and height are not whole numbers"]),
    "labelled categories": (image(labelled_categories=[[4]]), ["picture 3.png: its labelled_categories are no list"]),
    "annotation no object": (
        entry("annotations", "mask"),
        ["annotation entry 2: is a text, not an object with image_id"],
    ),
    "annotation without image": (without("annotations", "image_id"), ["annotation entry 4: has no image_id"]),
    "unknown image": (annotation(image_id=7), ["annotation 4: there is no image 7"]),
    "unknown category": (annotation(category_id=7), ["annotation 4 of 3.png: there is no category 7"]),
    "annotation without category": (
        without("annotations", "category_id"),
        ["annotation 4 of 3.png: has no category_id"],
    ),
    "annotation id twice": (annotation(id=1), ["annotation 1 of 3.png: another annotation has this id"]),
    "annotation id of wrong type": (annotation(id=[]), ["annotation entry 4 of 3.png: its id is neither"]),
    "crowd of wrong type": (annotation(iscrowd="no"), ["annotation 4 of 3.png: its iscrowd is neither 0 nor 1"]),
    "box empty": (annotation(bbox=[1, 1, 0, 5]), ["annotation 4 of 3.png: its box [1, 1, 0, 5] is empty or inverted"]),
    "box inverted": (
        annotation(bbox=[9, 9, 4, -5]),
        ["annotation 4 of 3.png: its box [9, 9, 4, -5] is empty or inverted"],
    ),
    "box not a number": (
        annotation(bbox=[1, NAN, 4, 5]),
        ["annotation 4 of 3.png: its box is not four finite numbers"],
    ),
    "box of three": (annotation(bbox=[1, 2, 3]), ["annotation 4 of 3.png: its box is not four finite numbers"]),
    "box of text": (annotation(bbox=["1", 2, 3, 4]), ["annotation 4 of 3.png: its box is not four finite numbers"]),
    "box huge": (annotation(bbox=[1, 2, 3, 10**400]), ["annotation 4 of 3.png: its box is not four finite numbers"]),
    "box outside": (
        annotation(bbox=[95, 2, 30, 4]),
        ["annotation 4 of 3.png: its box [95, 2, 30, 4] lies outside the picture"],
    ),
    "box elsewhere": (
        annotation(segmentation=polygon(1, 1, 9, 1, 9, 9), bbox=[60, 40, 9, 9]),
        ["annotation 4 of 3.png: its box [60, 40, 9, 9] does not agree with its mask, whose box is [2, 1, 7, 7]"],
    ),
    "no mask": (without("annotations", "segmentation"), ["annotation 4 of 3.png: it has no mask, and a box alone"]),
    "mask without polygon": (annotation(segmentation=[]), ["annotation 4 of 3.png: it has no mask, and a box alone"]),
    "mask of wrong type": (annotation(segmentation=5), ["annotation 4 of 3.png: it has no mask"]),
    "polygon of two points": (
        annotation(segmentation=[[1, 1, 9, 1]]),
        ["annotation 4 of 3.png: its polygon has 4 numbers"],
    ),
    "polygon odd": (
        annotation(segmentation=[[1, 1, 9, 1, 9, 9, 4]]),
        ["annotation 4 of 3.png: its polygon has 7 numbers"],
    ),
    "polygon of points": (
        annotation(segmentation=[[[1, 1], [9, 1], [9, 9]]]),
        ["annotation 4 of 3.png: its polygon is not a list of numbers"],
    ),
    "polygon of text": (
        annotation(segmentation=[["1", 1, 9, 1, 9, 9]]),
        ["annotation 4 of 3.png: its polygon is not a list of numbers"],
    ),
    "polygon not nested": (
        annotation(segmentation=[1, 1, 9, 1, 9, 9]),
        ["annotation 4 of 3.png: its polygon is not a list of numbers"],
    ),
    "polygon not finite": (
        annotation(segmentation=polygon(1, 1, 9, NAN, 9, 9)),
        ["annotation 4 of 3.png: its polygon has a number that is not finite"],
    ),
    "polygon outside": (
        annotation(segmentation=polygon(*FAR)),
        ["annotation 4 of 3.png: its mask lies outside the picture (1000 to 1010 across"],
    ),
    "polygon without pixels": (
        annotation(segmentation=polygon(9, 9, 9, 9, 9, 9)),
        ["annotation 4 of 3.png: its mask has no pixel"],
    ),
    "runs of another size": (
        annotation(segmentation={"size": [96, 64], "counts": [6144]}),
        ["annotation 4 of 3.png: its run lengths are for 64x96 pixels, its picture has 96x64"],
    ),
    "runs without size": (
        annotation(segmentation={"counts": [6144]}),
        ["annotation 4 of 3.png: its run lengths have no size"],
    ),
    "runs without pixels": (annotation(segmentation=runs(6144)), ["annotation 4 of 3.png: its mask has no pixel"]),
    "runs too long": (annotation(segmentation=runs(99999, 5)), ["annotation 4 of 3.png: its run lengths are broken"]),
    "runs negative": (annotation(segmentation=runs(6145, -1)), ["annotation 4 of 3.png: its run lengths are broken"]),
    "runs of fractions": (
        annotation(segmentation=runs(6143.5, 0.5)),
        ["annotation 4 of 3.png: its run lengths are neither"],
    ),
    "runs cut off": (
        annotation(segmentation={"size": [64, 96], "counts": "o"}),
        ["annotation 4 of 3.png: its compressed run lengths are broken"],
    ),
    "runs of other letters": (
        annotation(segmentation={"size": [64, 96], "counts": "é~"}),
        ["annotation 4 of 3.png: its compressed run lengths are broken"],
    ),
    "two faults of one": (
        annotation(bbox=[1, 1, 0, 5], segmentation=[]),
        ["annotation 4 of 3.png: its box [1, 1, 0, 5] is empty", "annotation 4 of 3.png: it has no mask"],
    ),
}


@pytest.mark.parametrize(("change", "lines"), CHANGES.values(), ids=CHANGES.keys())
def test_faults_are_named_and_can_be_left_out(dataset, change, lines):
    data = read(dataset, change)
    found = [fault.line for fault in find_faults(data)]
    assert len(found) == len(lines)
    for line, expected in zip(found, lines, strict=True):
        assert line.startswith(f"{dataset}: {expected}") and "\n" not in line
    rest = data.without(find_faults(data))
    assert find_faults(rest) == []
    assert len([rest.sample(index) for index in range(len(rest))]) >= 10


HARMLESS = {
    "as it is": lambda content: None,
    "no optional keys": lambda content: [
        item.pop(key) for item in content["annotations"] for key in ("id", "bbox", "area", "iscrowd")
    ],
    "no sizes": lambda content: [item.pop(key) for item in content["images"] for key in ("width", "height")],
    "sizes as fractions": image(width=96.0, height=64.0),
    "ids as text": lambda content: [
        *(item.update(id=str(item["id"])) for item in content["images"]),
        *(item.update(image_id=str(item["image_id"])) for item in content["annotations"]),
    ],
    "no objects": lambda content: content["annotations"].clear(),
    "a class without objects": entry("categories", {"id": 77, "name": "blue"}),
    "a crowd of no class": annotation(iscrowd=1, category_id=None),
    "a polygon over the border": annotation(segmentation=polygon(-1, 5, 20, 5, 20, 65.5), bbox=[-1, 5, 21, 60.5]),
    "a box of null": annotation(bbox=None),
}


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_is_only_unusual_is_no_fault(dataset, change):
    data = read(dataset, change)
    assert find_faults(data) == []
    assert all(data.sample(index).image.shape == (64, 96, 3) for index in range(12))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda content: b"", "the picture's file is empty"),
        (lambda content: b"no picture", "not a picture that OpenCV can read"),
        (lambda content: content[:20], "damaged"),
        (lambda content: content[: len(content) // 2], "cut off or damaged"),
        (lambda content: content[:-30], "cut off or damaged"),
    ],
)
@pytest.mark.parametrize("ending", [".png", ".jpg"])
def test_pictures_that_are_cut_off(dataset, spoil, message, ending):
    random = np.random.default_rng(0).integers(0, 255, (64, 96, 3)).astype(np.uint8)
    content = cv2.imencode(ending, random)[1].tobytes()
    picture = dataset.parent / "images" / "0.png"
    picture.write_bytes(content + b"trailing bytes")
    data = CocoData.read(dataset)
    assert find_faults(data) == []
    picture.write_bytes(spoil(content))
    (fault,) = find_faults(data)
    assert fault.entry == "picture 0.png" and message in fault.what
    assert len(data.without([fault])) == 11


def test_an_object_left_out_is_ignored_not_background(dataset):
    def change(content):
        content["annotations"][3].update(segmentation=[], bbox=[10, 20, 30, 5])

    data = read(dataset, change)
    sample = data.without(find_faults(data)).sample(3)
    assert (len(sample.masks), sample.ignore.sum()) == (0, 150)
    assert sample.ignore[0, 20:25, 10:40].all()


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 12)
    | st.sampled_from([64, 96, 103, 10**30])
    | st.floats()
    | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=8) | st.dictionaries(st.sampled_from(["size", "counts", "id"]), inner, max_size=3)
    ),
    max_leaves=12,
)
KEYS = {
    "images": ["id", "file_name", "width", "height", "labelled_categories"],
    "annotations": ["id", "image_id", "category_id", "segmentation", "bbox", "iscrowd", "area"],
    "categories": ["id", "name"],
}
PLACES = st.sampled_from(
    [(kind, position, key) for kind, keys in KEYS.items() for position in (0, 1) for key in [*keys, None]]
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(PLACES, VALUES), max_size=4))
def test_whatever_a_file_holds_is_a_fault_or_works(tmp_path_factory, changes):
    folder = tmp_path_factory.getbasetemp() / "any"
    folder.mkdir(exist_ok=True)
    cv2.imwrite(str(folder / "0.png"), np.zeros((64, 96, 3), np.uint8))
    shutil.copy(folder / "0.png", folder / "1.png")
    square = [5, 5, 20, 5, 20, 20]
    content = {
        "images": [{"id": n, "file_name": f"{n}.png", "width": 96, "height": 64} for n in range(2)],
        "annotations": [
            {"id": n, "image_id": n, "category_id": n, "segmentation": [square], "bbox": [5, 5, 15, 15]}
            for n in range(2)
        ],
        "categories": [{"id": n, "name": f"class {n}"} for n in range(2)],
    }
    for (kind, position, key), value in changes:
        if key is None:
            content[kind][position] = value
        elif isinstance(content[kind][position], dict):
            content[kind][position][key] = value
    (folder / "any.json").write_text(json.dumps(content))
    data = CocoData.read(folder / "any.json")
    faults = find_faults(data)
    for index in range(len(data)):
        try:
            data.sample(index)
        except UserError:
            assert faults
    rest = data.without(faults)
    assert find_faults(rest) == []
    for index in range(len(rest)):
        rest.sample(index)


@pytest.mark.skipif(not STREET.is_dir(), reason="needs ../shared/data/street")
@pytest.mark.parametrize("name", ["train", "val"])
def test_the_street_data_have_no_faults(name):
    assert find_faults(CocoData.read(STREET / f"{name}.json")) == []
