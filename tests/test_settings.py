from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streamseg.errors import UserError
from streamseg.rules import from_text
from streamseg.settings import SETTINGS, Settings, read_config, settings_table

WRONG = [
    ("stride", 0, "stride 0: must be 1 to 30 frames"),
    ("stride", 1.5, "stride 1.5: must be a whole number (1 to 30 frames)"),
    ("stride", True, "stride true: must be a whole number (1 to 30 frames)"),
    ("max_frames", -1, "max_frames -1: must be all, or 1 or more frames"),
    ("batch_size", 257, "batch_size 257: must be auto, or 1 to 256 frames"),
    ("batch_size", "many", "batch_size 'many': must be a whole number (auto, or 1 to 256 frames)"),
    ("score_threshold", 1.01, "score_threshold 1.01: must be 0 to 1"),
    ("score_threshold", float("nan"), "score_threshold nan: must be a number (0 to 1)"),
    ("score_threshold", 10**400, f"score_threshold {10**400}: must be 0 to 1"),
    ("crf", float("inf"), "crf inf: must be a whole number (0 to 51)"),
    ("score_threshold", None, "score_threshold None: must be a number (0 to 1)"),
    ("show", "yes", "show 'yes': must be true or false"),
    ("overwrite", 1, "overwrite 1: must be true or false"),
    ("precision", "int4", "precision 'int4': must be one of auto, fp32, bf16, fp16, int8"),
    ("device", "gpu", "device 'gpu': must be one of auto, cpu, cuda, cuda:N, mps"),
    ("device", "cuda:", "device 'cuda:': must be one of auto, cpu, cuda, cuda:N, mps"),
    ("track_neutral_score", 0.5, "track_neutral_score 0.5: must be auto, or 0.51 to 0.99"),
    ("track_neutral_score", 1, "track_neutral_score 1: must be auto, or 0.51 to 0.99"),
    ("output", "", "output: must not be empty"),
    ("output", 3, "output 3: must be text"),
    ("source", [""], "source: must not be empty"),
    ("source", [1.5], "source 1.5: must be text"),
    ("classes", "person,,car", "classes: must not be empty"),
]


@pytest.mark.parametrize(("name", "value", "message"), WRONG)
def test_a_wrong_value_is_refused_with_its_name_and_range(name, value, message):
    with pytest.raises(UserError) as error:
        Settings(**{name: value})
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("source", 0, ("0",)),
        ("source", "a.mp4", ("a.mp4",)),
        ("source", ["a,b.mp4", Path("c.mp4")], ("a,b.mp4", "c.mp4")),
        ("classes", "person, vehicle", ("person", "vehicle")),
        ("classes", ["person"], ("person",)),
        ("output", Path("out.mp4"), "out.mp4"),
        ("output", "out/", "out/"),
        ("batch_size", "auto", None),
        ("batch_size", np.int64(3), 3),
        ("max_frames", "all", None),
        ("show", "auto", None),
        ("track_neutral_score", "auto", None),
        ("score_threshold", 1, 1.0),
        ("device", "cuda:1", "cuda:1"),
    ],
)
def test_a_good_value_is_kept_in_one_form(name, value, kept):
    settings = Settings(**{name: value})
    assert getattr(settings, name) == kept
    assert type(getattr(settings, name)) is type(kept)
    assert Settings(**{name: kept}) == settings


@pytest.mark.parametrize(("flag", "text", "value"), [("crf", "18", 18), ("score_threshold", "0.3", 0.3)])
def test_flags_are_read_from_text(flag, text, value):
    assert from_text(SETTINGS[flag], text) == value


def test_a_wrong_flag_is_called_by_its_flag():
    with pytest.raises(UserError, match=r"^--score-threshold 'high': must be a number"):
        from_text(SETTINGS["score_threshold"], "high")


def test_files_win_over_defaults_and_arguments_over_files(tmp_path):
    config = tmp_path / "a.toml"
    config.write_text(
        'score_threshold = 0.3\nstride = 2\nsource = "a.mp4"\nclasses = ["person"]\nbatch_size = "auto"\n'
    )
    settings = Settings.gather({"config": str(config), "stride": 3})
    assert (settings.score_threshold, settings.stride, settings.crf) == (0.3, 3, Settings().crf)
    assert (settings.source, settings.classes, settings.batch_size) == (("a.mp4",), ("person",), None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("score_treshold = 0.3", "unknown setting 'score_treshold' in {path}; did you mean score_threshold?"),
        ("score-threshold = 0.3", "unknown setting 'score-threshold' in {path}; did you mean score_threshold?"),
        ("zzz = 1", "unknown setting 'zzz' in {path}; see streamseg --help"),
        ("crf = 70", "crf in {path} 70: must be 0 to 51"),
        ("[output]\nfile = 'a'", "output in {path} {{'file': 'a'}}: must be text"),
        ("config = 'b.toml'", "config in {path}: a config file cannot name another; put everything into one file"),
        ("crf = ", "the config file {path} is not valid TOML: Invalid value (at end of document)"),
    ],
)
def test_a_bad_config_file_is_one_line(tmp_path, text, message):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_config(path)
    assert str(error.value) == message.format(path=path)


def test_a_config_file_must_be_readable_text(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_config(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not valid TOML") as error:
        read_config(tmp_path / "binary.toml")
    assert "\n" not in str(error.value)


def test_unknown_arguments_name_the_nearest():
    with pytest.raises(UserError, match=r"unknown setting 'clases'; did you mean classes\?"):
        Settings.gather({"clases": "person"})


def test_every_setting_says_what_it_is():
    for setting in SETTINGS.values():
        assert setting.rule.meaning.endswith(".") and "|" not in setting.rule.meaning
        assert setting.kind in ("str", "int", "float", "bool", "tuple[str, ...]")
        assert setting.default is not None or setting.rule.unset or setting.kind == "str"


def test_the_table_has_every_setting_once():
    rows = [line.split(" | ") for line in settings_table().splitlines() if line.startswith("| `")]
    assert [row[0].strip("| `") for row in rows] == list(SETTINGS)
    assert all(len(row) == 5 for row in rows)


def test_defaults_agree_with_the_rooms_they_go_to():
    from streamseg.overlay.painter import Painter
    from streamseg.tracking import TRACKERS
    from streamseg.tracking.belief import Belief
    from streamseg.tracking.two_stage import Rules

    settings, painter, rules = Settings(), Painter(), Rules()
    assert (settings.mask_opacity, settings.outlines) == (painter.mask_opacity, painter.show_outlines)
    assert (settings.boxes, settings.labels) == (painter.show_boxes, painter.show_labels)
    assert (settings.track_lost_seconds, settings.score_threshold) == (rules.lost_seconds, rules.high_score)
    assert f"else {Belief().neutral_score:g}." in SETTINGS["track_neutral_score"].rule.meaning
    assert set(SETTINGS["tracker"].rule.choices) == set(TRACKERS)
