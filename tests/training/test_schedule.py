"""Step sizes over a run, and what a recipe leaves open."""

from dataclasses import replace
from pathlib import Path

import pytest

from streamseg.errors import UserError
from streamseg.training.config import DataConfig, ScheduleConfig, TrainConfig
from streamseg.training.schedule import completed, learning_rate

RECIPE = TrainConfig(data=(DataConfig(Path("a.json")),))


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    [
        ("constant-then-decay", {0: 0.1, 4: 0.5, 9: 1.0, 50: 1.0, 79: 1.0, 90: 0.5, 99: 0.05, 100: 0.0}),
        ("cosine", {0: 0.1, 9: 1.0, 10: 1.0, 55: 0.5, 99: 0.0003, 100: 0.0}),
        ("step", {0: 0.1, 10: 1.0, 49: 1.0, 50: 0.1, 89: 0.1, 90: 0.01, 99: 0.01}),
    ],
)
def test_learning_rate(scheduler, expected):
    schedule = ScheduleConfig(
        steps=100, learning_rate=1.0, warmup=10, decay=0.2, scheduler=scheduler, milestones=(0.5, 0.9)
    )
    assert {step: learning_rate(schedule, step) for step in expected} == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("scheduler", ["constant-then-decay", "cosine", "step"])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_short_runs_have_a_learning_rate(scheduler, steps):
    config = replace(RECIPE, schedule=ScheduleConfig(steps=steps, scheduler=scheduler, decay=1.0))
    schedule = completed(config, "street", 300).schedule
    rates = [learning_rate(schedule, step) for step in range(steps)]
    assert all(0 < rate <= 5e-4 for rate in rates)


@pytest.mark.parametrize(
    ("schedule", "steps"),
    [
        (ScheduleConfig(), 2000),
        (ScheduleConfig(steps=5), 5),
        (ScheduleConfig(epochs=2, batch_size=8), 75),
        (ScheduleConfig(epochs=0.001, batch_size=8), 1),
    ],
)
def test_epochs_become_steps(schedule, steps):
    assert completed(replace(RECIPE, schedule=schedule), "street", 300).schedule.steps == steps


@pytest.mark.parametrize(
    ("model", "weights", "optimizer", "rate", "layers"),
    [
        ("street", None, "adamw", 5e-4, 5),
        ("street", "none", "adamw", 1e-3, 5),
        ("maskrcnn_resnet50_fpn", None, "adamw", 1e-4, 3),
        ("maskrcnn_resnet50_fpn", "none", "sgd", 0.01, 5),
    ],
)
def test_what_is_left_open_depends_on_model_and_start(model, weights, optimizer, rate, layers):
    config = replace(RECIPE, weights=weights, schedule=ScheduleConfig(optimizer=optimizer))
    config = completed(config, model, 300)
    assert (config.schedule.learning_rate, config.trainable_layers) == (pytest.approx(rate), layers)
    assert config.weights == weights or config.weights == ("street" if model == "street" else "coco")
    assert config.augment["height"] == (320 if model == "street" else 800)


def test_what_is_given_stays():
    given = ScheduleConfig(steps=9, learning_rate=0.3, weight_decay=0.0, warmup=0)
    config = replace(RECIPE, schedule=given, trainable_layers=0, validate_every=4)
    assert completed(config, "street", 300).schedule == given
    assert (completed(config, "street", 300).trainable_layers, config.validate_every) == (0, 4)


def test_augmentation_is_laid_over_what_suits_the_model():
    config = completed(replace(RECIPE, augment={"flip": 0.0}), "maskrcnn_resnet50_fpn", 300)
    assert (config.augment["flip"], config.augment["height"]) == (0.0, 800)


def test_no_pictures():
    with pytest.raises(UserError, match=r"a\.json: no picture to train on"):
        completed(RECIPE, "street", 0)
