"""The training loop: it learns, it resumes exactly, it says what is wrong."""

import csv
import json
from dataclasses import replace

import pytest
import torch

from streamseg.errors import UserError
from streamseg.models import load_model
from streamseg.models.checkpoint import read_checkpoint
from streamseg.training.batches import Batch
from streamseg.training.config import MODELS, DataConfig, ScheduleConfig, TrainConfig
from streamseg.training.losses import compute_losses, semantic_loss
from streamseg.training.networks import train_mode
from streamseg.training.processes import Processes
from streamseg.training.recipe import from_layers
from streamseg.training.setup import objects_of, set_up
from streamseg.training.state import read_state

ALONE = Processes(0, 1, torch.device("cpu"))
TINY = {
    "widths": (8, 8, 16, 16, 16),
    "depths": (0, 0, 1, 1),
    "pyramid": 16,
    "box_features": 32,
    "mask_channels": (16,),
    "proposals": 50,
}


@pytest.fixture
def recipe(dataset):
    return TrainConfig(
        data=(DataConfig(dataset),),
        weights="none",
        workers=0,
        checkpoint_every=4,
        validate_every=1000,
        precision="fp32",
        street=TINY,
        augment={"width": 96, "height": 64, "colour": 0.1, "degrade": 0},
        schedule=ScheduleConfig(steps=8, batch_size=2, warmup=2, learning_rate=2e-3),
    )


def trainer(recipe, folder, resume=False, warn=print):
    return set_up(recipe, folder, ALONE, read_state(folder) if resume else None, warn).trainer


class Killed(Exception):
    """Ends a run as a kill does: nothing more is written."""


def kill_at(step):
    def report(progress):
        if progress.step == step:
            raise Killed

    return report


def rows(file):
    with file.open() as lines:
        return list(csv.DictReader(lines))


def figures_of(values):
    """Stands for validations with these mask APs, one after the other."""
    left = iter(values)
    return lambda weights, step: {"mask_ap": next(left)}


def assert_same(first, second, where=""):
    if isinstance(first, torch.Tensor):
        assert torch.equal(first, second), where
    elif isinstance(first, dict):
        assert first.keys() == second.keys(), where
        for key, value in first.items():
            assert_same(value, second[key], f"{where}.{key}")
    else:
        assert first == second, where


