"""Bad command lines: status 2 and exactly one line, whatever the mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamseg.cli import main

MISTAKES = {
    "--sorce 0": "unknown flag --sorce; did you mean --source?",
    "--score 3 --source a": "unknown flag --score; did you mean --score-threshold?",
    "--zzz": "unknown flag --zzz; see streamseg --help",
    "--source": "argument --source: expected one argument; see streamseg --help",
    "--source a b": "unexpected 'b'; a source is given as --source b; see streamseg --help",
    "--crf 99": "--crf 99: must be 0 to 51",
    "--crf high": "--crf 'high': must be a whole number (0 to 51)",
    "--batch-size 0": "--batch-size 0: must be auto, or 1 to 256 frames",
    "--precision int4": "--precision 'int4': must be one of auto, fp32, bf16, fp16, int8",
    "--device gpu": "--device 'gpu': must be one of auto, cpu, cuda, cuda:N, mps",
    "--classes a,,b": "--classes: must not be empty",
    "--output=": "--output: must not be empty",
    "--quiet": "no source given; name a video, a camera's number or a stream: --source WHAT",
    "--config none.toml": "cannot read the config file none.toml: no such file or directory",
    "modls": "unknown command 'modls'; did you mean models?",
    "clip.mp4": "unknown command 'clip.mp4'; a source is given as --source clip.mp4",
    "models --fast": "unknown flag --fast; see streamseg models --help",
    "models street": "unexpected 'street'; see streamseg models --help",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_one_line(line, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("clip.mp4").touch()
    assert main(line.split()) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"streamseg: {MISTAKES[line]}\n")


def test_no_words_at_all_show_how_to_begin(capsys):
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("usage: streamseg --source") and err.count("\n") == 3


@pytest.mark.parametrize("line", ["--help", "models --help", "render --help", "--version"])
def test_help_is_on_standard_output(line, capsys):
    with pytest.raises(SystemExit) as leaving:
        main(line.split())
    out, err = capsys.readouterr()
    assert leaving.value.code == 0 and out and not err


def test_help_names_every_setting_and_command(capsys):
    from streamseg.cli.commands import COMMANDS
    from streamseg.settings import SETTINGS

    with pytest.raises(SystemExit):
        main(["--help"])
    words = capsys.readouterr().out.split()
    assert {setting.flag for setting in SETTINGS.values()} <= {word.rstrip(",") for word in words}
    assert set(COMMANDS) <= set(words)
