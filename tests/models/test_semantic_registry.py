"""Semantic models by name and by checkpoint, with anybody's classes."""

from __future__ import annotations

from urllib.error import URLError

import pytest
import torch

from streamseg.errors import UserError
from streamseg.models import list_models, load_model
from streamseg.models import torchvision_zoo as zoo
from streamseg.models.checkpoint import Checkpoint, write_checkpoint
from streamseg.models.fitting import ARCHITECTURES, architecture_of

SMALL, HEAD = "lraspp_mobilenet_v3_large", "classifier.low_classifier"


AUXILIARY = {"aux_classifier.4.bias": torch.zeros(21)}  # what training leaves beside the weights


def state_of(name: str = SMALL, classes: int = 2) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return zoo.build(name, classes).state_dict()


@pytest.mark.parametrize(
    ("name", "with_auxiliary"), [("fcn_resnet50", False), ("deeplabv3_resnet50", True), (SMALL, False)]
)
def test_published_weights_with_or_without_the_second_head(name, with_auxiliary, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    file = zoo.cached_file(name)
    file.parent.mkdir()
    torch.save({**state_of(name, 20), **(AUXILIARY if with_auxiliary else {})}, file)
    model = load_model(name)
    assert (model.name, model.kind, model.weights, model.input_size) == (name, "regions", "COCO weights", (520, 2080))
    assert (len(model.class_names), model.class_names[0], model.class_names[-1]) == (20, "aeroplane", "tvmonitor")
    entry = next(entry for entry in list_models() if entry.name == name)
    assert (entry.kind, entry.weights) == ("regions", f"cached at {file}")
    assert load_model(weights=file).class_names == model.class_names


def test_offline_says_where_to_put_the_file(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", refuse)
    with pytest.raises(UserError, match="no route to host") as caught:
        load_model(SMALL)
    assert "\n" not in str(caught.value) and str(zoo.cached_file(SMALL)) in str(caught.value)


@pytest.mark.parametrize(
    ("stored", "given", "expected"),
    [
        (None, None, ("class 1", "class 2")),
        (["road", "car"], None, ("road", "car")),
        (["__background__", "road", "car"], None, ("road", "car")),
        (["road", "car"], ["background", "lane", "lorry"], ("lane", "lorry")),
    ],
)
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_own_classes(stored, given, expected, suffix, tmp_path):
    path = tmp_path / f"own{suffix}"
    if suffix == ".pth":
        torch.save({"model": state_of(), **({"class_names": stored} if stored else {})}, path)
    else:
        write_checkpoint(path, state_of(), {"class_names": stored} if stored else {})
    model = load_model(weights=path, class_names=given)
    assert (model.name, model.class_names) == (SMALL, expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({f"{HEAD}.bias": torch.zeros(9)}, r"low_classifier.bias is \[9\], the network needs \[3\]"),
        ({"extra.weight": torch.zeros(1)}, "tensor extra.weight has no place"),
        ({f"{HEAD}.weight": torch.zeros(1, 40, 1, 1)}, "has no classes; is this a lraspp_mobile"),
        ({f"{HEAD}.weight": torch.zeros(257, 40, 1, 1)}, "has 256 classes; regions can have 255"),
    ],
)
def test_what_does_not_fit_is_one_line(change, message, tmp_path):
    path = tmp_path / "own.pth"
    torch.save({**state_of(), **change}, path)
    with pytest.raises(UserError, match=message) as caught:
        load_model(weights=path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_another_model_than_the_one_asked_for(tmp_path):
    torch.save(state_of(), tmp_path / "own.pth")
    with pytest.raises(UserError, match="is this a fcn_resnet50"):
        load_model("fcn_resnet50", tmp_path / "own.pth")


def checkpoint_of(tmp_path, *names: str, **metadata: object) -> Checkpoint:
    return Checkpoint(tmp_path / "some.safetensors", dict.fromkeys(names, torch.zeros(1)), metadata)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_the_file_says_goes_before_its_tensors(name, tmp_path):
    assert architecture_of(checkpoint_of(tmp_path, "backbone.stem.0.weight", architecture=name)) == name
    marks = ARCHITECTURES[name].marks
    assert architecture_of(checkpoint_of(tmp_path, *marks)) == name
    assert architecture_of(checkpoint_of(tmp_path, *marks, architecture="unheard of")) == name


@pytest.mark.parametrize(
    ("metadata", "named"), [({}, "first tensor odd.weight"), ({"architecture": "unet"}, "architecture 'unet'")]
)
def test_an_unknown_architecture_is_named(metadata, named, tmp_path):
    with pytest.raises(UserError, match=rf"not the weights of a known model \({named}\); known are street, maskrcnn"):
        architecture_of(checkpoint_of(tmp_path, "odd.weight", **metadata))
