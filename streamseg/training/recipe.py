"""Recipes: a TOML file, flags and an earlier run's settings, checked and laid over each other."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from streamseg.errors import UserError
from streamseg.rules import checked, from_text
from streamseg.training.config import (
    COCO,
    FLAGS,
    NOTHING,
    SCHEDULE,
    SETTINGS,
    STREET,
    DataConfig,
    ScheduleConfig,
    TrainConfig,
    plain,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TABLES = ("augment", "street")
# What the numbers in the tables may be; the others are sizes and counts from 1.
SHARE, SCALE = (0.0, 1.0), (0.01, 100.0)
BOUNDS = {
    **dict.fromkeys(("flip", "paste", "colour", "degrade"), SHARE),
    **dict.fromkeys(("scale_min", "scale_max", "anchor_ratios"), SCALE),
    **dict.fromkeys(("width", "height", "short_side", "long_side"), (32, 10_000)),
    "depths": (0, 100),
}
LEVELS = ("widths", "depths", "anchor_sizes")  # as many entries as the network has levels
PATHS = ("images", "validation", "validation_images", "weights")


def read_recipe(path: Path) -> dict[str, Any]:
    """The settings in a TOML recipe by name, checked; relative paths in it are relative to its folder.

    Raises:
        UserError: The file cannot be read, or a key or value in it makes no sense.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; give a training recipe (TOML)") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not TOML: {error}") from error
    _check_keys(content, {"data", "schedule", *TABLES, *SETTINGS} - set(SCHEDULE), str(path))
    schedule = _table(content.pop("schedule", {}), f"{path}, [schedule]")
    _check_keys(schedule, set(SCHEDULE), f"{path}, [schedule]")
    layer: dict[str, Any] = {}
    for name, value in content.items():
        if name == "data":
            layer[name] = _data_tables(value, path)
        elif name in TABLES:
            layer[name] = _table(value, f"{path}, [{name}]")
        else:
            layer[name] = _located(name, _checked(name, value, f"{path}, {name}"), path.parent)
    return {**layer, **{name: _checked(name, value, f"{path}, [schedule] {name}") for name, value in schedule.items()}}


def read_flags(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings given on the command line by name, checked; ``data`` is a list of files.

    Raises:
        UserError: A wrong value; names the flag.
    """
    layer = {name: from_text(FLAGS[name], value) for name, value in given.items() if name in FLAGS}
    layer = {name: _located(name, value, Path()) for name, value in layer.items()}
    if given.get("data"):
        layer["data"] = [{"file": str(Path(file).resolve())} for file in given["data"]]
    return layer


def from_layers(*layers: Mapping[str, Any]) -> TrainConfig:
    """One recipe of several, the later ones winning.

    Raises:
        UserError: There is no data, or settings contradict each other.
    """
    values: dict[str, Any] = {}
    for layer in layers:
        for one, other in (("steps", "epochs"), ("epochs", "steps")):
            if layer.get(one) is not None:
                values.pop(other, None)
        values.update(layer)
    if values.get("steps") is not None and values.get("epochs") is not None:
        raise UserError("steps and epochs say the same thing; give one of them")
    if not values.get("data"):
        raise UserError("no data to train on; name a COCO instance file: --data FILE, or [[data]] in a recipe")
    images = values.get("images")
    values["data"] = tuple(
        DataConfig(Path(table["file"]), _path(table.get("images") or images), float(table.get("weight", 1.0)))
        for table in values["data"]
    )
    if not sum(item.weight for item in values["data"]) > 0:
        raise UserError("the weights of the data files are all 0; give one of them a `weight` above 0")
    for name in ("images", "validation", "validation_images"):
        values[name] = _path(values.get(name))
    schedule = {name: values.pop(name) for name in SCHEDULE if name in values}
    if "milestones" in schedule:
        schedule["milestones"] = tuple(schedule["milestones"])
    _check_tables(values.get("augment"), values.get("street"))
    return TrainConfig(**values, schedule=ScheduleConfig(**schedule))


def _data_tables(tables: Any, path: Path) -> list[dict[str, Any]]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UserError(f"{path}: data must be [[data]] tables, each with a `file`")
    located = []
    for table in tables:
        _check_keys(table, {item.name for item in fields(DataConfig)}, f"{path}, [[data]]")
        if "file" not in table:
            raise UserError(f"{path}: every [[data]] table needs a `file`")
        weight = table.get("weight", 1.0)
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 <= weight < float("inf"):
            raise UserError(f"{path}, [[data]] weight {weight!r}: must be a number, 0 or more")
        texts = {name: table[name] for name in ("file", "images") if name in table}
        for name, value in texts.items():
            if not isinstance(value, str) or not value:
                raise UserError(f"{path}, [[data]] {name} {value!r}: must be a path")
        located.append(
            {**{name: str((path.parent / value).resolve()) for name, value in texts.items()}, "weight": weight}
        )
    return located


def _checked(name: str, value: Any, where: str) -> Any:
    if name != "milestones":
        return checked(SETTINGS[name], value, where)
    numbers = value if isinstance(value, list) else [None]
    if not all(isinstance(item, float) and 0 < item < 1 for item in numbers) or numbers != sorted(numbers):
        raise UserError(f"{where} {value!r}: must be rising shares of the steps, as [0.67, 0.89]")
    return numbers


def _located(name: str, value: Any, folder: Path) -> Any:
    word = name == "weights" and value in (COCO, STREET, NOTHING)
    if value is None or word or name not in PATHS:
        return value
    return str((folder / value).resolve())


def _path(value: Any) -> Path | None:
    return None if value is None else Path(value)


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UserError(f"{where}: must be a table, not {value!r}")
    return dict(value)


def _check_keys(table: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise UserError(f"{where}: unknown key {key!r}; known are {', '.join(sorted(known))}")


def _check_tables(augment: Mapping[str, Any] | None, street: Mapping[str, Any] | None) -> None:
    # Imported where they are needed: flags alone are checked before torch is loaded.
    if augment is not None:
        from streamseg.training.augment import AugmentConfig

        _check_table(AugmentConfig, augment, "[augment]")
    if street is not None:
        from streamseg.models.street import StreetConfig

        _check_table(StreetConfig, street, "[street]")


def _check_table(kind: type, table: Mapping[str, Any], where: str) -> None:
    """Checks that a dataclass can be made of a table, whose values must be of the defaults' types.

    Raises:
        UserError: An unknown key, or a value of another type or out of its bounds.
    """
    defaults = kind()
    _check_keys(table, {item.name for item in fields(kind)}, where)
    for name, value in table.items():
        default = getattr(defaults, name)
        if not _alike(value, default) or (name in LEVELS and len(value) != len(default)):
            raise UserError(f"{where} {name} {value!r}: must be like {plain(default)}")
        low, high = BOUNDS.get(name, (1, 10_000))
        if not all(low <= number <= high for number in _numbers(value)):
            raise UserError(f"{where} {name} {value}: must be {low:g} to {high:g}")
    if table.get("scale_min", 0) > table.get("scale_max", float("inf")):
        raise UserError(f"{where} scale_min {table['scale_min']}: must not be above scale_max {table['scale_max']}")


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _numbers(item)
    else:
        yield value


def _alike(value: Any, default: Any) -> bool:
    if isinstance(default, tuple):
        return isinstance(value, list) and bool(value) and all(_alike(item, default[0]) for item in value)
    if isinstance(default, float):
        return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < float("inf")
    return type(value) is type(default)
