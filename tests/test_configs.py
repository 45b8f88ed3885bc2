"""Every file in configs/ is what it says it is."""

from dataclasses import asdict
from pathlib import Path

import pytest

from streamseg.settings import Settings, read_config
from streamseg.training.augment import AugmentConfig
from streamseg.training.config import SETTINGS, ScheduleConfig
from streamseg.training.recipe import from_layers, read_recipe

CONFIGS = Path(__file__).parents[1] / "configs"
RECIPES = ("street", "train")


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.name)
def test_it_is_read(path):
    if path.name.startswith(RECIPES):
        assert from_layers(read_recipe(path)).data
    else:
        assert Settings.gather({"config": str(path)}) != Settings()
        assert read_config(path)


def test_the_example_has_every_setting_of_a_recipe_with_its_default():
    path = CONFIGS / "train-example.toml"
    recipe, text = from_layers(read_recipe(path)), path.read_text()
    assert recipe.schedule == ScheduleConfig()
    for setting in SETTINGS.values():
        assert f"{setting.name} = " in text
        if setting.name != "validation" and hasattr(recipe, setting.name):
            assert getattr(recipe, setting.name) == setting.default
    defaults = asdict(AugmentConfig())
    assert recipe.augment == {name: value for name, value in defaults.items() if name not in ("width", "height")}
    assert all(f"{name} = {value}" in text for name, value in defaults.items())
