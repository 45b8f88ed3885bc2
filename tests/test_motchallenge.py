"""Numbers of classes, and what a seqinfo.ini says."""

from __future__ import annotations

from fractions import Fraction

import pytest

from streamseg.errors import UserError
from streamseg.motchallenge import class_name, mot_number, mots_number, sequence_info


@pytest.mark.parametrize("number", [1, 3, 4, 5, 14, 999, -1])
def test_a_class_keeps_its_number(number):
    assert mot_number(class_name(number), place=7) == number


@pytest.mark.parametrize(
    ("name", "mot", "mots"),
    [("person", 1, 2), ("pedestrian", 1, 2), ("car", 3, 1), ("bicycle", 4, 103), ("vehicle", 103, 103)],
)
def test_numbers_of_our_classes(name, mot, mots):
    assert (mot_number(name, 2), mots_number(name, 2)) == (mot, mots)


FULL = """[Sequence]
name=100% 02
frameRate=29.97
seqLength=30
imWidth=640
imHeight=480
imExt=.jpg
"""


@pytest.mark.parametrize("below", ["", "det", "gt"])
def test_a_seqinfo_is_found_beside_a_file_or_its_folder(tmp_path, below):
    (tmp_path / "seqinfo.ini").write_text(FULL)
    info = sequence_info(tmp_path / below / "det.txt")
    assert (info.name, info.rate, info.length, info.width, info.height) == ("100% 02", Fraction("29.97"), 30, 640, 480)


def test_none_is_none_and_what_is_left_out_is_none(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "seqinfo.ini").write_text("[Sequence]\nseqLength = 4\n")
    assert sequence_info(tmp_path / "other" / "det.txt") is None
    info = sequence_info(tmp_path / "det.txt")
    assert (info.name, info.rate, info.length, info.width) == (None, None, 4, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no .Sequence. that can be read"),
        ("[Other]\na=1", "no .Sequence. that can be read"),
        ("no ini at all", "no .Sequence. that can be read"),
        ("[Sequence]\nframeRate=fast", "frameRate 'fast' is not a number above 0"),
        ("[Sequence]\nframeRate=0", "frameRate '0' is not a number above 0"),
        ("[Sequence]\nframeRate=inf", "frameRate 'inf' is not a number above 0"),
        ("[Sequence]\nimWidth=640.5", "imWidth '640.5' is not a whole number above 0"),
        ("[Sequence]\nseqLength=-3", "seqLength '-3' is not a whole number above 0"),
    ],
)
def test_a_wrong_seqinfo_is_one_line(tmp_path, text, message):
    (tmp_path / "seqinfo.ini").write_text(text)
    with pytest.raises(UserError, match=message) as error:
        sequence_info(tmp_path / "det.txt")
    assert str(error.value).startswith(f"{tmp_path / 'seqinfo.ini'}: ") and "\n" not in str(error.value)
