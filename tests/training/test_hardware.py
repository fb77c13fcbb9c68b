"""What ``auto`` takes, on machines that are made up."""

from typing import Literal

import pytest
import torch

from pretint.errors import OptionError
from pretint.training import hardware
from pretint.training.hardware import choose_precision, kind_of_device
from pretint.training.options import LoopOptions


@pytest.fixture
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With so many GPUs of Nvidia and of Apple, bf16 on the former or not, and flags of the CPU."""
    cuda, supported, mps, flags = request.param

    def has_bf16(including_emulation: bool = True) -> bool:
        return supported or including_emulation  # torch emulates it on old GPUs, slowly

    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", has_bf16)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: bool(mps))
    monkeypatch.setattr(hardware, "_cpu_flags", lambda: flags)


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("machine", "accelerator", "kind", "precision"),
    [
        ((1, True, 0, set()), "auto", "cuda", "bf16"),
        ((2, False, 0, {"amx_bf16"}), "auto", "cuda", "float32"),
        ((1, True, 0, {"avx2"}), "cpu", "cpu", "float32"),
        ((0, False, 1, {"amx_bf16"}), "auto", "mps", "float32"),
        ((0, False, 0, {"avx2", "avx512_bf16"}), "auto", "cpu", "bf16"),
        ((0, False, 0, {"amx_bf16", "amx_tile"}), "auto", "cpu", "bf16"),
        ((0, False, 0, {"avx512f", "avx2"}), "auto", "cpu", "float32"),
    ],
    indirect=["machine"],
)
def test_auto_takes_what_the_machine_is_fast_in(
    accelerator: Literal["auto", "cpu", "cuda", "mps"], kind: str, precision: str
) -> None:
    fixed: Literal["float32", "bf16"]
    asked = LoopOptions(accelerator=accelerator, precision="auto")
    assert kind_of_device(asked) == kind
    assert choose_precision(asked)[0] == precision
    for fixed in ("float32", "bf16"):
        given = LoopOptions(accelerator=accelerator, precision=fixed)
        assert choose_precision(given) == (fixed, "asked for")


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("machine", [(0, False, 0, set())], indirect=True)
def test_a_gpu_that_is_not_there_is_an_error() -> None:
    with pytest.raises(OptionError, match=r"--loop\.accelerator cuda: this torch finds no such GPU"):
        choose_precision(LoopOptions(accelerator="cuda"))


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("machine", [(1, True, 0, set())], indirect=True)
def test_more_gpus_than_there_are_is_an_error() -> None:
    with pytest.raises(OptionError, match=r"--loop\.devices 2: here is only 1"):
        kind_of_device(LoopOptions(devices=2))
