from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from streamseg.errors import UserError
from streamseg.frame import StreamInfo
from streamseg.pipeline.outputs import Outputs, make_folder, output_paths
from streamseg.settings import Settings


@pytest.mark.parametrize(
    ("names", "stems"),
    [
        (["a.mp4"], ["a"]),
        (["a.mp4", "b.mov"], ["a", "b"]),
        (["x/a.mp4", "y/A.mp4", "a-2.mp4"], ["a", "A-2", "a-2-2"]),
        (["camera 0", "camera 1"], ["camera-0", "camera-1"]),
        (["rtsp://host/live/", "http://host:80/a/b.m3u8?token=1"], ["live", "b"]),
        (["*.png", "..."], ["stream", "stream-2"]),
    ],
)
@pytest.mark.parametrize("slash", [True, False])
def test_a_folder_gets_a_file_for_each_source(tmp_path, names, stems, slash):
    output = f"{tmp_path}/new/" if slash else str(tmp_path)
    paths = output_paths(output, names)
    assert [path.name for path in paths] == [f"{stem}.mp4" for stem in stems]
    assert {path.parent for path in paths} == {Path(output)}


def test_a_file_is_for_one_source(tmp_path):
    assert output_paths(str(tmp_path / "out.mp4"), ["a.mp4"]) == [tmp_path / "out.mp4"]
    with pytest.raises(UserError, match="2 sources need a folder"):
        output_paths(str(tmp_path / "out.mp4"), ["a.mp4", "b.mp4"])


def test_a_folder_is_made_where_a_slash_asks_for_it(tmp_path):
    make_folder(str(tmp_path / "file.mp4"))
    assert not list(tmp_path.iterdir())
    make_folder(f"{tmp_path}/new/")
    make_folder(f"{tmp_path}/new/")
    assert (tmp_path / "new").is_dir()
    with pytest.raises(UserError, match="cannot make this folder: no such file or directory"):
        make_folder(f"{tmp_path}/none/new/")


INFOS = [StreamInfo(name, 64, 48, Fraction(1, 30)) for name in ("a.mp4", "b/a.mov")]


def sinks_of(infos, **settings):
    outputs = Outputs(Settings(**settings), infos, show=False)
    outputs.check()
    made = outputs.make()
    for outlet in made:
        outlet.sink.close()
    return [(type(outlet.sink).__name__, outlet.streams) for outlet in made]


@pytest.mark.parametrize(
    ("name", "form", "sink"),
    [
        ("r.jsonl", "auto", "RecordsSink"),
        ("r.txt", "auto", "MotSink"),
        ("r", "auto", "RecordsSink"),
        ("-", "auto", "RecordsSink"),
        ("r.txt", "jsonl", "RecordsSink"),
        ("r.jsonl", "mot", "MotSink"),
        ("r.txt", "mots", "MotsSink"),
        ("-", "mots", "MotsSink"),
    ],
)
def test_the_name_tells_the_format_of_records_unless_it_is_asked_for(tmp_path, monkeypatch, name, form, sink):
    monkeypatch.chdir(tmp_path)
    assert sinks_of(INFOS[:1], records=name, records_format=form) == [(sink, None)]


@pytest.mark.parametrize(("form", "suffix"), [("auto", ".jsonl"), ("mot", ".txt"), ("mots", ".txt")])
def test_a_folder_of_records_has_a_file_for_each_source(tmp_path, form, suffix):
    outputs = Outputs(Settings(records=f"{tmp_path}/new/", records_format=form), INFOS, show=False)
    outputs.check()
    assert not (tmp_path / "new").exists()
    made = outputs.make()
    assert [outlet.streams for outlet in made] == [(0,), (1,)]
    for outlet in made:
        outlet.sink.open(INFOS[outlet.streams[0]])
        outlet.sink.close()
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [f"a-2{suffix}", f"a{suffix}"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"records": "r.txt"}, r"--records r\.txt: rows of mot do not tell 2 sources apart; give a folder"),
        ({"records": "r.jsonl", "records_format": "mots"}, "rows of mots do not tell 2 sources apart"),
        ({"records": "none/new/"}, "none/new/: there is no folder none"),
        ({"records": "r.jsonl", "tracks": "r.jsonl"}, r"--tracks r\.jsonl: is the records too"),
        ({"tracks": "there.csv"}, r"there\.csv: exists already"),
        ({"tracks": "none/t.csv"}, "there is no folder none"),
        ({"tracks": "."}, "is a folder"),
    ],
)
def test_tables_that_cannot_be_written_are_one_line(tmp_path, monkeypatch, settings, message):
    monkeypatch.chdir(tmp_path)
    Path("there.csv").touch()
    with pytest.raises(UserError, match=message):
        Outputs(Settings(**settings), INFOS, show=False).check()
    assert [path.name for path in tmp_path.iterdir()] == ["there.csv"]
