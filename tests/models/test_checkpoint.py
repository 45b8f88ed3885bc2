"""Checkpoints: round trip, class names, and one line for everything that is wrong with one."""

import pickle

import pytest
import torch

from streamseg.errors import UserError
from streamseg.models import load_model
from streamseg.models.checkpoint import amend_checkpoint, read_checkpoint, write_checkpoint
from streamseg.models.fitting import CLASS_TENSOR
from streamseg.models.street import StreetConfig, StreetMaskRCNN

SMALL = StreetConfig(widths=(8, 8, 8, 8, 8), depths=(0, 0, 0, 0), pyramid=8, box_features=16, mask_channels=(8,))


def street(classes=2):
    torch.manual_seed(0)
    return StreetMaskRCNN(SMALL, classes)


def write_street(path, classes=2, names=("cat", "dog"), change=lambda tensors: None):
    tensors = dict(street(classes).state_dict())
    change(tensors)
    metadata = {"architecture": "street", "config": SMALL.to_dict(), "class_names": list(names)}
    if path.suffix == ".safetensors":
        write_checkpoint(path, tensors, metadata)
    else:
        torch.save({"model": tensors, "class_names": list(names)}, path)
    return path


def test_round_trip(tmp_path):
    network = street()
    path = write_street(tmp_path / "my.safetensors")
    checkpoint = read_checkpoint(path)
    assert checkpoint.class_names == ("cat", "dog")
    assert StreetConfig.from_dict(checkpoint.metadata["config"]) == SMALL
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(checkpoint.tensors[name].float(), tensor.float(), atol=1e-3, rtol=1e-3)
    assert [file.name for file in tmp_path.iterdir()] == ["my.safetensors"]


@pytest.mark.parametrize(
    ("given", "expected"), [(None, ("cat", "dog")), (["lorry", "tram"], ("lorry", "tram"))], ids=["file", "flag"]
)
def test_class_names(tmp_path, given, expected):
    model = load_model(weights=write_street(tmp_path / "my.safetensors"), class_names=given)
    assert (model.name, model.class_names) == ("street", expected)


def test_any_number_of_classes_and_names_by_default(tmp_path):
    path = tmp_path / "seven.safetensors"
    write_checkpoint(path, street(7).state_dict(), {"config": SMALL.to_dict()})
    assert load_model(weights=path).class_names == tuple(f"class {number}" for number in range(1, 8))


def drop(name):
    return lambda tensors: tensors.pop(name)


def put(name, tensor):
    return lambda tensors: tensors.update({name: tensor})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop("rpn.head.cls_logits.bias"), r"tensor rpn.head.cls_logits.bias is missing; it must be \[6\]"),
        (
            put("rpn.head.cls_logits.bias", torch.zeros(9)),
            r"rpn.head.cls_logits.bias is \[9\], the network needs \[6\]",
        ),
        (put("extra.weight", torch.zeros(1)), "tensor extra.weight has no place"),
        (put("rpn.head.cls_logits.bias", torch.full((6,), float("nan"))), "rpn.head.cls_logits.bias holds values"),
        (drop(CLASS_TENSOR), f"tensor {CLASS_TENSOR} is missing"),
        (drop("backbone.stem.0.weight"), "tensor backbone.stem.0.weight is missing"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, change, message):
    path = write_street(tmp_path / "my.safetensors", change=change)
    with pytest.raises(UserError, match=message) as caught:
        load_model(weights=path)
    assert "\n" not in str(caught.value)


def test_what_only_training_uses_may_be_missing(tmp_path):
    path = write_street(tmp_path / "my.safetensors", change=drop("semantic.weight"))
    assert load_model(weights=path).class_names == ("cat", "dog")


def test_what_is_told_later_changes_no_weight(tmp_path):
    path = write_street(tmp_path / "my.safetensors")
    assert load_model(weights=path).neutral_score is None
    before = read_checkpoint(path)
    amend_checkpoint(path, {"neutral_score": 0.7})
    after = read_checkpoint(path)
    assert after.metadata == {**before.metadata, "neutral_score": 0.7}
    assert after.tensors.keys() == before.tensors.keys()
    for name, tensor in after.tensors.items():
        assert tensor.dtype == before.tensors[name].dtype and torch.equal(tensor, before.tensors[name])
    assert load_model(weights=path, class_names=["lorry", "tram"]).neutral_score == 0.7
    assert [file.name for file in tmp_path.iterdir()] == ["my.safetensors"]


@pytest.mark.parametrize("value", [0.5, 1.0, 90, "high", True, [0.7], float("nan")])
def test_a_neutral_score_that_cannot_be(tmp_path, value):
    path = write_street(tmp_path / "my.safetensors")
    amend_checkpoint(path, {"neutral_score": value})
    with pytest.raises(UserError, match=r"my.safetensors: its neutral_score is .* above 0.5 and below 1$"):
        load_model(weights=path)


class Evil:
    def __reduce__(self):
        return (print, ("executed",))


def write_evil(path):
    path.write_bytes(pickle.dumps({"model": Evil()}))


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("none.pth", lambda path: None, "no such checkpoint"),
        ("empty.pth", lambda path: path.write_bytes(b""), "not a checkpoint of plain tensors"),
        ("text.safetensors", lambda path: path.write_text("hello"), "not a readable safetensors file"),
        ("list.pth", lambda path: torch.save([1, 2], path), "holds a list"),
        ("other.pth", lambda path: torch.save({"a": 1}, path), "no weights in it"),
        ("evil.pth", write_evil, "not a checkpoint of plain tensors"),
        ("names.safetensors", lambda path: write_street(path, names=("one",)), "2 classes but the file names 1: one"),
    ],
)
def test_bad_files_get_one_line(tmp_path, capsys, name, write, message):
    path = tmp_path / name
    write(path)
    with pytest.raises(UserError, match=message) as caught:
        load_model(weights=path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert "executed" not in capsys.readouterr().out
