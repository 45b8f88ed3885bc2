"""State files and curves on the disk: whole or not there, cut to the step, and checked."""

import os

import pytest
import torch

from streamseg.errors import UserError
from streamseg.training.journal import CsvLog, Journal, read_rows
from streamseg.training.state import PARTS, STATE, compare, read_state, write_state

WHOLE = dict.fromkeys(PARTS, 1) | {"network": {"a": torch.ones(3)}}


def test_what_is_written_is_read(tmp_path):
    write_state(tmp_path, WHOLE)
    write_state(tmp_path, {**WHOLE, "step": 7})
    state = read_state(tmp_path)
    assert state["step"] == 7 and torch.equal(state["network"]["a"], torch.ones(3))
    assert [file.name for file in tmp_path.iterdir()] == [STATE]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_damaged_state(tmp_path, share):
    write_state(tmp_path, WHOLE)
    content = (tmp_path / STATE).read_bytes()
    (tmp_path / STATE).write_bytes(content[: int(share * len(content))])
    with pytest.raises(UserError, match=r"state\.pt: damaged, or not a training state") as caught:
        read_state(tmp_path)
    assert "\n" not in str(caught.value)


class Intruder:
    def __reduce__(self):
        return (os.system, ("touch intruded",))


@pytest.mark.parametrize("content", [Intruder(), 3, {"step": 3}, [1]])
def test_something_else_than_a_state(tmp_path, content, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(content, tmp_path / STATE)
    with pytest.raises(UserError, match="not a training state"):
        read_state(tmp_path)
    assert not (tmp_path / "intruded").exists()


def test_no_state(tmp_path):
    with pytest.raises(UserError, match="nothing to resume"):
        read_state(tmp_path)


def test_a_state_that_cannot_be_written_leaves_the_last_one(tmp_path):
    write_state(tmp_path, WHOLE)
    with pytest.raises(UserError, match="a checkpoint before it stays whole"):
        write_state(tmp_path / "none", WHOLE)
    (tmp_path / f".{STATE}.part").mkdir()
    with pytest.raises(UserError, match="a checkpoint before it stays whole"):
        write_state(tmp_path, {**WHOLE, "step": 8})
    assert read_state(tmp_path)["step"] == 1


def test_changed_recipes_are_told(tmp_path):
    before = {"model": "street", "steps": 10, "workers": 1, "data": ["a" * 100], "class_names": ["a"]}
    assert compare(before, {**before, "workers": 3}, tmp_path) == ""
    told = compare(before, {**before, "steps": 20, "data": []}, tmp_path)
    assert told.startswith("resuming with changed steps (10 -> 20), data (") and len(told) < 140
    with pytest.raises(UserError, match="was begun with model street, not v2"):
        compare(before, {**before, "model": "v2"}, tmp_path)


def test_a_log_is_cut_to_the_step(tmp_path):
    log = CsvLog(tmp_path / "log.csv", 0)
    for step in (20, 40, 60):
        log.add(step, {"loss": step / 8})
    assert read_rows(log.path) == [{"step": step, "loss": step / 8} for step in (20, 40, 60)]
    whole = log.path.read_text()
    again = CsvLog(log.path, 40)
    again.add(60, {"loss": 60 / 8})
    assert log.path.read_text() == whole
    log.path.write_text(whole + "80,")  # a kill in the middle of a row
    assert [row["step"] for row in read_rows(CsvLog(log.path, 80).path)] == [20, 40, 60]
    assert read_rows(CsvLog(log.path, 0).path) == []


@pytest.mark.parametrize("content", ["", "\x00\xff", "a,b\n1,2\n", "step,loss\n"])
def test_a_log_of_something_else_is_begun_anew(tmp_path, content):
    (tmp_path / "log.csv").write_text(content)
    log = CsvLog(tmp_path / "log.csv", 9)
    log.add(10, {"loss": 0.5, "part": float("nan")})
    assert (tmp_path / "log.csv").read_text().splitlines() == ["step,loss,part", "10,0.5,nan"]


def test_tensorboard_where_it_is_installed(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    journal = Journal(tmp_path, 0, 0)
    journal.losses(20, {"loss": 0.5})
    journal.figures(20, {"mask_ap": 0.25})
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("train/loss")] == [(20, 0.5)]
    assert [event.value for event in events.Scalars("validation/mask_ap")] == [0.25]
