"""Everything between a recipe and the first step: data, their faults, weights, and what an earlier run left."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from streamseg.errors import UserError
from streamseg.models.street import StreetMaskRCNN
from streamseg.training.coco import CocoData
from streamseg.training.config import TrainConfig, plain
from streamseg.training.faults import without_faults
from streamseg.training.loop import Trainer
from streamseg.training.processes import Processes
from streamseg.training.recipe import from_layers
from streamseg.training.schedule import completed
from streamseg.training.start import choose_model, prepare, resumed_network
from streamseg.training.state import STATE, compare


@dataclass(frozen=True, slots=True, eq=False)
class Setup:
    """A run before its first, or next, step.

    Attributes:
        trainer: The run.
        data: What it trains on.
        validation: What it is measured on; None for nothing.
        origin: Where its weights come from, in one line.
        notes: What the user should know, a line each.
    """

    trainer: Trainer
    data: list[CocoData]
    validation: CocoData | None
    origin: str
    notes: list[str]


def set_up(
    config: TrainConfig,
    folder: Path,
    processes: Processes,
    state: dict[str, Any] | None,
    warn: Callable[[str], None],
) -> Setup:
    """Reads and checks everything that a run needs.

    Args:
        config: The recipe.
        folder: Of the run.
        processes: This process among those that train together.
        state: What an earlier run left, to go on from; None for a fresh start.
        warn: Called with each line about faults in the data.

    Raises:
        UserError: The folder holds another run, the data have faults, or weights or recipe do not fit.
    """
    if state is None and (folder / STATE).exists():
        raise UserError(f"{folder}: holds a run already; go on with --resume or choose another --output")
    data = [CocoData.read(item.file, item.images) for item in config.data]
    validation = None
    if config.validation is not None:
        validation = CocoData.read(config.validation, config.validation_images or config.images)
    everything = processes.once(
        lambda: without_faults([*data, *([validation] if validation else [])], config.skip_faults, warn)
    )
    data, notes = everything[: len(data)], []
    class_names = _class_names(data)
    if validation is not None:
        validation = everything[-1]
        notes += _check_validation(validation, class_names)

    pictures = sum(len(one) for one in data)
    torch.manual_seed(config.seed)
    if state is None:
        model, checkpoint = choose_model(config)
        config = completed(config, model, pictures)
        start = prepare(config, model, checkpoint, class_names)
    else:
        config = _as_begun(config, state["recipe"])
        config = completed(config, str(config.model), pictures)
        now = {"class_names": list(class_names), "processes": processes.world, "pictures": pictures}
        note = compare({**state["recipe"], **{key: state[key] for key in now}}, {**config.to_dict(), **now}, folder)
        notes += [note] if note else []
        start = resumed_network(config, class_names, state["norm_epsilon"])
    if isinstance(start.network, StreetMaskRCNN):
        config = replace(config, street=plain(start.network.config.to_dict()))
    trainer = Trainer(config, start, data, folder, processes, state)
    return Setup(trainer, data, validation, start.origin, notes)


def _as_begun(config: TrainConfig, begun: dict[str, Any]) -> TrainConfig:
    """The recipe, and what it leaves open as the run was begun."""
    given = {name: value for name, value in config.to_dict().items() if value is not None}
    tables = {name: {**(begun[name] or {}), **given.get(name, {})} or None for name in ("augment", "street")}
    return from_layers(begun, {**given, **tables})


def _class_names(data: Sequence[CocoData]) -> tuple[str, ...]:
    names = data[0].class_names
    if not names:
        raise UserError(f"{data[0].file}: has no categories; name the classes to learn")
    for other in data[1:]:
        if other.class_names != names:
            raise UserError(f"{other.file}: its classes {other.class_names} differ from {names}")
    if not any(label in objects_of(one) for one in data for label in names):
        raise UserError(f"{data[0].file}: has no objects to learn from")
    return names


def _check_validation(validation: CocoData, class_names: Sequence[str]) -> list[str]:
    if not set(validation.class_names) & set(class_names):
        raise UserError(
            f"{validation.file}: none of its classes ({', '.join(validation.class_names)}) is learnt "
            f"({', '.join(class_names)}); classes belong together by name"
        )
    objects = objects_of(validation)
    if not any(objects.get(name) for name in class_names):
        raise UserError(f"{validation.file}: has no objects to measure against; leave --validation out")
    absent = [name for name in class_names if not objects.get(name)]
    return [f"{validation.file} has no {', '.join(absent)}: no AP for them"] if absent else []


def objects_of(data: CocoData) -> dict[str, int]:
    """The number of objects of each class; classes without any are left out."""
    names = dict(zip(data.category_ids, data.class_names, strict=True))
    counts: dict[str, int] = {}
    for annotation in itertools.chain.from_iterable(data.annotations.values()):
        if not annotation.get("iscrowd") and annotation.get("category_id") in names:
            name = names[annotation["category_id"]]
            counts[name] = counts.get(name, 0) + 1
    return counts
