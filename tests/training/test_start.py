"""Where runs start: every architecture, from trained weights or none, and what comes out loads again."""

import pytest
import torch

from streamseg.errors import UserError
from streamseg.models import load_model
from streamseg.models import torchvision_zoo as zoo
from streamseg.models.detect import MaskRCNNDetector
from streamseg.models.model import DetectOptions
from streamseg.models.street import StreetConfig
from streamseg.training.config import DataConfig, TrainConfig
from streamseg.training.networks import build_network, train_mode, write_network
from streamseg.training.schedule import completed
from streamseg.training.start import choose_model, prepare

V1, V2 = "maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2"
CLS = "roi_heads.box_predictor.cls_score.weight"


def start(tmp_path, names=("vehicle", "tram"), **settings):
    torch.manual_seed(0)
    config = TrainConfig(data=(DataConfig(tmp_path / "a.json"),), **settings)
    model, checkpoint = choose_model(config)
    return prepare(completed(config, model, 1), model, checkpoint, names)


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """Puts random weights where torchvision keeps its published ones, under the names that they have there."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    def put(name):
        torch.manual_seed(1)
        network = zoo.build(name, 90)
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):  # without norms that were trained, activations explode
                module.weight.data.mul_(0.3)
                module.running_var.uniform_(0.5, 2)
        state = network.state_dict()
        if name == V1:
            state = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
        zoo.cached_file(name).parent.mkdir(parents=True)
        torch.save(state, zoo.cached_file(name))
        return state

    return put


def epsilons(network):
    return {m.eps for m in network.backbone.body.modules() if isinstance(m, torch.nn.BatchNorm2d)}


def test_the_default_is_the_embedded_model_and_keeps_classes_of_the_same_name(tmp_path):
    one, embedded = start(tmp_path), load_model("street")
    assert (one.model, embedded.class_names) == ("street", ("person", "vehicle", "cycle"))
    old, new = embedded.network.rcnn.roi_heads, one.network.roi_heads
    torch.testing.assert_close(new.box_head.fc6.weight, old.box_head.fc6.weight)
    for name, each in (("cls_score", 1), ("bbox_pred", 4)):
        before, after = getattr(old.box_predictor, name).weight, getattr(new.box_predictor, name).weight
        torch.testing.assert_close(after[: 2 * each], torch.cat([before[:each], before[2 * each : 3 * each]]))
    assert not torch.equal(new.box_predictor.cls_score.weight[2], old.box_predictor.cls_score.weight[3])
    assert "but for the rows of vehicle" in one.origin and "\n" not in one.origin


def test_the_shape_is_that_of_the_weights(tmp_path):
    small = StreetConfig(widths=(8, 8, 8, 16, 16), depths=(0, 0, 0, 0), pyramid=8, mask_channels=(8,))
    file = tmp_path / "small.safetensors"
    write_network(file, build_network("street", 2, small), "street", ("vehicle", "tram"), {})
    one = start(tmp_path, weights=str(file), street={"short_side": 128})
    assert (one.network.config.widths, one.network.config.short_side) == (small.widths, 128)
    assert one.origin.endswith("all of them fit")
    with pytest.raises(UserError, match="no weight of its backbone fits"):
        start(tmp_path, weights=str(file), street={"widths": (4, 4, 4, 4, 4), "pyramid": 4})


def test_nothing(tmp_path):
    one = start(tmp_path, weights="none")
    assert (one.model, one.origin) == ("street", "random weights")
    assert one.network.config == StreetConfig()


@pytest.mark.parametrize(("name", "epsilon"), [(V1, zoo.NO_EPSILON), (V2, 1e-5)])
def test_coco_weights(cached, tmp_path, name, epsilon):
    state = cached(name)
    one = start(tmp_path, names=("car", "drone"), model=name)
    own, car = one.network.state_dict(), zoo.coco_classes(name).index("car") + 1
    assert torch.equal(own["backbone.body.conv1.weight"], state["backbone.body.conv1.weight"])
    assert torch.equal(own[CLS][1], state[CLS][car]) and torch.equal(own[CLS][0], state[CLS][0])
    assert epsilons(one.network) == {epsilon}
    learns = {key for key, parameter in one.network.named_parameters() if parameter.requires_grad}
    assert {key.split(".")[2] for key in learns if "body" in key} == {"layer2", "layer3", "layer4"}
    assert not any(".bn" in key or "downsample.1" in key for key in learns if "body" in key)
    train_mode(one.network)
    norms = [m for m in one.network.backbone.body.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert not any(norm.training for norm in norms) and one.network.training


@pytest.mark.parametrize(
    ("model", "layers", "expected"),
    [
        (V1, 0, set()),
        (V1, 1, {"layer4"}),
        (V1, 5, {"layer4", "layer3", "layer2", "layer1", "conv1", "bn1"}),
        ("street", 0, set()),
        ("street", 2, {"stages.3", "stages.2"}),
        ("street", 5, {"stages.3", "stages.2", "stages.1", "stages.0", "stem"}),
    ],
)
def test_trainable_layers(tmp_path, model, layers, expected):
    network = start(tmp_path, model=model, weights="none", trainable_layers=layers).network
    names = [name.removeprefix("body.") for name, p in network.backbone.named_parameters() if p.requires_grad]
    parts = {name.split(".")[0] if not name.startswith("stages") else name[: len("stages.0")] for name in names}
    assert parts - {"fpn", "detail"} == expected
    assert "fpn" in parts and all(p.requires_grad for p in network.roi_heads.parameters())


@pytest.mark.parametrize("model", ["street", V1, V2])
@pytest.mark.parametrize("trained", [True, False])
def test_what_is_written_finds_the_same(cached, tmp_path, model, trained):
    if model != "street" and trained:
        cached(model)
    network = start(tmp_path, model=model, weights=None if trained else "none").network.eval()
    for parameter in network.parameters():
        if parameter.ndim > 1:  # as the file stores them
            parameter.data = parameter.data.half().float()
    write_network(tmp_path / "own.safetensors", network, model, ("vehicle", "tram"), {})
    loaded = load_model(weights=tmp_path / "own.safetensors")
    assert (loaded.name, loaded.class_names) == (model, ("vehicle", "tram"))
    images = [(torch.rand(3, 64, 96) * 255).byte()]
    options = DetectOptions(score_threshold=0.0, max_detections=10)
    detectors = [MaskRCNNDetector(network).eval(), loaded.network]
    with torch.inference_mode():
        for detector in detectors:
            detector.resize_input(64, 96)
            detector.rcnn.rpn._post_nms_top_n = {"testing": 20}  # the boxes do not matter, and their heads are slow
        before, after = (detector.detect(images, options)[0] for detector in detectors)
    assert len(before.scores)
    for name in ("boxes", "scores", "labels", "masks"):
        torch.testing.assert_close(getattr(after, name), getattr(before, name), rtol=1e-3, atol=1e-3)


def test_a_checkpoint_without_names_keeps_its_classes_where_their_number_is_the_same(tmp_path):
    state = zoo.build(V1, 2).state_dict()
    torch.save(state, tmp_path / "own.pth")
    same = start(tmp_path, weights=str(tmp_path / "own.pth"))
    assert (same.model, same.origin.endswith("all of them fit")) == (V1, True)
    assert torch.equal(same.network.state_dict()[CLS], state[CLS])
    other = start(tmp_path, ("a", "b", "c"), weights=str(tmp_path / "own.pth"))
    assert torch.equal(other.network.state_dict()[CLS][0], state[CLS][0])
    assert "start anew" in other.origin


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weights": "none.pth"}, "none.pth: no such checkpoint"),
        ({"weights": "small.safetensors", "model": V1}, "weights of street, not of maskrcnn_resnet50_fpn"),
        ({"weights": "coco", "model": "street"}, "there are no coco weights of model street"),
        ({"weights": "street", "model": V2}, "weights of street, not of maskrcnn_resnet50_fpn_v2"),
        ({"weights": "nan.pth"}, "tensor semantic.bias holds values that are not finite"),
        ({"weights": "other.pth"}, "not the weights of a known model"),
    ],
)
def test_weights_that_do_not_fit(tmp_path, monkeypatch, settings, message):
    monkeypatch.chdir(tmp_path)
    network = build_network("street", 1, StreetConfig())
    write_network(tmp_path / "small.safetensors", network, "street", ("vehicle",), {})
    state = network.state_dict()
    torch.save({**state, "semantic.bias": torch.full((2,), torch.nan)}, "nan.pth")
    torch.save({"a.weight": torch.zeros(3)}, "other.pth")
    with pytest.raises(UserError, match=message) as caught:
        start(tmp_path, **settings)
    assert "\n" not in str(caught.value)


def test_coco_weights_that_cannot_be_fetched(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", refuse)
    with pytest.raises(UserError, match="no route to host"):
        start(tmp_path, model=V1)
