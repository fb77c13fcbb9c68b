"""Pretraining from folder to run: what is left behind, what is left out, what is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from skimage.color import rgb2lab

import pretint
from pretint.data import looking, scenes
from pretint.errors import DataError, OptionError
from pretint.run_folder import RunFolder
from pretint.training.loop import Loop
from tests.conftest import paint
from tests.experiments.tiny_runs import PRETRAIN

ALLOWED = {".json", ".jsonl", ".safetensors", ".png", ".tsv", ".lock"}


@pytest.fixture(scope="module")
def run(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    out = tmp_path_factory.mktemp("runs") / "deep" / "run"
    options = PRETRAIN | {"pretext": "cgan", "cgan": {"critic_width": 0.1}}
    result = pretint.pretrain(data=pictures, out=out, **options)
    assert result.run == out
    assert result.scores["ab_error"] > 0
    return RunFolder.open(out)


def test_the_run_tells_of_itself(run: RunFolder) -> None:
    manifest = run.manifest
    assert (manifest["kind"], manifest["state"]) == ("pretrain", "finished")
    assert (manifest["data"]["training"], manifest["data"]["held_out"]) == (12, 4)
    assert manifest["options"]["cgan"]["critic_width"] == 0.1
    assert manifest["options"]["loop"]["precision"] == "float32"
    assert manifest["environment"]["pretint"] == pretint.__version__
    assert len(manifest["mean_colour"]) == 2
    kinds = [(entry["kind"], entry["step"]) for entry in run.metrics()]
    assert kinds == [("train", s) for s in (1, 2, 3)] + [("validation", 3)] + [("train", s) for s in (4, 5, 6)] + [
        ("validation", 6)
    ]
    scores = [entry for entry in run.metrics() if entry["kind"] == "validation"]
    best = min(scores, key=lambda entry: entry["ab_error"])
    assert run.pointer("best") == {
        "step": best["step"],
        "score": "ab_error",
        "value": best["ab_error"],
        "epoch": best["epoch"],
    }
    assert run.pointer("last") == {"step": 6}
    assert scores[0]["grey_ab_error"] == scores[1]["grey_ab_error"]  # a baseline does not move


def test_samples_are_grids_of_three_rows(run: RunFolder) -> None:
    names = sorted(path.name for path in (run.path / "samples").iterdir())
    assert names == ["epoch-0001.png", "epoch-0002.png"]
    with Image.open(run.path / "samples" / names[0]) as grid:
        pixels = np.asarray(grid).astype(int)
    assert pixels.shape == (3 * 16, 8 * 16, 3)
    assert np.ptp(pixels[:16], axis=2).max() <= 1  # the first row is grey
    assert np.ptp(pixels[32:], axis=2).max() > 50  # the last is not


def test_nothing_is_a_pickle(run: RunFolder) -> None:
    files = [path for path in run.path.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= ALLOWED
    assert not [path for path in files if path.read_bytes()[:2] in (b"PK", b"\x80\x02", b"\x80\x04", b"\x80\x05")]
    assert not [path for path in files if path.name.endswith(".part")]
    json.loads((run.path / "run.json").read_text())


def test_broken_pictures_are_left_out_and_listed(pictures: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for i in range(20):
        Image.fromarray(paint(i)[0]).save(data / f"{i:02d}.png")
    (data / "20.jpg").write_bytes(b"no picture")
    Image.fromarray(np.full((20, 20, 3), 90, np.uint8)).save(data / "21.png")
    pretint.pretrain(data=data, out=tmp_path / "run", **PRETRAIN | {"most_broken": 0.1, "epochs": 1})
    run = RunFolder.open(tmp_path / "run")
    assert run.manifest["data"]["training"] + run.manifest["data"]["held_out"] == 20
    rows = [line.split("\t")[:2] for line in (run.path / "left_out.tsv").read_text().splitlines()[1:]]
    assert rows == [["20.jpg", "broken"], ["21.png", "grey"]]
    with pytest.raises(pretint.DataError, match=r"1 of 22 pictures cannot be read, more than the 4%.*20\.jpg"):
        pretint.pretrain(data=data, out=tmp_path / "strict", **PRETRAIN | {"most_broken": 0.04})
    (data / "22.png").write_bytes(b"no picture either")
    with pytest.raises(pretint.DataError, match=r"2 of 23 .*\(list: .*strict/left_out\.tsv\).* larger --most-broken"):
        pretint.pretrain(data=data, out=tmp_path / "strict", **PRETRAIN | {"most_broken": 0.04})
    rows = [line.split("\t") for line in (tmp_path / "strict" / "left_out.tsv").read_text().splitlines()[1:]]
    assert [row[:2] for row in rows] == [["20.jpg", "broken"], ["22.png", "broken"]]
    assert all(str(data / identity) in why for identity, _, why in rows)
    (data / "22.png").unlink()
    pretint.pretrain(
        data=data, out=tmp_path / "grey", **PRETRAIN | {"most_broken": 0.1, "keep_grey": True, "epochs": 1}
    )
    data_of = RunFolder.open(tmp_path / "grey").manifest["data"]
    assert data_of["training"] + data_of["held_out"] == 21


@pytest.mark.parametrize("keep_grey", [False, True])
def test_the_mean_colour_is_that_of_the_pictures_of_the_training(keep_grey: bool, tmp_path: Path) -> None:
    """Pictures without colours of things count where they are trained on."""
    data = tmp_path / "data"
    data.mkdir()
    means = []
    for i in range(8):
        rgb = paint(i)[0] if i < 6 else np.repeat(paint(i)[0].mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
        Image.fromarray(rgb).save(data / f"{i}.png")
        means.append(rgb2lab(rgb)[..., 1:].mean(axis=(0, 1)))
    pretint.pretrain(data=data, out=tmp_path / "run", **PRETRAIN | {"epochs": 1, "keep_grey": keep_grey})
    expected = np.mean(means if keep_grey else means[:6], axis=0) / 128
    np.testing.assert_allclose(RunFolder.open(tmp_path / "run").manifest["mean_colour"], expected, atol=0.01)


def test_a_passing_fault_breaks_no_picture_for_good(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that failed for a while: the run that met it goes on as it began; all that begin later look again."""
    files = [path for path in sorted(pictures.rglob("*")) if path.is_file()]
    bad, count = files[0], len(files)
    read_rgb = looking.read_rgb

    def failing(path: Path, at_least: int | None = None) -> np.ndarray:
        if path == bad:
            raise DataError(f"{path}: the picture is damaged or cut off ([Errno 5] Input/output error); remove it")
        return read_rgb(path, at_least)

    def train(name: str, *, most_broken: float, resume: bool = False) -> int:
        options = PRETRAIN | {"epochs": 1, "most_broken": most_broken, "resume": resume}
        pretint.pretrain(data=pictures, out=tmp_path / name, **options)
        data_of = RunFolder.open(tmp_path / name).manifest["data"]
        return int(data_of["training"] + data_of["held_out"])

    with monkeypatch.context() as patch:
        patch.setattr(looking, "read_rgb", failing)
        with pytest.raises(DataError, match="cannot be read"):
            train("strict", most_broken=0)
        assert train("kind", most_broken=0.5) == count - 1
    assert train("kind", most_broken=0.5, resume=True) == count - 1
    assert train("strict", most_broken=0) == count
    assert train("beside", most_broken=0) == count


