"""The settings as flags of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from streamseg.rules import Setting, from_text
from streamseg.settings import SETTINGS, Settings


def add_flags(parser: argparse.ArgumentParser, names: Iterable[str] = SETTINGS) -> None:
    """Add a flag for every setting, or those of ``names``, under its group's heading."""
    groups: dict[str, Any] = {}
    for setting in (SETTINGS[name] for name in names):
        heading = setting.rule.group
        if heading not in groups:
            groups[heading] = parser.add_argument_group(heading)
        options: dict[str, Any] = {"dest": setting.name, "default": argparse.SUPPRESS, "help": _help(setting)}
        if setting.kind == "bool":
            options["action"] = argparse.BooleanOptionalAction
        else:
            options["metavar"] = setting.rule.metavar or {"int": "N", "float": "X"}.get(setting.kind, "WORD")
        if setting.kind == "tuple[str, ...]":
            options["action"] = "append"
        groups[heading].add_argument(setting.flag, **options)


def settings_from(args: argparse.Namespace) -> Settings:
    """The settings of a command line and of the config file it names; flags win.

    Raises:
        UserError: A wrong value, or a config file that cannot be read; names the flag or the file.
    """
    given = {name: value for name, value in vars(args).items() if name in SETTINGS}
    return Settings.gather({name: _value(SETTINGS[name], value) for name, value in given.items()})


def _value(setting: Setting, value: Any) -> Any:
    return from_text(setting, ",".join(value) if setting.rule.comma else value)


def _help(setting: Setting) -> str:
    details = [setting.rule.allowed] if setting.rule.allowed else []
    if setting.default_text:
        details.append(f"default: {setting.default_text}")
    meaning = setting.rule.meaning.rstrip(".")
    return (f"{meaning} ({'; '.join(details)})" if details else meaning).replace("%", "%%")
