"""Which runs many files are, and what their files are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamseg.errors import UserError
from streamseg.pipeline.batch import jobs_of
from streamseg.settings import Settings


@pytest.fixture
def trips(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("trips/b10.mp4", "trips/b9.mp4", "trips/b9.avi", "trips/12:30:05.mov", "trips/day 2/b9.mp4"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    return tmp_path


def named(**settings) -> dict[str, str | None] | None:
    jobs = jobs_of(Settings(**settings))
    return None if jobs is None else {job.name: job.settings.output or job.settings.records for job in jobs}


def test_names_are_kept_and_none_comes_twice(trips):
    assert named(source=("trips/*",), output="out/") == {
        "trips/12:30:05.mov": "out/12:30:05.mp4",
        "trips/b9.avi": "out/b9.avi.mp4",
        "trips/b9.mp4": "out/b9.mp4",
        "trips/b10.mp4": "out/b10.mp4",
    }
    assert Path("out").is_dir()


def test_folders_stay_apart(trips):
    assert named(source=("trips/**/*.mp4",), output="out/") == {
        "trips/b9.mp4": "out/b9.mp4",
        "trips/b10.mp4": "out/b10.mp4",
        "trips/day 2/b9.mp4": "out/day 2/b9.mp4",
    }


def test_records_and_tracks_get_files_of_their_own(trips):
    [first, *_] = jobs_of(Settings(source=("trips",), records="rows/", tracks="tables/", records_format="mot"))
    assert (first.settings.records, first.settings.tracks) == ("rows/12:30:05.txt", "tables/12:30:05.csv")
    first.make_folders()


@pytest.mark.parametrize(
    "settings",
    [
        {"source": ("trips/b9.mp4",), "output": "out/"},
        {"source": ("trips",), "output": "out.mp4"},
        {"source": ("trips",), "output": "out/", "records": "all.jsonl"},
        {"source": ("trips",)},
        {"source": ("trips",), "output": "out/", "show": True},
        {"source": ("trips", "0"), "output": "out/"},
        {"source": ("trips", "rtsp://host/x"), "output": "out/"},
    ],
    ids=str,
)
def test_one_run_stays_one(trips, settings):
    assert named(**settings) is None


def test_the_sources_own_folder_is_no_output(trips):
    with pytest.raises(UserError, match="is the folder of the sources"):
        jobs_of(Settings(source=("trips/*.mp4",), output="trips/"))


def test_a_glob_without_files_is_one_line(trips):
    with pytest.raises(UserError, match="no video and no image matches"):
        jobs_of(Settings(source=("trips/*.webm",), output="out/"))