@pytest.mark.parametrize(("optimizer", "steps"), [("adamw", (5,)), ("sgd", (1, 7)), ("adamw", (3, 6, 7))])
def test_a_killed_run_goes_on_exactly(recipe, tmp_path, monkeypatch, optimizer, steps):
    monkeypatch.setattr("streamseg.training.loop.LOG_EVERY", 3)
    schedule = replace(recipe.schedule, optimizer=optimizer, ema=0.9)
    recipe = replace(recipe, schedule=schedule, validate_every=2, checkpoint_every=3)
    scores = {2: 0.1, 4: 0.3, 6: 0.2, 8: 0.25}

    def validate(weights, step):
        return {"mask_ap": scores[step]}

    trainer(recipe, tmp_path / "whole").run(validate=validate)
    for begun, step in enumerate(steps):
        torch.manual_seed(99)
        resume = begun > 0 and (tmp_path / "part" / "state.pt").exists()
        part = trainer(recipe, tmp_path / "part", resume)
        with pytest.raises(Killed):
            part.run(kill_at(step), validate)
    trainer(recipe, tmp_path / "part", resume=True).run(validate=validate)
    assert_same(read_state(tmp_path / "whole"), read_state(tmp_path / "part"))
    for name in ("log.csv", "validation.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "part" / name).read_bytes(), name
    for name in ("best.safetensors", "model.safetensors"):
        whole, part = (read_checkpoint(tmp_path / folder / name) for folder in ("whole", "part"))
        assert_same({**whole.metadata, **whole.tensors}, {**part.metadata, **part.tensors})
    assert [row["step"] for row in rows(tmp_path / "part" / "log.csv")] == ["3", "6", "8"]
    assert [row["step"] for row in rows(tmp_path / "part" / "validation.csv")] == ["2", "4", "6", "8"]


def test_the_loss_scale_of_fp16_goes_on(recipe, tmp_path, monkeypatch):
    """A CPU can train in fp16 as CUDA does; it is only too slow to be offered."""
    monkeypatch.setattr("streamseg.training.loop.training_precision", lambda name, device: torch.float16)
    recipe = replace(recipe, schedule=replace(recipe.schedule, steps=4))
    whole = trainer(recipe, tmp_path / "whole")
    whole.scaler._init_scale = 2.0**40  # overflows at first, and is lowered
    whole.run()
    assert 0 < whole.scaler.get_scale() < 2.0**40
    part = trainer(recipe, tmp_path / "part")
    part.scaler._init_scale = 2.0**40
    part.run(stop=lambda: part.step == 1)
    trainer(recipe, tmp_path / "part", resume=True).run()
    assert_same(read_state(tmp_path / "whole"), read_state(tmp_path / "part"))


def test_a_kill_during_a_validation(recipe, tmp_path):
    recipe = replace(recipe, validate_every=4)

    def killed(weights, step):
        raise Killed

    with pytest.raises(Killed):
        trainer(recipe, tmp_path / "run").run(validate=killed)
    rest = trainer(recipe, tmp_path / "run", resume=True)
    assert (rest.step, rest.memory.validated) == (4, 0)
    rest.run(validate=figures_of([0.5, 0.4]))
    assert [row["step"] for row in rows(tmp_path / "run" / "validation.csv")] == ["4", "8"]
    assert (rest.memory.best, rest.memory.best_step) == (0.5, 4)


def test_a_stopped_run_is_saved_and_not_validated(recipe, tmp_path):
    part = trainer(recipe, tmp_path / "run")
    assert not part.run(validate=figures_of([]), stop=lambda: part.step == 2)
    rest = trainer(recipe, tmp_path / "run", resume=True)
    assert rest.step == 3
    assert rest.run()
    again = trainer(recipe, tmp_path / "run", resume=True)
    assert again.step == 8 and again.run()


@pytest.mark.parametrize(
    ("aps", "patience", "ended", "best"),
    [
        ([0.1, 0.2, 0.2, 0.1, 0.9, 0.9, 0.9, 0.9], 2, 4, 2),
        ([0.1, 0.0, 0.2, 0.1, 0.3, 0.2, 0.4, 0.1], 2, 8, 7),
        ([0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.6], 0, 8, 8),
        ([float("nan"), 0.0, 0.0, 0.0, 0.1, 0.1, 0.1, 0.1], 3, 8, 5),
    ],
)
def test_early_stop_and_the_best_weights(recipe, tmp_path, aps, patience, ended, best):
    run = trainer(replace(recipe, validate_every=1, patience=patience), tmp_path / "run")
    seen = {}

    def validate(weights, step):
        seen[step] = weights.read_bytes()
        return {"mask_ap": aps[step - 1]}

    assert run.run(validate=validate)
    assert (run.step, run.memory.best_step) == (ended, best)
    assert (tmp_path / "run" / "best.safetensors").read_bytes() == seen[best]
    again = trainer(replace(recipe, validate_every=1, patience=patience), tmp_path / "run", resume=True)
    assert again.run(validate=validate) and again.step == ended


def test_it_learns_and_the_result_loads(recipe, tmp_path):
    recipe = replace(recipe, schedule=replace(recipe.schedule, steps=60, ema=0.5))
    losses = []
    trainer(recipe, tmp_path / "run").run(lambda progress: losses.append(progress.losses["loss"]))
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])
    model = load_model(weights=tmp_path / "run" / "model.safetensors")
    assert (model.name, model.class_names) == ("street", ("green", "red"))
    assert [row["step"] for row in rows(tmp_path / "run" / "log.csv")] == ["20", "40", "60"]


