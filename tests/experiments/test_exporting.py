"""Exporting: the file colours as its run does, says what it is and not where it was made, and drops what only training needs."""

import json
import shutil
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

import pretint
from pretint.cli import main
from pretint.data.feed import once
from pretint.data.record import Record
from pretint.data.views import ViewOptions
from pretint.errors import DataError, OptionError, ResourceError, RunError, WeightsError
from pretint.experiments import exporting
from pretint.experiments.exporting import held_out_pictures
from pretint.inference.models import load_pretext, open_trained
from pretint.pretexts.pretext import ColorError, ColorizationPretext
from pretint.run_folder import RunFolder
from tests.experiments.tiny_runs import PRETRAIN


@pytest.fixture(scope="module")
def exported(coloring_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "mine.safetensors"
    pretint.export(coloring_run, out, half=True)
    return out


@pytest.fixture(scope="module")
def gan(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("gan") / "run"
    options = PRETRAIN | {"pretext": "cgan", "epochs": 1, "cgan": {"critic_width": 0.1}}
    pretint.pretrain(data=pictures, out=out, **options)
    return out


def tensors_of(run: Path) -> dict[str, torch.Tensor]:
    return load_file(RunFolder.open(run).checkpoint("best") / "weights.safetensors")


def coloured(model: Path, picture: Path, out: Path, **options: Any) -> np.ndarray:
    (written,) = pretint.colorize(picture, out=out, model=model, **options).written
    with Image.open(written) as image:
        return np.asarray(image).astype(int)


def test_parameters_are_halved_and_statistics_are_not(coloring_run: Path, exported: Path) -> None:
    before, after = tensors_of(coloring_run), load_file(exported)
    assert after.keys() == before.keys()
    kinds = {name.rpartition(".")[2]: tensor.dtype for name, tensor in after.items()}
    assert kinds == {
        "weight": torch.float16, "bias": torch.float16,
        "running_mean": torch.float32, "running_var": torch.float32, "num_batches_tracked": torch.int64,
    }  # fmt: skip
    loaded = open_trained(exported).tensors
    for name, tensor in before.items():
        assert loaded[name].dtype == tensor.dtype
        # A half has 11 bits, and steps of 2 ** -24 near 0.
        error = 0.0 if after[name].dtype == tensor.dtype else 2**-11
        torch.testing.assert_close(loaded[name], tensor, rtol=error, atol=error * 2**-13)
    assert all(p.dtype == torch.float32 for p in load_pretext(exported)[0].parameters())
    assert exported.stat().st_size < 0.7 * sum(t.numel() * t.element_size() for t in before.values())


def test_what_does_not_fit_into_half_precision_stays() -> None:
    assert exporting._halved(torch.tensor([1.0, 7e4])).dtype == torch.float32
    assert exporting._halved(torch.tensor([1.0, 6e4])).dtype == torch.float16


def test_without_half_every_bit_stays(coloring_run: Path, tmp_path: Path) -> None:
    result = pretint.export(coloring_run, tmp_path / "mine.safetensors")
    before, after = tensors_of(coloring_run), load_file(result.path)
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert result.bytes == result.path.stat().st_size
    assert "check" not in result.description


def test_a_critic_is_left_out_and_the_rest_works(gan: Path, masked: Path, tmp_path: Path, rgb: torch.Tensor) -> None:
    file = tmp_path / "gan.safetensors"
    result = pretint.export(gan, file)
    assert result.description["dropped"] == ["discriminator"]
    names = {name.partition(".")[0] for name in load_file(file)}
    assert names == {"generator"}
    one, other = (pretint.load_backbone(source)(rgb) for source in (gan, file))
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert set(pretint.describe(file)["networks"]) == {"generator"}
    again = pretint.export(file, tmp_path / "again.safetensors").description
    assert again["dropped"] == ["discriminator"]
    assert again["settings"] == result.description["settings"]


@pytest.fixture
def rgb() -> torch.Tensor:
    return torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_the_file_does_not_say_where_it_was_made(coloring_run: Path, exported: Path, pictures: Path) -> None:
    with safe_open(exported, "numpy") as file:
        text = file.metadata()["pretint"]
    description = json.loads(text)
    assert str(pictures.parent) not in text
    assert str(coloring_run.parent) not in text
    assert description["options"]["data"] == ["pictures"]
    assert description["options"]["out"] == "coloring"
    assert description["data"]["folders"] == ["pictures"]

    def strings(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [text for one in value.values() for text in strings(one)]
        if isinstance(value, list):
            return [text for one in value for text in strings(one)]
        return [value] if isinstance(value, str) else []

    assert not [text for text in strings(description) if Path(text).is_absolute()]
    manifest = RunFolder.open(coloring_run).manifest
    for name in ("environment", "mean_colour", "seconds"):
        assert description[name] == manifest[name]
    assert description["data"]["training"] == 12
    assert pretint.evaluate(exported, data=pictures)["trained_on_these"] is None


def test_the_pictures_that_were_held_out(coloring_run: Path) -> None:
    """The score of the best checkpoint on them is the one that the training noted."""
    run = RunFolder.open(coloring_run)
    records = held_out_pictures(run)
    assert len(records) == 4
    pretext, trained = load_pretext(coloring_run)
    meter = ColorError(pretext)
    with torch.no_grad():
        for batch in once(records, size=16, view=ViewOptions(**trained.options["view"]), batch_size=4):
            meter.update(batch)
    assert meter.compute()["ab_error"] == pytest.approx(run.pointer("best")["value"], rel=1e-5)  # type: ignore[index]


def test_pictures_that_have_changed(pictures: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(pictures, tmp_path / "data"))
    run = tmp_path / "run"
    pretint.pretrain(data=data, out=run, **PRETRAIN | {"epochs": 1})
    (data / "00.png").unlink()
    with pytest.raises(RunError, match=r"pictures have changed since it was trained.*name others with --tune"):
        pretint.export(run, tmp_path / "a.safetensors")
    told = pretint.export(run, tmp_path / "a.safetensors", tune=pictures).description
    assert told["chosen_on"] == {"pictures": 16, "which": "pictures"}
    alone = shutil.copy(RunFolder.open(run).checkpoint() / "weights.safetensors", tmp_path / "alone.safetensors")
    assert "settings" not in pretint.export(alone, tmp_path / "b.safetensors", half=True, check=pictures).description


def test_the_pictures_that_were_held_out_are_found_from_elsewhere(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(pictures, tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    pretint.pretrain(data="data", out="run", **PRETRAIN | {"epochs": 1})
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    told = pretint.export(tmp_path / "run", "a.safetensors").description
    assert told["chosen_on"] == {"pictures": 4, "which": "held out by the training"}


def test_large_pictures_are_held_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 512 x 768 pixels each has the mean of four; no two are there at full size when a third is read."""
    draws = np.random.default_rng(0)
    records = [Record(f"{i}.png", tmp_path / f"{i}.png") for i in range(4)]
    full = draws.integers(0, 256, (4, 512, 768, 3), dtype=np.uint8)
    alive: list[weakref.ref[np.ndarray]] = []

    def read(where: Path) -> np.ndarray:
        assert sum(one() is not None for one in alive) < 2
        rgb = full[int(where.stem)].copy()
        alive.append(weakref.ref(rgb))
        return rgb

    monkeypatch.setattr(exporting, "read_rgb", read)
    small = np.stack(exporting._pictures(records, print))
    means = full.reshape(4, 256, 2, 384, 2, 3).mean(axis=(2, 4))
    assert np.abs(small - means).max() <= 1  # Pillow rounds once for each axis


def test_pictures_that_cannot_be_read_are_named_and_choose_nothing(
    coloring_run: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = Path(shutil.copytree(pictures, tmp_path / "whole"))
    broken = Path(shutil.copytree(pictures, tmp_path / "broken"))
    (broken / "00-empty.png").touch()
    for data in (whole, broken):
        assert main(["export", str(coloring_run), f"{data}.safetensors", "--tune", str(data)]) == 0
    assert f"left out: {broken / '00-empty.png'}: the file is empty" in capsys.readouterr().err
    told = [open_trained(f"{data}.safetensors").description for data in (whole, broken)]
    assert told[0]["settings"] == told[1]["settings"]
    assert told[0]["chosen_on"] | {"which": "broken"} == told[1]["chosen_on"]
    shutil.rmtree(broken)
    broken.mkdir()
    (broken / "cut.png").write_bytes((whole / "00.png").read_bytes()[:100])
    with pytest.raises(DataError, match=r"cut\.png: the picture is damaged or cut off"):
        pretint.export(coloring_run, tmp_path / "none.safetensors", tune=broken)
    assert not (tmp_path / "none.safetensors").exists()


def test_a_folder_that_cannot_be_made_is_told_before_the_settings_are_chosen(
    coloring_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "choose", None)
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match="file: cannot be written"):
        pretint.export(coloring_run, tmp_path / "file" / "a.safetensors")


def test_half_precision_that_costs_too_much(
    coloring_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoilt(tensor: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(tensor).half()

    monkeypatch.setattr(exporting, "_halved", spoilt)
    with pytest.raises(
        WeightsError, match=r"in half precision its setting accurate loses \d+\.\d\d dB, more than 0\.1"
    ):
        pretint.export(coloring_run, tmp_path / "a.safetensors", half=True)
    assert list(tmp_path.iterdir()) == []


def test_the_command_tells_what_it_did(
    gan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], pictures: Path
) -> None:
    out = tmp_path / "a.safetensors"
    assert main(["export", str(gan), str(out), "--half", "--check", str(pictures)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "left out, since only the training needs it: discriminator"
    assert any(line.startswith("half precision, accurate: PSNR ") for line in lines)
    assert lines[-1] == f"{out}: {out.stat().st_size / 1e6:.1f} MB"
    assert main(["export", str(gan), str(out)]) == 2
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("run", "name", "error", "words"),
    [
        ("multilabel_run", "a.safetensors", WeightsError, "holds a run of pretint finetune"),
        ("coloring_run", "a.pt", OptionError, "a name that ends in .safetensors"),
    ],
)
def test_what_cannot_be_exported(
    run: str, name: str, error: type[Exception], words: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with pytest.raises(error, match=words):
        pretint.export(request.getfixturevalue(run), tmp_path / name)


def test_settings_are_used(coloring_run: Path, exported: Path, pictures: Path, tmp_path: Path) -> None:
    """Each colours by the gain that the file says; a run that was not exported has the first alone."""
    picture = pictures / "00.png"
    settings = pretint.export(coloring_run, tmp_path / "full.safetensors").description["settings"]
    assert settings["vivid"]["decoding"]["gain"] > settings["accurate"]["decoding"]["gain"]
    pretext, _ = load_pretext(coloring_run)
    assert isinstance(pretext, ColorizationPretext)
    accurate, vivid = (coloured(exported, picture, tmp_path / s, setting=s) for s in ("accurate", "vivid"))
    assert np.ptp(vivid, axis=2).mean() > np.ptp(accurate, axis=2).mean()
    with pytest.raises(
        OptionError, match=r"--setting vivid: was not chosen for .*coloring yet; pretint export chooses"
    ):
        coloured(coloring_run, picture, tmp_path / "run", setting="vivid")


def test_pictures_that_are_gone(pictures: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(pictures, tmp_path / "data"))
    pretint.pretrain(data=data, out=tmp_path / "run", **PRETRAIN | {"epochs": 1, "validation": 4})
    data.rename(tmp_path / "moved")
    with pytest.raises(RunError, match=r"run: the pictures that it held out are not there.*name others with --tune"):
        pretint.export(tmp_path / "run", tmp_path / "file.safetensors")


def test_a_check_of_nothing_is_refused(coloring_run: Path, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="add --half"):
        pretint.export(coloring_run, tmp_path / "file.safetensors", check=pictures)
