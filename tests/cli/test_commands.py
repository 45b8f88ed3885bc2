from __future__ import annotations

import importlib
import inspect
import pkgutil

import streamseg.cli
from streamseg.cli import commands, flags
from streamseg.cli.models import aligned


def test_every_command_is_a_module_and_every_such_module_is_listed():
    modules = [
        importlib.import_module(f"streamseg.cli.{each.name}") for each in pkgutil.iter_modules(streamseg.cli.__path__)
    ]
    having = {each.__name__.rsplit(".", 1)[1] for each in modules if hasattr(each, "add_arguments")}
    assert having == set(commands.COMMANDS)
    for name in commands.COMMANDS:
        module = importlib.import_module(f"streamseg.cli.{name}")
        assert list(inspect.signature(module.run).parameters) == ["args"]


def settings_of(line: str):
    return flags.settings_from(commands.parse(commands.main_parser(), line.split()))


def test_flags_become_settings():
    settings = settings_of("--source a --source 0 --classes person,vehicle --classes cycle --no-show --labels --crf 30")
    assert settings.source == ("a", "0")
    assert settings.classes == ("person", "vehicle", "cycle")
    assert (settings.show, settings.labels, settings.crf) == (False, True, 30)


def test_flags_win_over_the_config_file(tmp_path):
    config = tmp_path / "a.toml"
    config.write_text('crf = 30\nboxes = true\nstride = 4\nsource = ["a", "b"]\n')
    settings = settings_of(f"--config {config} --no-boxes --stride 1 --source c")
    assert (settings.crf, settings.boxes, settings.stride, settings.source) == (30, False, 1, ("c",))


def test_tables_stand_under_each_other():
    assert aligned([("a", "bb", "c"), ("aaa", "b", "")]) == ["a    bb  c", "aaa  b"]
