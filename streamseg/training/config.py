"""Every setting of a training run once: its name, type, default, bounds and meaning.

Importing this module imports nothing heavy, so that ``streamseg train --help`` can read the settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from streamseg.rules import setting, settings_of

MODELS = ("street", "maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2")
COCO, STREET, NOTHING = "coco", "street", "none"


@dataclass(frozen=True, slots=True)
class DataConfig:
    """One COCO instance file to train on.

    Attributes:
        file: The JSON file.
        images: Its pictures; None for the recipe's ``images``.
        weight: How often a picture is drawn from it, relative to the other files.
    """

    file: Path
    images: Path | None = None
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class ScheduleConfig:
    """Steps and step sizes. None stands for what :func:`streamseg.training.schedule.completed` puts there."""

    steps: int | None = setting(None, "Schedule", "Batches in all; auto: 2000.", unset="auto", low=1)
    epochs: float | None = setting(
        None, "Schedule", "Times that every picture is seen, in place of steps.", unset="none", low=0.001, high=1e6
    )
    batch_size: int = setting(8, "Schedule", "Pictures per batch, over all processes.", low=1, unit="pictures")
    optimizer: str = setting("adamw", "Schedule", "How steps are made.", choices=("adamw", "sgd"))
    learning_rate: float | None = setting(
        None,
        "Schedule",
        "Step size at its highest; auto: by optimizer, model and start.",
        unset="auto",
        low=0,
        high=100,
    )
    momentum: float = setting(0.9, "Schedule", "Momentum of sgd.", low=0, high=1)
    nesterov: bool = setting(False, "Schedule", "Nesterov's momentum for sgd.")
    weight_decay: float | None = setting(
        None,
        "Schedule",
        "Pull of filters and matrices towards zero; auto: 0.05 for adamw, 0.0001 for sgd.",
        unset="auto",
        low=0,
    )
    scheduler: str = setting(
        "constant-then-decay",
        "Schedule",
        "How the learning rate falls after the warm-up.",
        choices=("constant-then-decay", "cosine", "step"),
    )
    warmup: int | None = setting(
        None,
        "Schedule",
        "Steps from nothing to the full learning rate; auto: a tenth of all, at most 300.",
        unset="auto",
        low=0,
        unit="steps",
    )
    decay: float = setting(
        0.3, "Schedule", "Share of the steps at the end of constant-then-decay over which it falls.", low=0, high=1
    )
    milestones: tuple[float, ...] = setting(
        (0.67, 0.89), "Schedule", "Shares of the steps after which scheduler step multiplies it by factor."
    )
    factor: float = setting(0.1, "Schedule", "What each milestone multiplies it by.", low=0, high=1)
    clip: float = setting(5.0, "Schedule", "Largest norm of the gradient; 0: any.", low=0)
    ema: float = setting(
        0.998,
        "Schedule",
        "Decay per step of the averaged weights, which are the result; 0: no averaging.",
        low=0,
        high=1,
    )
    semantic: float = setting(1.0, "Schedule", "Weight of the dense loss of the street model.", low=0)


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Everything that decides a run's result. None stands for what ``completed`` puts there."""

    data: tuple[DataConfig, ...]
    images: Path | None = setting(  # noqa: RUF009
        None, "Data", "Folder of the pictures; default: images beside each file, else the file's own.", metavar="FOLDER"
    )
    validation: Path | None = setting(  # noqa: RUF009
        None, "Data", "COCO instance file for AP, early stop and the best weights.", metavar="FILE"
    )
    validation_images: Path | None = setting(  # noqa: RUF009
        None, "Data", "Folder of its pictures; default: as for images.", metavar="FOLDER"
    )
    skip_faults: bool = setting(False, "Data", "Leave faulty pictures and annotations out instead of stopping.")
    model: str | None = setting(
        None, "Model", "Architecture; auto: that of the weights, street.", choices=MODELS, unset="auto"
    )
    weights: str | None = setting(
        None,
        "Model",
        "Where to start: coco (torchvision's), street (embedded), none, or a checkpoint file; "
        "auto: street for street, coco for the others.",
        unset="auto",
        metavar="WHAT",
    )
    trainable_layers: int | None = setting(
        None,
        "Model",
        "Layers of the backbone that learn, from the last; auto: 5 for street and from none, else 3.",
        unset="auto",
        low=0,
        high=5,
    )
    seed: int = setting(0, "Running", "Of weights and augmentation.", low=0, high=2**31)
    workers: int = setting(2, "Running", "Processes that prepare batches; 0: none.", low=0, high=256)
    device: str = setting(
        "auto",
        "Running",
        "Where to train.",
        choices=("auto", "cpu", "cuda", "cuda:N", "mps"),
        pattern=r"auto|cpu|mps|cuda(:\d+)?",
    )
    precision: str = setting(
        "auto",
        "Running",
        "Number format; auto: bf16 where the device has it, else fp16 on CUDA, else fp32.",
        choices=("auto", "fp32", "bf16", "fp16"),
    )
    validate_every: int | None = setting(
        None, "Running", "Steps between validations; auto: a tenth of all.", unset="auto", low=1, unit="steps"
    )
    patience: int = setting(0, "Running", "Stop after this many validations without a better mask AP; 0: never.", low=0)
    checkpoint_every: int = setting(250, "Running", "Steps between checkpoints.", low=1, unit="steps")
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    augment: dict[str, Any] | None = None  # laid over what suits the model
    street: dict[str, Any] | None = None  # laid over the shape of the weights that it starts from

    def to_dict(self) -> dict[str, Any]:
        """As plain values that :func:`streamseg.training.recipe.from_layers` takes back."""
        values = {name: plain(value) for name, value in asdict(self).items()}
        return {**{name: value for name, value in values.items() if name != "schedule"}, **values["schedule"]}


def plain(value: Any) -> Any:
    """The value with text for paths and lists for tuples, as TOML and JSON have it."""
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


SCHEDULE = settings_of(ScheduleConfig)
SETTINGS = settings_of(TrainConfig) | SCHEDULE
# On the command line a list of numbers would need a syntax of its own.
FLAGS = {name: one for name, one in SETTINGS.items() if name != "milestones"}
