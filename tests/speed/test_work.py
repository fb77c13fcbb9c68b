"""What a step must do, against arithmetic on the paper's layers."""

import pytest

from pretint.speed.work import Work, values_of, work_of


def unet(size: int) -> int:
    """Multiply-adds of the paper's generator: 4x4 taps, channels 64 to 512, a level a halving."""
    channels = [1]
    total, side = 0, size
    while side > 1:
        side //= 2
        after = min(64 * 2 ** (len(channels) - 1), 512)
        total += side * side * 16 * channels[-1] * after
        channels.append(after)
    before = channels[-1]
    for skip in reversed(channels[1:-1]):
        total += side * side * 16 * before * skip  # a transposed convolution counts its inputs
        before, side = 2 * skip, 2 * side
    return total + side * side * 16 * before * 2


def discriminator(size: int) -> int:
    total, side, before = 0, size, 3
    for after in (64, 128, 256, 512):
        side //= 2
        total += side * side * 16 * before * after
        before = after
    return total + side * side * 16 * (512 * 512 + 512)


def test_the_papers_step() -> None:
    """Three passes of the generator, eight of the discriminator, without the first layers' gradients of the pictures."""
    first, firsts = 128 * 128 * 16 * 64, 2 * 128 * 128 * 16 * 3 * 64
    passes = 3 * unet(256) - first + 8 * discriminator(256) - firsts
    found = work_of(values_of("paper"))
    assert found.flop == 2 * passes
    assert found.flop == pytest.approx(79.4e9, rel=1e-3)
    assert found.bytes == 28 * (54_415_362 + 6_962_369)  # the authors' own counts of their networks


def test_roofline() -> None:
    """Eight pictures of 10 operations at 20 a second, and 6 bytes at 3 a second."""
    assert Work(10, 6).seconds(8, 20, 3) == 6.0


def test_changes_are_laid_over_the_recipe() -> None:
    values = values_of("small", unet={"width": 0.25})
    assert (values["unet"], values["size"], values["cgan"]["critic_width"]) == ({"width": 0.25}, 128, 0.5)
