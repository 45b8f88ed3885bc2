from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """Twelve frames of 128x96, grey with a bar that moves, and B-frames."""
    import av
    import numpy as np

    path = tmp_path_factory.mktemp("clip") / "bar.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for index in range(12):
            picture = np.full((96, 128, 3), 90, np.uint8)
            picture[:, 8 * index : 8 * index + 16] = (200, 40, 60)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        output.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def sample():
    path = Path(__file__).parents[2] / "samples" / "street.mp4"
    if not path.is_file():
        pytest.skip("the sample is not here")
    return path
