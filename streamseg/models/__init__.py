"""What can segment: the registry, the architectures, the checkpoints."""

from streamseg.models.registry import ModelEntry, list_models, load_model

__all__ = ["ModelEntry", "list_models", "load_model"]
