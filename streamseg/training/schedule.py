"""How long a run lasts and how large its steps are."""

from __future__ import annotations

import math
from dataclasses import asdict, replace

from streamseg.errors import UserError
from streamseg.training.augment import AugmentConfig
from streamseg.training.config import COCO, NOTHING, STREET, ScheduleConfig, TrainConfig

STEPS = 2000
# torchvision's networks see pictures with a shorter side of 800 pixels; they must learn at that size.
LARGE = AugmentConfig(width=1088, height=800)


def learning_rate(schedule: ScheduleConfig, step: int) -> float:
    """The learning rate of step ``step``, from 0; ``schedule`` is completed.

    A linear warm-up, then one of three ways down. ``constant-then-decay`` stays up for long and falls to zero at the
    end, so that one can decide late how long a run lasts (WSD, Hu et al. 2024, section 4.1); ``cosine`` is a half-wave
    to zero (Loshchilov and Hutter 2017); ``step`` falls by ``factor`` at each milestone.
    """
    steps, warmup, highest = schedule.steps, schedule.warmup, schedule.learning_rate
    assert steps is not None and warmup is not None and highest is not None
    up = min(1.0, (step + 1) / max(1, warmup))
    if schedule.scheduler == "cosine":
        down = (1 + math.cos(math.pi * min(1.0, max(0, step - warmup) / max(1, steps - warmup)))) / 2
    elif schedule.scheduler == "step":
        down = schedule.factor ** sum(step >= share * steps for share in schedule.milestones)
    else:
        down = min(1.0, max(0.0, (steps - step) / max(1, round(steps * schedule.decay))))
    return highest * min(up, down)


def completed(config: TrainConfig, model: str, pictures: int) -> TrainConfig:
    """The recipe with a value for everything that it leaves open.

    Args:
        config: The recipe.
        model: The architecture that was chosen.
        pictures: How many there are to train on.

    Raises:
        UserError: There are no pictures.
    """
    if not pictures:
        raise UserError(f"{config.data[0].file}: no picture to train on")
    schedule = config.schedule
    steps = schedule.steps
    if steps is None:
        steps = STEPS if schedule.epochs is None else math.ceil(schedule.epochs * pictures / schedule.batch_size)
    street = model == STREET
    weights = config.weights or (STREET if street else COCO)
    sgd = schedule.optimizer == "sgd"
    rate = schedule.learning_rate
    if rate is None:
        # sgd: torchvision's reference, 0.02 for 16 pictures. adamw: the street model was trained at 1e-3 from nothing.
        rate = 0.02 * schedule.batch_size / 16 if sgd else 1e-4 if not street else 1e-3 if weights == NOTHING else 5e-4
    schedule = replace(
        schedule,
        steps=steps,
        epochs=None,
        learning_rate=rate,
        weight_decay=(1e-4 if sgd else 0.05) if schedule.weight_decay is None else schedule.weight_decay,
        warmup=min(300, steps // 10) if schedule.warmup is None else schedule.warmup,
    )
    layers = config.trainable_layers
    return replace(
        config,
        model=model,
        weights=weights,
        schedule=schedule,
        trainable_layers=(5 if street or weights == NOTHING else 3) if layers is None else layers,
        validate_every=max(1, steps // 10) if config.validate_every is None else config.validate_every,
        augment={**asdict(AugmentConfig() if street else LARGE), **(config.augment or {})},
    )