@pytest.mark.parametrize("ema", [0.0, 0.99])
def test_averaging(recipe, tmp_path, ema):
    run = trainer(replace(recipe, schedule=replace(recipe.schedule, ema=ema)), tmp_path / "run")
    run.run()
    same = [
        torch.equal(own, averaged)
        for own, averaged in zip(run.network.parameters(), run.average.module.parameters(), strict=True)
    ]
    assert all(same) if ema == 0 else not any(same)


def test_a_batch_may_be_larger_than_the_data(recipe, tmp_path):
    run = trainer(replace(recipe, schedule=replace(recipe.schedule, batch_size=20, steps=1)), tmp_path / "run")
    assert run.run()


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_the_checkpoint(recipe, tmp_path):
    trainer(recipe, tmp_path / "run").run(stop=lambda: True)
    before = (tmp_path / "run" / "state.pt").read_bytes()
    run = trainer(recipe, tmp_path / "run", resume=True)
    with torch.no_grad():
        run.network.roi_heads.box_predictor.cls_score.weight.fill_(float("nan"))
    with pytest.raises(UserError, match="the loss is nan at step 1; lower learning_rate"):
        run.run()
    assert (tmp_path / "run" / "state.pt").read_bytes() == before


def test_a_folder_holds_one_run(recipe, tmp_path):
    with pytest.raises(UserError, match="nothing to resume"):
        trainer(recipe, tmp_path / "run", resume=True)
    trainer(recipe, tmp_path / "run").run(stop=lambda: True)
    with pytest.raises(UserError, match="holds a run already"):
        trainer(recipe, tmp_path / "run")


def test_a_folder_that_cannot_be_written(recipe, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file/run: cannot be written"):
        trainer(recipe, tmp_path / "file" / "run")


def test_resuming_with_another_recipe(recipe, tmp_path):
    trainer(recipe, tmp_path / "run").run(stop=lambda: True)
    state = read_state(tmp_path / "run")
    stored = from_layers(state["recipe"])
    longer = set_up(replace(stored, schedule=replace(stored.schedule, steps=9)), tmp_path / "run", ALONE, state, print)
    assert longer.notes == ["resuming with changed steps (8 -> 9); the curve is not that of one recipe"]
    assert longer.trainer.run() and longer.trainer.step == 9
    assert set_up(stored, tmp_path / "run", ALONE, state, print).notes == []
    for change in (
        {"weights": "street"},
        {"trainable_layers": 2},
        {"street": {**stored.street, "pyramid": 8}},
        {"model": MODELS[1]},
    ):
        with pytest.raises(UserError, match=f"was begun with {next(iter(change))} "):
            set_up(replace(stored, **change), tmp_path / "run", ALONE, state, print)


def rewrite(file, change):
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def test_faults_are_listed_and_can_be_left_out(recipe, tmp_path, dataset):
    whole = json.loads(dataset.read_text())

    def spoil(content):
        for annotation in content["annotations"][:25]:
            annotation["bbox"] = [5, 5, -3, 4]
        for image in content["images"]:
            image["height"] = 999

    rewrite(dataset, spoil)
    lines = []
    with pytest.raises(UserError, match="24 faults in the data; mend them, or leave them out with --skip-faults"):
        trainer(recipe, tmp_path / "run", warn=lines.append)
    assert len(lines) == 21 and lines[-1] == "… and 4 more" and str(dataset) in lines[0]
    assert not (tmp_path / "run").exists()

    def mend(content):
        for image in content["images"][1:]:
            image["height"] = 64
        for annotation, original in zip(content["annotations"][2:], whole["annotations"][2:], strict=True):
            annotation["bbox"] = original["bbox"]

    rewrite(dataset, mend)
    lines.clear()
    setup = set_up(replace(recipe, skip_faults=True), tmp_path / "run", ALONE, None, lines.append)
    assert (len(lines), lines[-1]) == (4, "3 faults in the data are left out")
    assert (len(setup.data[0]), objects_of(setup.data[0])) == (11, {"green": 5, "red": 5})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content["categories"].clear(), "no categor|faults"),
        (lambda content: content["annotations"].clear(), "has no objects to learn from"),
        (lambda content: (content["images"].clear(), content["annotations"].clear()), "no "),
    ],
)
def test_data_without_anything_to_learn(recipe, tmp_path, dataset, change, message):
    rewrite(dataset, change)
    with pytest.raises(UserError, match=message) as caught:
        trainer(recipe, tmp_path / "run")
    assert "\n" not in str(caught.value)


