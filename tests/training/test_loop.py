"""The training loop: it learns, it resumes exactly, it says what is wrong."""

import csv
from dataclasses import replace

import pytest
import torch

from streamseg.errors import UserError
from streamseg.models import load_model
from streamseg.models.street import StreetConfig
from streamseg.training.augment import AugmentConfig
from streamseg.training.config import DataConfig, ScheduleConfig, TrainConfig
from streamseg.training.loop import Trainer, learning_rate
from streamseg.training.losses import semantic_loss

CPU = torch.device("cpu")
TINY = StreetConfig(
    widths=(8, 8, 16, 16, 16), depths=(0, 0, 1, 1), pyramid=16, box_features=32, mask_channels=(16,), proposals=50
)


@pytest.fixture
def recipe(dataset):
    return TrainConfig(
        data=(DataConfig(dataset),),
        workers=0,
        checkpoint_every=4,
        model=TINY,
        augment=AugmentConfig(width=96, height=64, colour=0.1, degrade=0),
        schedule=ScheduleConfig(steps=8, batch_size=2, warmup=2, learning_rate=2e-3),
    )


@pytest.mark.parametrize(
    ("step", "expected"), [(0, 0.1), (4, 0.5), (9, 1.0), (50, 1.0), (79, 1.0), (90, 0.5), (99, 0.05), (100, 0.0)]
)
def test_learning_rate(step, expected):
    schedule = ScheduleConfig(steps=100, learning_rate=1.0, warmup=10, decay=0.2)
    assert learning_rate(schedule, step) == pytest.approx(expected)


def test_a_stopped_run_is_saved_and_not_validated(recipe, tmp_path):
    validated = []
    trainer = Trainer(recipe, tmp_path / "run", CPU)
    trainer.run(validate=lambda network, step: validated.append(step), stop=lambda: trainer.step == 3)
    assert (validated, Trainer(recipe, tmp_path / "run", CPU, resume=True).step) == ([], 3)
    Trainer(recipe, tmp_path / "run", CPU, resume=True).run(validate=lambda network, step: validated.append(step))
    assert validated == [8]


def log_of(folder):
    with (folder / "log.csv").open() as file:
        return [(row["step"], row["loss"]) for row in csv.DictReader(file)]


def test_a_killed_run_goes_on_exactly(recipe, tmp_path):
    whole = Trainer(recipe, tmp_path / "whole", CPU)
    whole.run()
    part = Trainer(recipe, tmp_path / "part", CPU)
    part.run(stop=lambda: part.step == 4)
    torch.manual_seed(123)
    rest = Trainer(recipe, tmp_path / "part", CPU, resume=True)
    assert rest.step == 4
    rest.run()
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, rest.network.state_dict()[name]), name


def test_it_learns_and_the_result_loads(recipe, tmp_path):
    recipe = replace(recipe, schedule=replace(recipe.schedule, steps=60, ema=0.5))
    losses = []
    Trainer(recipe, tmp_path / "run", CPU).run(lambda progress: losses.append(progress.losses["loss"]))
    assert losses[-1] < 0.8 * losses[0]
    model = load_model(weights=tmp_path / "run" / "model.safetensors")
    assert (model.name, model.class_names) == ("street", ("green", "red"))
    assert log_of(tmp_path / "run")[-1][0] == "60"


def test_other_classes_start_from_a_checkpoint(recipe, tmp_path, dataset):
    Trainer(recipe, tmp_path / "first", CPU).run()
    dataset.write_text(dataset.read_text().replace('"categories": [', '"categories": [{"id": 20, "name": "blue"}, '))
    start = replace(recipe, weights=tmp_path / "first" / "model.safetensors", seed=5)
    second = Trainer(start, tmp_path / "second", CPU)
    trained = load_model(weights=start.weights).network.rcnn.roi_heads.box_head.fc6.weight
    torch.testing.assert_close(second.network.roi_heads.box_head.fc6.weight, trained)
    assert second.class_names == ("green", "red", "blue")
    assert second.network.roi_heads.box_predictor.cls_score.out_features == 4


def test_a_folder_holds_one_run(recipe, tmp_path):
    with pytest.raises(UserError, match="nothing to resume"):
        Trainer(recipe, tmp_path / "run", CPU, resume=True)
    Trainer(recipe, tmp_path / "run", CPU).run(stop=lambda: True)
    with pytest.raises(UserError, match="holds a run already"):
        Trainer(recipe, tmp_path / "run", CPU)


def test_unlabelled_classes_lie_in_the_background():
    """With class 2 not looked for, calling its pixels background or class 2 costs the same."""
    pixels = torch.zeros(1, 16, 16, dtype=torch.int64)
    losses = {}
    for winner in (0, 1, 2):
        logits = torch.zeros(1, 3, 2, 2)
        logits[:, winner] = 8
        losses[winner] = float(semantic_loss(logits, pixels, torch.tensor([[True, True, False]])))
    assert losses[0] == pytest.approx(losses[2])
    assert losses[1] > 5 > 0.1 > losses[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"needs at least one \[\[data\]\] table"),
        ("[[data]]\nweight = 1", "needs a `file`"),
        ('[[data]]\nfile = "a.json"\nfolde = "b"', "unknown key 'folde'; known are file, folder, weight"),
        ('[[data]]\nfile = "a.json"\n[schedule]\nstep = 1', "unknown key 'step'"),
        ("a = [", "not TOML"),
    ],
)
def test_recipes_with_mistakes(tmp_path, text, message):
    file = tmp_path / "recipe.toml"
    file.write_text(text)
    with pytest.raises(UserError, match=message):
        TrainConfig.read(file)


def test_paths_are_relative_to_the_recipe(tmp_path):
    file = tmp_path / "recipe.toml"
    file.write_text('validation = "v.json"\n[[data]]\nfile = "../a.json"\n[model]\nwidths = [8, 8, 8, 8, 8]\n')
    recipe = TrainConfig.read(file)
    assert recipe.validation == (tmp_path / "v.json").resolve()
    assert recipe.data[0].file == (tmp_path.parent / "a.json").resolve()
    assert recipe.model.widths == (8, 8, 8, 8, 8)
