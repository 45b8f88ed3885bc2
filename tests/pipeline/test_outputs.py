from __future__ import annotations

from pathlib import Path

import pytest

from streamseg.errors import UserError
from streamseg.pipeline.outputs import make_folder, output_paths


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
    assert [path.name for path in paths] == [f"{stem}-annotated.mp4" for stem in stems]
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
