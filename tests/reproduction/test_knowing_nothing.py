"""Grey pictures scored by scikit-image, and a colorizer that has learned nothing."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.color import lab2rgb, rgb2lab
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from pretint.reproduction import knowing_nothing, tiny


def test_grey_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knowing_nothing, "EPOCHS", 1)
    tiny.make_scenes(tmp_path / "scenes", 16, 6)
    numbers = {number.id: number for number in knowing_nothing.numbers(tmp_path / "scenes", tmp_path / "run")}
    noise, likeness = [], []
    for record in tiny.records_of(tmp_path / "scenes", "test"):
        with Image.open(record.path) as image:
            original = np.asarray(image)
        lab = rgb2lab(original)
        lab[..., 1:] = 0
        grey = np.rint(lab2rgb(lab) * 255).astype(np.uint8)
        noise.append(peak_signal_noise_ratio(original, grey, data_range=255))
        likeness.append(
            structural_similarity(
                original,
                grey,
                channel_axis=2,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                data_range=255,
            )
        )
    for id, values, step in (("psnr_grey", noise, 0.06), ("ssim_grey", likeness, 0.006)):
        expected = {"mean": np.mean(values), "min": min(values), "max": max(values)}
        assert numbers[id].ours == pytest.approx(expected, abs=step)
        assert numbers[id].status == "explained"
    assert abs(float(numbers["psnr_gain"].ours)) < 0.5  # one step teaches next to nothing
