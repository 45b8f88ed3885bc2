"""The runner of networks on a GPU, here on the CPU: what it finds, and what it does when memory runs out."""

import gc
import threading

import numpy as np
import pytest
import torch

from streamseg.errors import UserError
from streamseg.models import load_model
from streamseg.models.gpu.runner import MOST_PASSES, Runner
from streamseg.models.model import DetectOptions
from streamseg.planes import Planes, unpack
from streamseg.scenes import render_still

CPU = torch.device("cpu")
OPTIONS = DetectOptions(0.2)


@pytest.fixture(scope="module")
def model():
    return load_model("street")


@pytest.fixture(scope="module")
def pictures():
    return [render_still(seed, width=320, height=192).image for seed in range(3)]


def runner(model, network=None):
    return Runner(network or model.network, model, OPTIONS, CPU, torch.float32)


def planes(picture: np.ndarray) -> Planes:
    """Gray, so that nothing is lost."""
    gray = picture.mean(2)
    y = np.rint(16 + gray * 219 / 255).astype(np.uint8)
    nothing = np.full((y.shape[0] // 2, y.shape[1] // 2), 128, np.uint8)
    return Planes(y, nothing, nothing.copy())


def same(first, second):
    return all(
        np.allclose(getattr(first, name), getattr(second, name), atol=1e-3)
        for name in ("boxes", "scores", "labels", "masks")
    )


SHORTAGES = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("Triton Error [CUDA]: out of memory"),
]


class Short(torch.nn.Module):
    """A network whose device has memory for few pictures at once, and which finds the brightness of each."""

    def __init__(self, most: int, shortage: Exception = SHORTAGES[0]) -> None:
        super().__init__()
        self.most, self.sizes, self.shortage = most, [], shortage

    def fixed(self, like, options):
        def run(packed):
            self.sizes.append(len(packed))
            if len(packed) > self.most:
                raise self.shortage
            found = torch.zeros(len(packed), 1, 6 + 4)
            found[:, 0, 4] = packed.float().mean(1) / 255
            return found, torch.ones(len(packed), dtype=torch.bool)

        return run


def flat(level: int) -> np.ndarray:
    return np.full((4, 6, 3), level, np.uint8)


def test_a_batch_gives_what_single_pictures_give(model, pictures):
    run = runner(model)
    together = run(pictures)
    assert sum(map(len, together)) > 5
    assert all(same(run([picture])[0], found) for picture, found in zip(pictures, together, strict=True))


def test_planes_give_what_their_rgb_gives(model, pictures):
    given = [planes(picture) for picture in pictures]
    run = runner(model)
    found, expected = run(given), run([each.to_rgb() for each in given])
    assert sum(map(len, found)) > 5
    assert all(same(*pair) for pair in zip(found, expected, strict=True))


def test_what_a_fixed_shape_cannot_hold_is_found_in_another(model, pictures, monkeypatch):
    expected = runner(model)(pictures)
    monkeypatch.setattr("streamseg.models.gpu.fixed.CANDIDATES", 4)
    found = runner(model)(pictures)
    assert [len(each) for each in found] == [len(each) for each in expected]


def test_networks_without_fixed_shapes(model, pictures, monkeypatch):
    expected = runner(model)(pictures)
    monkeypatch.setattr(type(model.network), "fixed", lambda *_: None)
    assert [len(each) for each in runner(model)(pictures)] == [len(each) for each in expected]


@pytest.mark.parametrize("shortage", SHORTAGES, ids=repr)
def test_no_memory_halves_the_batch_from_then_on_and_says_so_once(model, shortage):
    network = Short(2, shortage)
    run = runner(model, network)
    for _ in range(2):
        found = run([flat(level) for level in range(0, 240, 30)])
        assert [round(255 * float(each.scores[0])) for each in found] == list(range(0, 240, 30))
    assert network.sizes == [8, 4, *[2] * 8]
    assert len(run.notes) == 1
    assert "too small for 8 frames at once; went on with 2" in run.notes[0]


def test_no_memory_in_several_threads(model):
    run = runner(model, Short(most=1))
    found = {}

    def work(level):
        found[level] = run([flat(level)] * 4)

    threads = [threading.Thread(target=work, args=(level,)) for level in (60, 120, 240)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {level: [round(255 * float(one.scores[0])) for one in each] for level, each in found.items()} == {
        level: [level] * 4 for level in (60, 120, 240)
    }
    assert len(run.notes) == 1


def test_other_errors_are_not_about_memory(model):
    with pytest.raises(RuntimeError, match="misaligned address"):
        runner(model, Short(0, RuntimeError("CUDA error: misaligned address")))([flat(1)] * 2)


def test_pictures_of_many_sizes_leave_little_behind(model):
    run = runner(model, Short(most=9))
    for width in range(3, 40):
        run([np.zeros((4, width, 3), np.uint8)])
    assert len(run._passes) == MOST_PASSES


def test_no_memory_for_one_frame_is_the_users_to_solve(model):
    with pytest.raises(UserError, match=r"too small for one frame of street; lower --input-size") as caught:
        runner(model, Short(most=0))([flat(1)] * 3)
    assert "\n" not in str(caught.value)


def test_copies_are_lent_once_and_live_no_longer_than_their_pictures(model, pictures):
    run = runner(model)
    run(pictures)
    assert run.uploads.take(pictures[0]) is None
    run.lends = True
    mine = [pictures[0].copy(), planes(pictures[1])]
    for picture in mine:
        run([picture])
        copy = run.uploads.take(picture)
        again = unpack(copy.numpy(), picture)
        assert np.array_equal(again.y if isinstance(again, Planes) else again, getattr(picture, "y", picture))
        assert run.uploads.take(picture) is None
        run([picture])
    assert len(run.uploads._copies) == 2
    del mine, picture, copy, again
    gc.collect()
    assert not run.uploads._copies
