"""Every file in configs/ is what it says it is."""

from pathlib import Path

import pytest

from streamseg.settings import Settings, read_config
from streamseg.training.config import TrainConfig

CONFIGS = Path(__file__).parents[1] / "configs"
RECIPES = ("street.toml",)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.name)
def test_it_is_read(path):
    if path.name in RECIPES:
        assert TrainConfig.read(path).schedule.steps > 0
    else:
        assert Settings.gather({"config": str(path)}) != Settings()
        assert read_config(path)
