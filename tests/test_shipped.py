"""The name of the shipped model: it stands for the package's file in every verb, and never for a folder of that name."""

import os
import runpy
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import pretint
from pretint import shipped
from pretint.cli import main
from pretint.errors import OptionError, WeightsError
from pretint.experiments.architecture import architecture_of, is_foreign
from pretint.run_folder import RunFolder
from pretint.studies.arms import resolve
from pretint.studies.checks import weights_of
from tests.experiments.tiny_runs import FINETUNE

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def folder(coloring_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the package would hold: a tiny model in half precision, and what is kept of its training."""
    folder = tmp_path_factory.mktemp("package") / "model"
    folder.mkdir()
    pretint.export(coloring_run, folder / "weights.safetensors", half=True)
    for name in ("run.json", "metrics.jsonl", "best.json"):
        shutil.copy(coloring_run / name, folder)
    return folder


@pytest.fixture
def model(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package has a model, and one works in an empty folder."""
    monkeypatch.setattr(shipped, "folder", lambda: folder)
    monkeypatch.chdir(tmp_path)
    return folder / "weights.safetensors"


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_colorize_needs_no_option(model: Path, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["colorize", str(pictures / "00.png")]) == 0
    assert capsys.readouterr().out == "1 coloured picture in coloured\n"
    pretint.colorize(pictures / "00.png", out="by file", model=model)
    assert np.array_equal(pixels(Path("coloured/00.png")), pixels(Path("by file/00.png")))


def test_a_picture_that_cannot_be_coloured_is_no_success(
    model: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.png").write_bytes((pictures / "00.png").read_bytes()[:200])
    assert main(["colorize", str(pictures / "00.png"), str(tmp_path / "broken.png")]) == 2
    told = capsys.readouterr()
    assert told.out == "1 coloured picture in coloured\n"
    assert "1 picture could not be coloured" in told.err


def test_evaluate_says_where_it_cannot_tell_what_was_trained_on(
    model: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "pretint", "--data", str(pictures)]) == 0
    assert "cannot be told" in capsys.readouterr().err


def test_evaluate_embed_and_load(model: Path, pictures: Path) -> None:
    assert pretint.evaluate("pretint", data=pictures) == pretint.evaluate(model, data=pictures)
    named, filed = (pretint.embed(m, pictures, out=o) for m, o in (("pretint", "a"), (model, "b")))
    assert all(np.array_equal(table, filed.features[stride]) for stride, table in named.features.items())
    rgb = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    one, other = (pretint.load_backbone(m).eval()(rgb) for m in ("pretint", model))
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_finetune_from_it(model: Path, masked: Path) -> None:
    """Size and backbone are taken over, as from a run; the decoder comes along."""
    options = {key: value for key, value in FINETUNE.items() if key not in ("size", "backbone", "unet")}
    result = pretint.finetune(data=masked, out="run", init="pretint", **options | {"epochs": 1})
    manifest = RunFolder.open(result.run).manifest
    assert (manifest["options"]["size"], manifest["options"]["unet"]["width"]) == (16, 0.1)
    assert manifest["options"]["init"] == "pretint"
    assert manifest["loaded"]["parts"] == ["backbone", "decoder"]
    assert result.loaded > 0.9


def test_an_arm_of_a_study(model: Path) -> None:
    told = architecture_of("pretint")
    assert told == architecture_of(str(model))
    assert not is_foreign("pretint")
    base: dict[str, Any] = {**told, "seed": 0, "seeds": 5, "unet": {**told["unet"], "planes": "L"}}
    arms = resolve(["pretint"], base)
    assert [(arm.name, arm.inits, arm.reference) for arm in arms] == [
        ("scratch", ("scratch",), None), ("pretint", ("pretint",), "scratch"),
    ]  # fmt: skip
    assert weights_of(arms)["pretint"] == weights_of(resolve([str(model)], base))[str(model)]


def test_describe_and_report(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = pretint.describe("pretint")
    assert told["weights"]["bytes"] == model.stat().st_size
    assert told["weights"]["settings"]["accurate"]["decoding"].keys() == {"temperature", "uniform", "gain"}
    assert told["networks"] == pretint.describe(RunFolder.open(model.parent).path)["networks"]
    assert main(["describe", "pretint"]) == 0
    assert "setting accurate: temperature 1" in capsys.readouterr().out
    assert main(["report", "pretint"]) == 2
    assert "--out: is missing; the page of pretint needs a name" in capsys.readouterr().err
    assert "Pretraining" in pretint.report("pretint", out="page.html").read_text()


def test_a_folder_of_that_name(model: Path, coloring_run: Path, pictures: Path) -> None:
    """A path is a path. The bare name is the model, and is refused where it could be a run as well."""
    Path("pretint").mkdir()
    assert shipped.where("pretint") == model
    shutil.copytree(coloring_run, "pretint", dirs_exist_ok=True)
    for one in ("./pretint", Path("pretint"), coloring_run):
        assert shipped.where(one) == Path(one)
        assert shipped.as_text(one) == ("./pretint" if one == Path("pretint") else str(one))
    with pytest.raises(OptionError, match=r"^pretint: is the name of the model .* write \./pretint for the run"):
        pretint.load_backbone("pretint")
    own = pretint.evaluate(Path("pretint"), data=pictures)
    assert own == pretint.evaluate("./pretint", data=pictures) == pretint.evaluate(coloring_run, data=pictures)


@pytest.mark.parametrize("arguments", ["colorize a.jpg", "evaluate pretint --data .", "describe pretint", "finetune --task multilabel --data . --init pretint --out o", "compare --task multilabel --data . --arms pretint --out o"])  # fmt: skip
def test_a_package_without_a_model(
    arguments: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shipped, "folder", lambda: tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    assert main(arguments.split()) == 2
    sentence = (
        "pretint: this installation carries no trained model; train one with pretint pretrain, and name its folder"
    )
    assert capsys.readouterr().err.startswith(f"pretint: {sentence}")
    with pytest.raises(WeightsError, match="carries no trained model"):
        pretint.load_backbone("pretint")


@pytest.mark.long
def test_the_wheel_carries_everything(folder: Path, pictures: Path, tmp_path: Path) -> None:
    """Every file of the package but bytecode, the model among them; unpacked, it colours a photo."""
    source = tmp_path / "source"
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    if not (source / "src/pretint/model").exists():
        shutil.copytree(folder, source / "src/pretint/model")
        (source / "src/pretint/model/MODEL.md").write_text("# The model\n")
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "-w",
        str(tmp_path),
    ]
    subprocess.run([*build, str(source)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "unpacked")
    there = {p.relative_to(source / "src") for p in (source / "src/pretint").rglob("*") if p.is_file()}
    unpacked = tmp_path / "unpacked"
    assert there == {p.relative_to(unpacked) for p in (unpacked / "pretint").rglob("*") if p.is_file()}
    done = subprocess.run(
        [sys.executable, "-m", "pretint", "colorize", str(pictures / "00.png")],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(unpacked)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "1 coloured picture in coloured\n"
    assert (tmp_path / "coloured/00.png").is_file()


@pytest.mark.long
def test_shipping(coloring_run: Path, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The developer's command writes a folder that the name can stand for, and a card with the scores of the test pictures."""
    into = tmp_path / "model"
    licence = "Made by a test."
    arguments = [str(coloring_run), "--test", str(labelled), "--licence", licence, "--into", str(into)]
    monkeypatch.setattr(sys, "argv", ["ship.py", *arguments])
    runpy.run_path(str(ROOT / "benchmarks/ship.py"), run_name="__main__")
    assert {path.name for path in into.iterdir()} == {
        "weights.safetensors", "MODEL.md", "run.json", "metrics.jsonl", "best.json",
    }  # fmt: skip
    monkeypatch.setattr(shipped, "folder", lambda: into)
    monkeypatch.chdir(tmp_path)
    scores = pretint.evaluate("pretint", data=labelled)
    text = (into / "MODEL.md").read_text()
    for row in (scores["model"], scores["grey"], scores["mean_colour"]):
        assert f"| {row['psnr']['mean']:.2f} (" in text
    assert licence in text
    for path in into.iterdir():
        assert str(coloring_run.parent).encode() not in path.read_bytes()
    with pytest.raises(SystemExit, match="holds a model already; --replace"):
        runpy.run_path(str(ROOT / "benchmarks/ship.py"), run_name="__main__")