def test_validation_must_have_something_in_common(recipe, tmp_path, dataset):
    other = tmp_path / "val.json"
    other.write_text(dataset.read_text())
    recipe = replace(recipe, validation=other)
    rewrite(other, lambda content: content["annotations"].__delitem__(slice(0, None, 2)))
    setup = set_up(recipe, tmp_path / "run", ALONE, None, print)
    assert setup.notes == [f"{other} has no green: no AP for them"]
    rewrite(other, lambda content: content["annotations"].clear())
    with pytest.raises(UserError, match="has no objects to measure against"):
        set_up(recipe, tmp_path / "run", ALONE, None, print)
    rewrite(other, lambda content: [one.update(name=one["name"] + "ish") for one in content["categories"]])
    with pytest.raises(UserError, match=r"none of its classes \(greenish, redish\) is learnt \(green, red\)"):
        set_up(recipe, tmp_path / "run", ALONE, None, print)


def test_a_torchvision_network_learns_goes_on_and_loads(recipe, tmp_path):
    schedule = replace(recipe.schedule, steps=1, optimizer="sgd", momentum=0.0)  # a small state
    recipe = replace(recipe, model=MODELS[1], street=None, schedule=schedule)
    run = trainer(recipe, tmp_path / "run")
    _make_small(run.network)
    before = run.network.backbone.body.conv1.weight.detach().clone()
    assert run.run()
    assert not torch.equal(before, run.network.backbone.body.conv1.weight)
    assert load_model(weights=tmp_path / "run" / "model.safetensors").name == MODELS[1]
    assert_same(run.network.state_dict(), trainer(recipe, tmp_path / "run", resume=True).network.state_dict())


def _make_small(network):
    """Fewer boxes in a step, which is what takes the time."""
    network.roi_heads.fg_bg_sampler.batch_size_per_image = 8


@pytest.mark.parametrize("model", MODELS)
def test_pictures_that_say_nothing_cost_nothing(recipe, tmp_path, model):
    """Without objects, and with classes that were not looked for, nothing is wrong and nothing is NaN."""
    street = TINY if model == "street" else None
    network = trainer(replace(recipe, model=model, street=street), tmp_path / "run").network
    _make_small(network)
    train_mode(network)
    target = {
        "boxes": torch.zeros(0, 4),
        "labels": torch.zeros(0, dtype=torch.int64),
        "masks": torch.zeros(0, 64, 96, dtype=torch.uint8),
        "ignore_boxes": torch.zeros(0, 4),
        "complete": torch.tensor(False),
    }
    picture = torch.zeros(1, 3, 64, 96, dtype=torch.uint8)
    unknown, known = torch.full((1, 64, 96), -1), torch.zeros(1, 64, 96, dtype=torch.int64)
    losses = compute_losses(
        network, Batch(picture, [target], unknown, torch.tensor([[True, False, False]])), ALONE.device
    )
    assert {name: float(loss.detach()) for name, loss in losses.items()} == dict.fromkeys(losses, 0.0)
    sum(losses.values()).backward()
    grads = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    assert grads and all(torch.isfinite(grad).all() for grad in grads)

    mask = torch.zeros(1, 64, 96, dtype=torch.uint8)
    mask[0, 10:50, 20:70] = 1
    box = torch.tensor([[20.0, 10.0, 70.0, 50.0]])
    target |= {"boxes": box, "labels": torch.tensor([1]), "masks": mask, "complete": torch.tensor(True)}
    losses = compute_losses(network, Batch(picture, [target], known, torch.ones(1, 3, dtype=torch.bool)), ALONE.device)
    assert all(torch.isfinite(loss) and loss > 0 for loss in losses.values())
    expected = {"loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg", "loss_mask"}
    assert set(losses) == expected | ({"loss_semantic"} if model == "street" else set())


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
