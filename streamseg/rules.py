"""What a setting may be: its type, bounds and choices, and how a value is checked against them."""

from __future__ import annotations

import contextlib
import numbers
import os
import re
from dataclasses import dataclass, field, fields
from typing import Any

from streamseg.errors import UserError


@dataclass(frozen=True)
class Rule:
    """What a setting may be, and what it means.

    Attributes:
        meaning: One sentence for ``--help`` and the README.
        group: The heading under which it is shown.
        unit: What a number counts; empty for none.
        low: The smallest allowed number; None for no bound.
        high: The largest allowed number; None for no bound.
        choices: The allowed words; empty for any.
        pattern: A regular expression that the text must match, where ``choices`` are only its description.
        unset: What the default None is called in a file or on the command line, for example ``"auto"``.
        comma: Whether a list is written with commas on the command line (else the flag is given again and again).
        metavar: What the value is called in ``--help``.
    """

    meaning: str
    group: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    pattern: str = ""
    unset: str = ""
    comma: bool = False
    metavar: str = ""

    @property
    def allowed(self) -> str:
        """The allowed values in words; empty where anything goes."""
        unit = f" {self.unit}" if self.unit else ""
        bounds = ""
        if self.choices:
            bounds = ", ".join(self.choices)
        elif self.low is not None and self.high is not None:
            bounds = f"{self.low:g} to {self.high:g}{unit}"
        elif self.low is not None:
            bounds = f"{self.low:g} or more{unit}"
        return f"{self.unset}, or {bounds}" if self.unset and bounds else bounds


@dataclass(frozen=True)
class Setting:
    """One field of ``Settings`` as the flags, the config file and the table see it."""

    name: str
    kind: str
    default: Any
    rule: Rule

    @property
    def flag(self) -> str:
        """The name on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def flags(self) -> str:
        """The flag as one writes it: ``--show, --no-show`` for a switch."""
        return f"{self.flag}, --no{self.flag[1:]}" if self.kind == "bool" else self.flag

    @property
    def default_text(self) -> str:
        """The default in words; empty where there is none."""
        if self.default is None or self.default == ():
            return self.rule.unset
        if isinstance(self.default, bool):
            return "yes" if self.default else "no"
        return str(self.default)


def setting(default: Any, group: str, meaning: str, **rule: Any) -> Any:
    """A field of a dataclass of settings, with its default and the arguments of its :class:`Rule`."""
    return field(default=default, metadata={"rule": Rule(meaning, group, **rule)})


def settings_of(kind: type) -> dict[str, Setting]:
    """The settings of a dataclass by name; fields without a rule are none."""
    return {
        item.name: Setting(item.name, str(item.type).removesuffix(" | None"), item.default, item.metadata["rule"])
        for item in fields(kind)
        if "rule" in item.metadata
    }


def checked(setting: Setting, value: Any, where: str) -> Any:
    """``value`` in the setting's own type.

    Args:
        setting: What the value is for.
        value: From a keyword, a config file, or (as a string) the command line.
        where: How an error calls it, for example ``"--crf"``.

    Raises:
        UserError: The value has the wrong type or lies outside its bounds.
    """
    rule = setting.rule
    if setting.default is None and (value is None or (rule.unset and value == rule.unset)):
        return None
    if setting.kind == "tuple[str, ...]":
        return _texts(setting, value, where)
    if setting.kind == "bool":
        if not isinstance(value, bool):
            raise UserError(f"{where} {_quoted(value)}: must be true or false")
        return value
    if setting.kind in ("int", "float"):
        return _number(setting, value, where)
    text = _text(value, where)
    if not text:
        raise UserError(f"{where}: must not be empty")
    fits = re.fullmatch(rule.pattern, text) if rule.pattern else not rule.choices or text in rule.choices
    if not fits:
        raise UserError(f"{where} {text!r}: must be one of {', '.join(rule.choices)}")
    return text


def from_text(setting: Setting, text: str | list[str] | bool) -> Any:
    """The value of a flag, from what stood on the command line.

    Raises:
        UserError: As ``checked`` does; the error names the flag.
    """
    value: Any = text
    if isinstance(text, str) and setting.kind in ("int", "float") and text != setting.rule.unset:
        with contextlib.suppress(ValueError):  # checked() names the flag and what it takes
            value = int(text) if setting.kind == "int" else float(text)
    return checked(setting, value, setting.flag)


def _number(setting: Setting, value: Any, where: str) -> int | float:
    rule = setting.rule
    what = "a whole number" if setting.kind == "int" else "a number"
    kind: Any = numbers.Integral if setting.kind == "int" else numbers.Real
    if isinstance(value, bool) or not isinstance(value, kind) or value != value:  # NaN differs from itself
        raise UserError(f"{where} {_quoted(value)}: must be {what}{f' ({rule.allowed})' if rule.allowed else ''}")
    if (rule.low is not None and value < rule.low) or (rule.high is not None and value > rule.high):
        raise UserError(f"{where} {value}: must be {rule.allowed}")
    return int(value) if setting.kind == "int" else float(value)


def _texts(setting: Setting, value: Any, where: str) -> tuple[str, ...]:
    if setting.rule.comma and isinstance(value, str):
        parts: list[Any] = [part.strip() for part in value.split(",")]
    elif isinstance(value, (list, tuple)):
        parts = list(value)
    else:
        parts = [value]
    texts = tuple(_text(part, where, numbers_too=setting.name == "source") for part in parts)
    if not all(texts):
        raise UserError(f"{where}: must not be empty")
    return texts


def _text(value: Any, where: str, numbers_too: bool = False) -> str:
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    if numbers_too and isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # a camera's number
    if not isinstance(value, str):
        raise UserError(f"{where} {_quoted(value)}: must be text")
    return value


def _quoted(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else " ".join(repr(value).split())
