import pytest


@pytest.fixture
def one_thread():
    """Networks this small lose more to their threads than they gain, above all where others are busy too."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
