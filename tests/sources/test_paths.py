from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamseg.errors import UserError
from streamseg.sources import Kind, expand, open_source, register
from streamseg.sources.kinds import KINDS
from streamseg.sources.network import without_credentials
from streamseg.sources.paths import natural_key

PLAIN_NAMES = [
    "12:30:05.mp4",
    "a b.mp4",
    'it\'s "quoted".mp4',
    "straße 東京.mp4",
    "%03d.mp4",
    "-dash.mp4",
    "[1].mp4",
    "what?.mp4",
    "*.mp4",
    "0",
    "pipe:1.mp4",
    "concat:x.mp4",
]


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def image(path: Path) -> Path:
    cv2.imwrite(str(path), np.full((8, 8, 3), 200, np.uint8))
    return path


@pytest.mark.parametrize("name", PLAIN_NAMES)
def test_a_file_that_exists_is_that_file_whatever_its_name_looks_like(tmp_path, monkeypatch, clip, name):
    clip("plain.mp4").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert expand([name]) == [name]
    source = open_source(name)
    assert (source.info.name, len(list(source))) == (name, 10)


def test_a_folder_of_videos_is_each_video_in_natural_order(tmp_path):
    touch(tmp_path, "v10.mp4", "v9.MP4", "notes.txt", ".hidden.mp4", "deeper/v1.mp4")
    assert expand([str(tmp_path)]) == [str(tmp_path / "v9.MP4"), str(tmp_path / "v10.mp4")]


def test_a_mixed_folder_is_one_source_of_images_and_each_video(tmp_path):
    touch(tmp_path, "v2.mkv", "v1.mkv")
    image(tmp_path / "a.png")
    specs = expand([str(tmp_path)])
    assert specs == [str(tmp_path), str(tmp_path / "v1.mkv"), str(tmp_path / "v2.mkv")]
    assert open_source(specs[0]).info.frames == 1


def test_a_glob_takes_what_matches(tmp_path):
    touch(tmp_path, "a10.mp4", "a9.mp4", "b1.mp4")
    assert expand([str(tmp_path / "a*.mp4")]) == [str(tmp_path / "a9.mp4"), str(tmp_path / "a10.mp4")]
    for number in (9, 10):
        image(tmp_path / f"f{number}.png")
    pattern = str(tmp_path / "f*.png")
    assert expand([pattern]) == [pattern]
    assert [file.name for file in open_source(pattern).info.files] == ["f9.png", "f10.png"]


@pytest.mark.parametrize("spec", ["empty", "nothing*.mp4"])
def test_a_folder_or_glob_without_media_is_an_error_in_one_line(tmp_path, spec):
    (tmp_path / "empty").mkdir()
    touch(tmp_path, "empty/readme.txt")
    with pytest.raises(UserError, match=re.escape(spec)) as error:
        expand([str(tmp_path / spec)])
    assert "\n" not in str(error.value)


def test_other_specs_stay_as_they_are():
    specs = ["0", "rtsp://host/a[1]?b=*", "nowhere.mp4"]
    assert expand(specs) == specs


def test_an_unknown_scheme_names_the_known_ones():
    with pytest.raises(UserError, match=r"gopher://.*rtsp"):
        open_source("gopher://example.org/1")


def test_a_new_kind_is_one_registration(monkeypatch):
    monkeypatch.setattr("streamseg.sources.kinds.KINDS", list(KINDS))
    register(Kind("two of them", lambda spec: spec.startswith("two:"), "fractions:Fraction"))
    monkeypatch.setattr("fractions.Fraction", lambda spec: f"opened {spec}")
    assert open_source("two:x") == "opened two:x"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://user:secret@cam.local:554/live", "rtsp://cam.local:554/live"),
        ("rtsp://user:se/c@ret@cam/live?token=secret#secret", "rtsp://cam/live"),
        ("HTTPS://cam/x.m3u8?sig=secret", "https://cam/x.m3u8"),
        ("http://cam/p?next=//user:secret@other/", "http://other/"),
    ],
)
def test_credentials_are_cut_out_of_the_name(url, shown):
    assert without_credentials(url) == shown


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=1, unique=True), st.text("abc ", max_size=3))
def test_numbers_in_names_sort_as_numbers(numbers, stem):
    names = sorted((Path(f"{stem}{number}.png") for number in numbers), key=natural_key)
    assert [int(re.sub(r"\D", "", name.name)) for name in names] == sorted(numbers)
