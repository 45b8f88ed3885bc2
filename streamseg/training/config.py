"""A training run's recipe, read from TOML."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from streamseg.errors import UserError
from streamseg.models.street import StreetConfig
from streamseg.training.augment import AugmentConfig

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True, slots=True)
class DataConfig:
    """One COCO instance file to train on.

    Attributes:
        file: The JSON file.
        folder: Its pictures; by default ``images`` beside the file, else the file's own folder.
        weight: How often a picture is drawn from it, relative to the other files.
    """

    file: Path
    folder: Path | None = None
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class ScheduleConfig:
    """Steps and step sizes: warm-up, a long constant stretch, decay to zero at the end.

    The constant stretch makes it possible to decide late how long a run lasts (WSD, Hu et al. 2024, section 4.1).

    Attributes:
        steps: Batches in all.
        batch_size: Pictures per batch.
        learning_rate: AdamW's, at its highest.
        weight_decay: AdamW's, on convolutions and matrices.
        warmup: Steps from nothing to the full learning rate.
        decay: Share of the steps, at the end, over which the learning rate goes to zero, 0 to 1.
        clip: Largest norm of the gradient.
        ema: Decay of the moving average of the weights that is evaluated and kept, per step.
        semantic: Weight of the dense loss, see :class:`streamseg.models.street.StreetMaskRCNN`.
    """

    steps: int = 8000
    batch_size: int = 8
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup: int = 300
    decay: float = 0.3
    clip: float = 5.0
    ema: float = 0.998
    semantic: float = 1.0


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Everything that decides a run's result.

    Attributes:
        data: What to train on.
        validation: COCO instance file for the figures; None for none.
        weights: Checkpoint to start from: a ``street`` safetensors file; None for random weights.
        seed: Of weights and augmentation.
        workers: Processes that prepare batches; does not change the result.
        validate_every: Steps between validations.
        checkpoint_every: Steps between checkpoints.
        model: The network's shape.
        augment: How pictures are changed.
        schedule: Steps and step sizes.
    """

    data: tuple[DataConfig, ...]
    validation: Path | None = None
    weights: Path | None = None
    seed: int = 0
    workers: int = 2
    validate_every: int = 2000
    checkpoint_every: int = 250
    model: StreetConfig = field(default_factory=StreetConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)

    @classmethod
    def read(cls, path: Path) -> TrainConfig:
        """Reads a recipe; relative paths in it are relative to its folder.

        Raises:
            UserError: The file cannot be read, or a key or value in it makes no sense.
        """
        try:
            content = tomllib.loads(path.read_text())
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}; give a training recipe (TOML)") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UserError(f"{path}: not TOML: {error}") from error
        return cls.from_dict(content, path)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], path: Path) -> TrainConfig:
        """From parsed TOML; ``path`` is the file, for messages and relative paths.

        Raises:
            UserError: A key or value makes no sense.
        """

        def located(value: str | None) -> Path | None:
            return None if value is None else (path.parent / value).resolve()

        values = dict(content)
        if not values.get("data"):
            raise UserError(f"{path}: needs at least one [[data]] table with a `file`")
        tables = []
        for table in values["data"]:
            _check_keys(table, DataConfig, f"{path}, [[data]]")
            if "file" not in table:
                raise UserError(f"{path}: every [[data]] table needs a `file`")
            tables.append(DataConfig(located(table["file"]), located(table.get("folder")), table.get("weight", 1.0)))  # type: ignore[arg-type]
        values["data"] = tuple(tables)
        _check_keys(values, cls, str(path))
        for key in ("validation", "weights"):
            values[key] = located(values.get(key))
        for key, kind in (("augment", AugmentConfig), ("schedule", ScheduleConfig), ("model", StreetConfig)):
            table = values.get(key, {})
            _check_keys(table, kind, f"{path}, [{key}]")
            values[key] = StreetConfig.from_dict(table) if kind is StreetConfig else kind(**table)
        return cls(**values)


def _check_keys(table: Mapping[str, Any], kind: type, where: str) -> None:
    known = {item.name for item in fields(kind)}
    for key in table:
        if key not in known:
            raise UserError(f"{where}: unknown key {key!r}; known are {', '.join(sorted(known))}")
