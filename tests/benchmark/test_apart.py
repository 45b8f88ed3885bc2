from __future__ import annotations

import os

import pytest

from streamseg.benchmark.apart import Apart
from streamseg.errors import StageError, UserError


def test_an_object_answers_from_its_own_process_which_ends_with_it():
    with Apart("importlib:import_module", "os", name="os") as other:
        process = other.call("getpid")
        assert process != os.getpid()
        assert other.call("fspath", "a") == "a"
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_errors_of_users_stay_what_they_are_and_others_are_bugs_with_their_trace():
    with Apart("importlib:import_module", "streamseg.settings", name="the settings") as other:
        with pytest.raises(UserError, match=r"cannot read the config file nowhere\.toml"):
            other.call("read_config", "nowhere.toml")
        with pytest.raises(StageError, match=r"(?s)the settings: .*TypeError"):
            other.call("read_config")
        assert other.call("read_config", os.devnull) == {}  # it lives on


def test_an_object_that_cannot_be_made():
    with pytest.raises(UserError, match="nowhere"):
        Apart("streamseg.settings:read_config", "nowhere.toml", name="the settings")


def test_a_process_that_is_killed_is_one_line():
    with Apart("importlib:import_module", "os", name="the loop") as other:
        with pytest.raises(UserError, match=r"the process of the loop was ended from outside \(status -9\)") as told:
            other.call("kill", other.call("getpid"), 9)
        assert "\n" not in str(told.value)