def test_near_copies_of_test_pictures_are_left_out_and_listed(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    scenes.write(data, 20, seed=0, size=64, splits={"train": 20})
    scenes.write(elsewhere, 8, seed=1, size=64, splits={"train": 4, "test": 4})
    for pool_name, name in (("a.png", "000005.jpg"), ("b.jpg", "000000.jpg")):  # of the test list, and not of it
        with Image.open(elsewhere / "images" / name) as picture:
            picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((48, 80)).save(data / "images" / pool_name)
    Image.new("RGB", (9, 9), "white").save(data / "images" / "white.png")
    options = PRETRAIN | {"split": "all", "epochs": 1, "quiet": False}
    pretint.pretrain(data=data, out=tmp_path / "run", apart_from=[elsewhere], **options)
    run = RunFolder.open(tmp_path / "run")
    rows = [line.split("\t") for line in (run.path / "left_out.tsv").read_text().splitlines()[1:]]
    assert rows == [
        ["images/white.png", "grey", ""],
        ["images/a.png", "copy", str(elsewhere / "images" / "000005.jpg")],
    ]
    assert run.manifest["data"]["training"] + run.manifest["data"]["held_out"] == 21
    said = capsys.readouterr().err
    assert "left out: 0 broken, 1 grey pictures, 1 copies of test pictures of 23" in said
    assert f"1 could not be compared ({data / 'images' / 'white.png'}: hardly more than one grey)" in said
    with pytest.raises(pretint.DataError, match=r"--apart-from: all 4 pictures .* near copies"):
        pretint.pretrain(data=elsewhere, out=tmp_path / "none", apart_from=elsewhere, **options | {"split": "test"})


def test_both_test_lists_of_voc_are_kept_apart(tmp_path: Path) -> None:
    """That of the labels, under Main, and that of the masks, under Segmentation."""
    data, voc = tmp_path / "data", tmp_path / "VOC2012"
    scenes.write(data, 20, seed=0, size=64, splits={"train": 20})
    scenes.write(tmp_path / "others", 4, seed=1, size=64, splits={"train": 4})
    for name in ("JPEGImages", "ImageSets/Main", "ImageSets/Segmentation"):
        (voc / name).mkdir(parents=True)
    for place, name in enumerate("abcd"):
        with Image.open(tmp_path / "others" / "images" / f"00000{place}.jpg") as picture:
            picture.save(voc / "JPEGImages" / f"{name}.jpg")
            picture.resize((50, 50)).save(data / "images" / f"{name}.png")
    for name, lines in {
        "Main/train": "c\n",
        "Main/val": "a\n",
        "Segmentation/train": "d\n",
        "Segmentation/val": "b\na\n",
    }.items():
        (voc / "ImageSets" / f"{name}.txt").write_text(lines)
    pretint.pretrain(data=data, out=tmp_path / "run", apart_from=[voc], **PRETRAIN | {"split": "all", "epochs": 1})
    _, *rows = (tmp_path / "run" / "left_out.tsv").read_text().splitlines()
    assert rows == [f"images/{name}.png\tcopy\t{voc / 'JPEGImages' / name}.jpg" for name in "ab"]


def test_a_run_within_its_own_pictures_goes_on(pictures: Path, tmp_path: Path) -> None:
    shutil.copytree(pictures, tmp_path / "photos")
    out = tmp_path / "photos" / "run"
    for resume in (False, True):
        pretint.pretrain(data=tmp_path / "photos", out=out, resume=resume, **PRETRAIN | {"epochs": 1})
    data = RunFolder.open(out).manifest["data"]
    assert data["training"] + data["held_out"] == sum(path.is_file() for path in pictures.rglob("*"))


def test_an_option_newer_than_the_run_does_not_hinder_a_resume(pictures: Path, tmp_path: Path) -> None:
    pretint.pretrain(data=pictures, out=tmp_path / "run", **PRETRAIN | {"epochs": 1})
    run = RunFolder.open(tmp_path / "run")
    options = dict(run.manifest["options"])
    del options["apart_from"]
    run.update_manifest(options=options)
    pretint.pretrain(data=pictures, out=tmp_path / "run", resume=True, **PRETRAIN | {"epochs": 1})
    with pytest.raises(pretint.RunError, match="--apart-from differs"):
        pretint.pretrain(
            data=pictures, out=tmp_path / "run", resume=True, apart_from=pictures, **PRETRAIN | {"epochs": 1}
        )


@pytest.mark.parametrize(
    ("broken", "grey", "keep_grey", "words"),
    [
        (0, 8, False, "of 8 pictures 8 are grey, so none"),
        (1, 7, False, "of 8 pictures 1 is broken and 7 are grey, so none"),
        (8, 0, False, "of 8 pictures 8 are broken, so none"),
        (8, 0, True, "of 8 pictures 8 are broken, so none"),
    ],
)
def test_pictures_that_teach_no_colour_are_refused(
    broken: int, grey: int, keep_grey: bool, words: str, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for i in range(grey):
        Image.fromarray(paint(i)[0]).convert("L").save(data / f"{i}.png")
    for i in range(broken):
        (data / f"broken{i}.jpg").write_bytes(b"no picture")
    with pytest.raises(pretint.DataError, match=f"{words} is left .*left_out.tsv.; colorization needs .* colour"):
        pretint.pretrain(data=data, out=tmp_path / "run", **PRETRAIN | {"most_broken": 1.0, "keep_grey": keep_grey})
    assert len((tmp_path / "run" / "left_out.tsv").read_text().splitlines()) == 1 + broken + grey


def test_a_run_with_workers_is_the_same_run(run: RunFolder, pictures: Path, tmp_path: Path) -> None:
    options = PRETRAIN | {"pretext": "cgan", "cgan": {"critic_width": 0.1}}
    options = options | {"loop": options["loop"] | {"workers": 2}}
    pretint.pretrain(data=pictures, out=tmp_path / "run", **options)
    both = (run, RunFolder.open(tmp_path / "run"))
    one, two = (load_file(r.checkpoint("last") / "weights.safetensors") for r in both)
    assert one.keys() == two.keys()
    assert all(torch.equal(tensor, two[name]) for name, tensor in one.items())


GROWING = {name: value for name, value in PRETRAIN.items() if name != "unet"} | {
    "size": 32, "epochs": 4, "backbone": "residual", "residual": {"width": 6, "blocks": [1, 1, 1]},
    "loop": PRETRAIN["loop"] | {"first_size": 16},
}  # fmt: skip


@pytest.mark.parametrize("first", [16, 0.5])
def test_sizes_grow_and_end_full(
    first: float, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = []
    step = Loop._train_step
    monkeypatch.setattr(
        Loop, "_train_step", lambda loop, parts: (seen.append(parts[0].rgb.shape[-1]), step(loop, parts))
    )
    asked = GROWING | {"loop": GROWING["loop"] | {"first_size": first}}
    pretint.pretrain(data=pictures, out=tmp_path / "run", quiet=False, **asked)
    assert seen == [16] * 3 + [16] * 3 + [24] * 3 + [32] * 3
    assert "sizes: 16 px from epoch 1, 24 px from epoch 3, 32 px from epoch 4" in capsys.readouterr().err
    with Image.open(tmp_path / "run" / "samples" / "epoch-0001.png") as grid:
        assert grid.height == 3 * 32  # what is looked at has the full size from the first epoch on


def test_a_share_of_the_size_asks_for_no_size_that_the_backbone_does_not_take(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A U-Net of 32 px has a stride of 32."""
    asked = PRETRAIN | {"size": 32, "epochs": 1, "loop": PRETRAIN["loop"] | {"first_size": 0.5}}
    pretint.pretrain(data=pictures, out=tmp_path / "run", quiet=False, **asked)
    assert "sizes: 32 px from epoch 1\n" in capsys.readouterr().err


@pytest.mark.parametrize("first", [-1, 15, 20.5])
def test_first_sizes_that_are_none(first: float, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"--loop\.first-size .*: must be 16 or more whole pixels"):
        pretint.pretrain(data=pictures, out=tmp_path, **GROWING | {"loop": GROWING["loop"] | {"first_size": first}})


def test_sizes_that_the_backbone_does_not_take_are_refused(pictures: Path, labelled: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(OptionError, match=r"multiple of 32, the coarsest stride.*--backbone residual"):
        pretint.pretrain(data=pictures, out=out, **PRETRAIN | {"size": 32, "loop": GROWING["loop"]})
    with pytest.raises(OptionError, match="multiple of 8"):
        pretint.pretrain(data=pictures, out=out, **GROWING | {"loop": {**GROWING["loop"], "first_size": 20}})
    with pytest.raises(OptionError, match="must not be above --size 32"):
        pretint.pretrain(data=pictures, out=out, **GROWING | {"loop": {**GROWING["loop"], "first_size": 40}})
    task = {name: value for name, value in GROWING.items() if name != "pretext"} | {"multilabel": {"head": "paper"}}
    with pytest.raises(OptionError, match=r"--multilabel\.head pooled"):
        pretint.finetune(task="multilabel", data=labelled, out=out, **task)
    assert not out.exists()


def test_a_second_run_beside_the_first_looks_at_no_picture(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []
    read = looking.read_rgb
    monkeypatch.setattr(looking, "read_rgb", lambda where, at_least: (opened.append(where), read(where, at_least))[1])
    for name, expected in (("one", 16), ("two", 0)):
        opened.clear()
        pretint.pretrain(data=pictures, out=tmp_path / name, **PRETRAIN)
        assert len(opened) == expected
    (tmp_path / "one" / "run.json").write_text("damaged")  # and what the first knows is the second's own by now
    pretint.pretrain(data=pictures, out=tmp_path / "three", **PRETRAIN)
    assert opened == []


@pytest.mark.parametrize("pretext", ["regression", "cgan", "color_bins"])
def test_a_residual_network_of_one_stage(pretext: str, pictures: Path, tmp_path: Path) -> None:
    """The hypercolumn refuses it; what its sentence names is taken, by the same folder."""
    out = tmp_path / "run"
    asked = {name: value for name, value in PRETRAIN.items() if name != "unet"} | {
        "epochs": 1, "pretext": pretext, "backbone": "residual", "residual": {"width": 8, "blocks": [1]},
    }  # fmt: skip
    with pytest.raises(OptionError, match=r"--residual\.blocks: the hypercolumn needs .* two stages .*--decoder unet"):
        pretint.pretrain(data=pictures, out=out, **asked)
    for name, mended in {"run": {"decoder": "unet"}, "two": {"residual": {"width": 8, "blocks": [1, 1]}}}.items():
        assert pretint.pretrain(data=pictures, out=tmp_path / name, **asked | mended).scores
