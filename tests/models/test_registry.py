"""Models by name, by checkpoint and by device."""

import re
from urllib.error import URLError

import pytest
import torch

from streamseg.errors import UserError
from streamseg.models import list_models, load_model
from streamseg.models import torchvision_zoo as zoo

NAMES = ["maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2"]


def old_name(name):
    """The name that torchvision's published file has for a tensor."""
    name = re.sub(r"(inner_blocks|layer_blocks)\.(\d+)\.0\.", r"\1.\2.", name)
    name = name.replace("rpn.head.conv.0.0.", "rpn.head.conv.")
    return re.sub(
        r"roi_heads.mask_head.(\d)\.0\.", lambda match: f"roi_heads.mask_head.mask_fcn{int(match[1]) + 1}.", name
    )


def published(name):
    """A file of random weights that looks like the published one: no batch counts and, for the first, old names."""
    torch.manual_seed(0)
    state = zoo.build(name, 90).state_dict()
    if name == "maskrcnn_resnet50_fpn":
        state = {old_name(key): value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    return state


@pytest.fixture(params=NAMES)
def cached(request, tmp_path, monkeypatch):
    """A cache that holds published weights of one model."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    file = zoo.cached_file(request.param)
    file.parent.mkdir(parents=True)
    torch.save(published(request.param), file)
    return request.param


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """No cache and no network."""

    def refuse(*args, **kwargs):
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", refuse)


def test_coco_weights_from_the_cache(cached):
    model = load_model(cached)
    assert (model.name, len(model.class_names), model.class_names[0]) == (cached, 90, "person")
    assert model.weights == "COCO weights"
    assert next(entry for entry in list_models() if entry.name == cached).weights.startswith("cached at")


def test_first_edition_has_its_norms_without_epsilon(tmp_path):
    weights = published(NAMES[0])
    weights["backbone.body.bn1.running_var"].fill_(1e-6)
    torch.save(weights, tmp_path / "old.pth")
    model = load_model(weights=tmp_path / "old.pth")
    assert model.network.rcnn.backbone.body.bn1.eps < 1e-30
    model.network.fold()
    gain = weights["backbone.body.bn1.weight"] / 1e-3
    expected = weights["backbone.body.conv1.weight"] * gain[:, None, None, None]
    torch.testing.assert_close(model.network.rcnn.backbone.body.conv1.weight.detach(), expected)
    assert "person" in model.class_names


@pytest.mark.parametrize("name", NAMES)
def test_own_checkpoints_are_recognised(tmp_path, name):
    torch.save({"model": zoo.build(name, 3).state_dict(), "class_names": ["a", "b", "c"]}, tmp_path / "own.pth")
    model = load_model(weights=tmp_path / "own.pth")
    assert (model.name, model.class_names, model.neutral_score) == (name, ("a", "b", "c"), None)


@pytest.mark.parametrize("name", NAMES)
def test_offline_says_where_to_put_the_file(offline, capsys, name):
    with pytest.raises(UserError, match="no route to host") as caught:
        load_model(name)
    assert "\n" not in str(caught.value)
    assert str(zoo.cached_file(name)) in str(caught.value)
    assert capsys.readouterr().out == ""
    assert next(entry for entry in list_models() if entry.name == name).weights == "fetched on first use"


def test_a_gpu_that_is_offline_gets_the_embedded_model(offline):
    model = load_model(device="cuda")
    assert model.name == "street"
    assert "no route to host" in model.reason


def test_the_embedded_model():
    model = load_model(device="cpu")
    assert (model.name, model.class_names) == ("street", ("person", "vehicle", "cycle"))
    assert model.neutral_score == pytest.approx(0.92, abs=0.01)  # as it was measured, see configs/street.md


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": "yolo"}, "no model 'yolo'; known are street"),
        ({"class_names": ["a"]}, "class names belong to a checkpoint"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(UserError, match=message):
        load_model(**arguments)
