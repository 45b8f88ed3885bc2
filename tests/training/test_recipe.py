"""Recipes: files, flags and earlier runs over each other; every mistake is one line that names its place."""

import json
import subprocess
import sys

import pytest
import torch

from streamseg.errors import UserError
from streamseg.training.config import FLAGS, SETTINGS, TrainConfig
from streamseg.training.recipe import from_layers, read_flags, read_recipe

DATA = '[[data]]\nfile = "a.json"\n'


@pytest.fixture
def read(tmp_path):
    """Reads a recipe of this text."""

    def read_text(text):
        file = tmp_path / "recipe.toml"
        file.write_text(text)
        return from_layers(read_recipe(file))

    return read_text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no data to train on"),
        ("a = [", "recipe.toml: not TOML"),
        ("[[data]]\nweight = 1", "every \\[\\[data\\]\\] table needs a `file`"),
        ('data = "a.json"', "data must be \\[\\[data\\]\\] tables"),
        ('[[data]]\nfile = "a.json"\nfolde = "b"', "unknown key 'folde'; known are file, images, weight"),
        ("[[data]]\nfile = 3", "\\[\\[data\\]\\] file 3: must be a path"),
        ('[[data]]\nfile = "a.json"\nweight = -1', "weight -1: must be a number, 0 or more"),
        ('[[data]]\nfile = "a.json"\nweight = 0', "weights of the data files are all 0"),
        (DATA + "[schedule]\nstep = 1", "\\[schedule\\]: unknown key 'step'"),
        ("schedule = 3\n" + DATA, "\\[schedule\\]: must be a table"),
        (DATA + "[schedule]\nsteps = 1.5", "\\[schedule\\] steps 1.5: must be a whole number"),
        (DATA + '[schedule]\nlearning_rate = "high"', "learning_rate 'high': must be a number"),
        (DATA + "[schedule]\nlearning_rate = inf", "learning_rate inf: must be auto, or 0 to 100"),
        (DATA + "[schedule]\nlearning_rate = nan", "learning_rate nan: must be a number"),
        (DATA + "[schedule]\nbatch_size = 0", "batch_size 0: must be 1 or more pictures"),
        (DATA + '[schedule]\noptimizer = "adam"', "optimizer 'adam': must be one of adamw, sgd"),
        (DATA + "[schedule]\nmilestones = [0.9, 0.5]", "must be rising shares of the steps"),
        (DATA + "[schedule]\nmilestones = 3", "must be rising shares of the steps"),
        (DATA + "[schedule]\nsteps = 3\nepochs = 2", "steps and epochs say the same thing"),
        ('model = "yolo"\n' + DATA, "model 'yolo': must be one of street, maskrcnn_resnet50_fpn"),
        ("validation = 3\n" + DATA, "validation 3: must be text"),
        ("skip_faults = 1\n" + DATA, "skip_faults 1: must be true or false"),
        (DATA + "[augment]\nwidth = 'a'", "\\[augment\\] width 'a': must be like"),
        (DATA + "[augment]\nspin = 1", "\\[augment\\]: unknown key 'spin'"),
        (DATA + "[augment]\nwidth = 0", "\\[augment\\] width 0: must be 32 to 10000"),
        (DATA + "[augment]\nflip = 1.5", "flip 1.5: must be 0 to 1"),
        (DATA + "[augment]\nscale_min = 2\nscale_max = 1", "scale_min 2: must not be above scale_max 1"),
        (DATA + "[street]\nwidths = [8, 8, 8, 8, 0]", "must be 1 to 10000"),
        (DATA + "[street]\nwidths = [8, 'a']", "\\[street\\] widths \\[8, 'a'\\]: must be like"),
        (DATA + "[street]\nwidths = [8, 8]", "\\[street\\] widths \\[8, 8\\]: must be like"),
        (DATA + "[street]\nanchor_sizes = [8, 8, 8, 8]", "anchor_sizes .* must be like"),
        (DATA + "[street]\ndepth = 3", "\\[street\\]: unknown key 'depth'"),
    ],
)
def test_mistakes(read, text, message):
    with pytest.raises(UserError, match=message) as caught:
        read(text)
    assert "\n" not in str(caught.value)


def test_paths_are_relative_to_the_recipe(read, tmp_path):
    recipe = read('validation = "v.json"\nimages = "p"\nweights = "w.pth"\n[[data]]\nfile = "../a.json"\n')
    assert recipe.validation == (tmp_path / "v.json").resolve()
    assert recipe.data[0].file == (tmp_path.parent / "a.json").resolve()
    assert recipe.data[0].images == recipe.images == (tmp_path / "p").resolve()
    assert recipe.weights == str((tmp_path / "w.pth").resolve())


def test_a_data_file_may_have_pictures_of_its_own(read, tmp_path):
    recipe = read('images = "p"\n[[data]]\nfile = "a.json"\nimages = "q"\n')
    assert recipe.data[0].images == (tmp_path / "q").resolve()


@pytest.mark.parametrize("word", ["coco", "street", "none"])
def test_words_for_weights_are_no_paths(read, word):
    assert read(f'weights = "{word}"\n' + DATA).weights == word


def test_flags_win(read, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.toml").write_text(DATA + "[schedule]\nepochs = 3\nbatch_size = 4\n")
    given = {"data": ["b.json", "c.json"], "steps": "7", "learning_rate": "0.1", "nesterov": True, "other": 1}
    recipe = from_layers(read_recipe(tmp_path / "recipe.toml"), read_flags(given))
    assert [item.file.name for item in recipe.data] == ["b.json", "c.json"]
    schedule = recipe.schedule
    assert (schedule.steps, schedule.epochs, schedule.batch_size) == (7, None, 4)
    assert (schedule.learning_rate, schedule.nesterov) == (0.1, True)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"steps": "0"}, "--steps 0: must be auto, or 1 or more"),
        ({"steps": "many"}, "--steps 'many': must be a whole number"),
        ({"device": "gpu"}, "--device 'gpu': must be one of"),
        ({"steps": "3", "epochs": "3"}, "steps and epochs say the same thing"),
    ],
)
def test_wrong_flags(flags, message):
    with pytest.raises(UserError, match=message):
        from_layers(read_flags({"data": ["a.json"], **flags}))


def test_a_recipe_survives_the_state_file(read, tmp_path):
    text = 'validation = "v.json"\n[[data]]\nfile = "a.json"\nweight = 0.5\n[schedule]\nepochs = 2\n'
    recipe = read(text + "milestones = [0.5]\n[street]\nwidths = [8, 8, 8, 8, 8]\n[augment]\nwidth = 64\n")
    plain = recipe.to_dict()
    assert from_layers(json.loads(json.dumps(plain))) == recipe
    torch.save(plain, tmp_path / "state.pt")
    assert from_layers(torch.load(tmp_path / "state.pt", weights_only=True)) == recipe


def test_every_setting_but_lists_has_a_flag():
    assert set(SETTINGS) - set(FLAGS) == {"milestones"}
    assert set(TrainConfig.__slots__) - set(SETTINGS) == {"data", "schedule", "augment", "street"}


def test_help_imports_nothing_heavy():
    code = (
        "import sys, streamseg.cli as cli\n"
        "try: cli.main(['train', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'torchvision', 'av', 'cv2', 'numpy', 'scipy', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(setting.flag in done.stdout for setting in FLAGS.values())
