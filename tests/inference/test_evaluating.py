"""Scores against scikit-image and scikit-learn on the files that `colorize` and `predict` write."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import lab2rgb, rgb2lab
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from sklearn.metrics import accuracy_score, average_precision_score, f1_score

import pretint
from pretint.cli import main
from pretint.data.feed import Batch
from pretint.errors import DataError, WeightsError
from pretint.inference.applying import picture_logits
from pretint.inference.colorizing import TrainedColorizer
from pretint.inference.evaluating import evaluate_task
from pretint.inference.models import load_task
from pretint.run_folder import RunFolder
from tests.conftest import paint
from tests.experiments.tiny_runs import FINETUNE, PRETRAIN

SIZES = [(40, 48), (33, 61), (50, 20), (11, 11)]


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def spread(values: list[float]) -> Any:
    return pytest.approx({"mean": np.mean(values), "min": min(values), "max": max(values)}, rel=2e-3)


def colourfulness(rgb: np.ndarray) -> float:
    """Hasler and Suesstrunk 2003, equation 10."""
    r, g, b = rgb.reshape(-1, 3).astype(float).T
    rg, yb = r - g, (r + g) / 2 - b
    return float(np.sqrt(rg.var() + yb.var()) + 0.3 * np.sqrt(rg.mean() ** 2 + yb.mean() ** 2))


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    return float(
        structural_similarity(
            one, other, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
        )
    )


def curves(pairs: list[tuple[np.ndarray, np.ndarray]]) -> tuple[list[float], float]:
    """Zhang's raw area of each picture from 3,001 thresholds, and the mean over true colours of theirs, with bins of 10."""
    thresholds = np.linspace(0, 150, 3001)
    areas, errors, bins = [], [], []
    for original, coloured in pairs:
        true, ab = (rgb2lab(rgb)[..., 1:].reshape(-1, 2) for rgb in (original, coloured))
        errors.append(np.sqrt(((true - ab) ** 2).sum(axis=1)))
        bins.append(np.rint(true / 10))
        curve = [(errors[-1] <= t).mean() for t in thresholds]
        areas.append(float(np.trapezoid(curve, thresholds) / 150))
    everything, places = np.concatenate(errors), np.concatenate(bins)
    _, place = np.unique(places, axis=0, return_inverse=True)
    by_colour = [(1 - everything[place == k].clip(max=150) / 150).mean() for k in range(place.max() + 1)]
    return areas, float(np.mean(by_colour))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four pictures, and one that is too small to be scored."""
    folder = tmp_path_factory.mktemp("data") / "photos"
    folder.mkdir()
    for i, size in enumerate(SIZES):
        Image.fromarray(paint(70 + i, *size)[0]).save(folder / f"{i}.png")
    Image.fromarray(paint(80, 10, 40)[0]).save(folder / "small.png")
    return folder


def test_colorization(coloring_run: Path, photos: Path, tmp_path: Path) -> None:
    result = pretint.evaluate(coloring_run, data=photos)
    pretint.colorize(photos, out=tmp_path / "out", model=coloring_run, precision="float32")
    mean = np.array(RunFolder.open(coloring_run).manifest["mean_colour"]) * 128
    originals = [pixels(photos / f"{i}.png") for i in range(len(SIZES))]

    def in_one_colour(rgb: np.ndarray, ab: Any) -> np.ndarray:
        lab = rgb2lab(rgb)
        lab[..., 1:] = ab
        return np.rint(lab2rgb(lab) * 255).astype(np.uint8)

    rows: dict[str, Callable[[int], np.ndarray]] = {
        "model": lambda i: pixels(tmp_path / "out" / f"{i}.png"),
        "grey": lambda i: in_one_colour(originals[i], 0),
        "mean_colour": lambda i: in_one_colour(originals[i], mean),
    }
    with np.errstate(all="ignore"):
        for name, coloured in rows.items():
            pairs = [(original, coloured(i)) for i, original in enumerate(originals)]
            row = result[name]
            assert row["psnr"] == spread([peak_signal_noise_ratio(a, b, data_range=255) for a, b in pairs]), name
            assert row["ssim"] == spread([similarity(a, b) for a, b in pairs]), name
            if name == "grey":  # but for the rounding of its channels
                assert row["colourfulness"]["max"] < 0.5
            else:
                assert row["colourfulness"] == spread([colourfulness(b) for _, b in pairs]), name
                differences = [colourfulness(b) - colourfulness(a) for a, b in pairs]
                assert row["colourfulness_difference"]["mean"] == pytest.approx(
                    np.mean(differences), rel=2e-3, abs=0.02
                )
            areas, balanced = curves(pairs)
            assert row["auc"] == spread(areas), name
            assert row["auc_balanced"] == pytest.approx(balanced, rel=2e-3), name
    assert result["original"] == {"colourfulness": spread([colourfulness(rgb) for rgb in originals])}
    assert result["pictures"] == 4
    assert result["left_out"] == {"grey": 0, "small": 1, "unreadable": 0}
    assert result["split"] == "all"
    assert not result["trained_on_these"]


@pytest.fixture(scope="module")
def random_run(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pretraining whose dropout stays on, as the authors' does."""
    out = tmp_path_factory.mktemp("tiny") / "random"
    unet = PRETRAIN["unet"] | {"dropout_at_inference": True}
    pretint.pretrain(data=pictures, out=out, **PRETRAIN | {"unet": unet, "regression": {"rate": 5e-3}})
    return out


def test_dropout_is_drawn_as_colorize_draws_it(random_run: Path, photos: Path, tmp_path: Path) -> None:
    """So that scores are those of the written files, time and again; and no random number of the caller's is used up."""
    result = pretint.evaluate(random_run, data=photos)
    pretint.colorize(photos, out=tmp_path / "out", model=random_run, precision="float32")
    pairs = [(pixels(photos / f"{i}.png"), pixels(tmp_path / "out" / f"{i}.png")) for i in range(len(SIZES))]
    psnr = [peak_signal_noise_ratio(one, other, data_range=255) for one, other in pairs]
    assert result["model"]["psnr"] == pytest.approx({"mean": np.mean(psnr), "min": min(psnr), "max": max(psnr)}, 1e-6)
    assert result["model"] == pretint.evaluate(random_run, data=photos)["model"]
    colorizer = TrainedColorizer(random_run)
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    colorizer(torch.zeros(1, 1, 16, 16), seed=0)
    assert torch.equal(torch.rand(1), expected)


def test_vivid_colours_and_equal_pictures(coloring_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PSNR is cut at 100 dB, where a picture is met to the bit; colourfulness is not."""
    vivid = np.zeros((40, 40, 3), np.uint8)
    vivid[:20, :, 0] = vivid[20:, :, 2] = 255
    assert colourfulness(vivid) > 150
    (tmp_path / "data").mkdir()
    Image.fromarray(vivid).save(tmp_path / "data" / "a.png")
    monkeypatch.setattr("pretint.inference.evaluating.recolour", lambda rgb, ab: rgb)
    result = pretint.evaluate(coloring_run, data=tmp_path / "data")
    assert result["model"]["psnr"]["mean"] == 100
    assert result["model"]["colourfulness"]["mean"] == pytest.approx(colourfulness(vivid))


def test_pictures_that_are_too_small(coloring_run: Path, tmp_path: Path) -> None:
    Image.fromarray(paint(0, 10, 40)[0]).save(tmp_path / "a.png")
    with pytest.raises(pretint.DataError, match="at least 11 pixels"):
        pretint.evaluate(coloring_run, data=tmp_path)


def test_grey_originals_count_in_no_score(
    coloring_run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each would be 100 dB in the grey row; sepia stays, since it has a colour to be met."""
    data = Path(shutil.copytree(photos, tmp_path / "data"))
    lightness = np.asarray(Image.fromarray(paint(90)[0]).convert("L"))[..., None]
    Image.fromarray(np.repeat(lightness, 3, axis=2)).save(data / "grey.png")
    Image.fromarray(lightness[..., 0]).save(data / "grey of one plane.png")
    result = pretint.evaluate(coloring_run, data=data)
    assert result == {
        **pretint.evaluate(coloring_run, data=photos),
        "left_out": {"grey": 2, "small": 1, "unreadable": 0},
    }
    assert main(["evaluate", str(coloring_run), "--data", str(data)]) == 0
    assert "left out of the scores: 2 grey pictures, 1 below 11 pixels a side\n" in capsys.readouterr().err

    Image.fromarray((lightness * [1.0, 0.85, 0.65]).astype(np.uint8)).save(data / "sepia.png")
    assert pretint.evaluate(coloring_run, data=data)["pictures"] == result["pictures"] + 1
    for path in data.iterdir():
        if not path.name.startswith(("grey", "small")):
            path.unlink()
    with pytest.raises(
        pretint.DataError, match=r"no picture here has colour .*\(2 are grey, 1 smaller, 0 cannot be read\)"
    ):
        pretint.evaluate(coloring_run, data=data)


def test_pictures_that_cannot_be_read_are_named_and_the_others_scored(
    coloring_run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = Path(shutil.copytree(photos, tmp_path / "data"))
    whole = (data / "0.png").read_bytes()
    (data / "0-cut.png").write_bytes(whole[: len(whole) // 2])
    (data / "5-empty.jpg").write_bytes(b"")
    assert main(["evaluate", str(coloring_run), "--data", str(data), "--json"]) == 2
    said = capsys.readouterr()
    result = json.loads(said.out)
    others = pretint.evaluate(coloring_run, data=photos)
    differing = {"left_out": {"grey": 0, "small": 1, "unreadable": 2}, "refused": result["refused"]}
    assert result == {**others, **differing}
    assert [Path(reason.partition(": ")[0]).name for reason in result["refused"]] == ["0-cut.png", "5-empty.jpg"]
    for reason in result["refused"]:
        assert f"left out: {reason}\n" in said.err
    assert "2 pictures could not be scored, as told above; the scores are of the others" in said.err

    for path in data.iterdir():
        if not path.name.startswith("0-cut"):
            path.unlink()
    with pytest.raises(pretint.DataError, match=r"0-cut\.png: the picture is damaged or cut off"):
        pretint.evaluate(coloring_run, data=data)


def test_one_document_is_printed(coloring_run: Path, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(coloring_run), "--data", str(photos), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == pretint.evaluate(coloring_run, data=photos)
    assert set(printed) == {
        "model", "grey", "mean_colour", "original", "pictures", "left_out", "refused", "split", "trained_on_these",
        "setting", "settings",
    }  # fmt: skip
    assert set(printed["model"]) == {
        "psnr", "ssim", "colourfulness", "colourfulness_difference", "colourfulness_share", "auc", "auc_balanced",
    }  # fmt: skip
    assert main(["evaluate", str(coloring_run), "--data", str(photos)]) == 0
    words = capsys.readouterr().out
    assert "mean colour" in words
    assert "4 pictures (all)" in words


def test_settings_side_by_side(
    coloring_run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each row is of what `colorize` writes by that setting; `model` is the one that was asked for."""
    file = tmp_path / "mine.safetensors"
    pretint.export(coloring_run, file)
    result = pretint.evaluate(file, data=photos)
    originals = [pixels(photos / f"{i}.png") for i in range(len(SIZES))]
    lively = np.mean([colourfulness(rgb) for rgb in originals])
    assert list(result["settings"]) == ["accurate", "vivid"]
    for setting, row in result["settings"].items():
        pretint.colorize(photos, out=tmp_path / setting, model=file, setting=setting)
        made = [pixels(tmp_path / setting / f"{i}.png") for i in range(len(SIZES))]
        errors = [peak_signal_noise_ratio(a, b, data_range=255) for a, b in zip(originals, made, strict=True)]
        assert row["psnr"] == spread(errors)
        assert row["colourfulness_share"] == pytest.approx(np.mean(list(map(colourfulness, made))) / lively, rel=2e-3)
        alone = pretint.evaluate(file, data=photos, setting=setting)
        assert alone["settings"] == {setting: row}
        assert alone["model"] == {score: value for score, value in row.items() if score != "decoding"}
        assert alone["setting"] == setting
    assert result["model"]["psnr"] == result["settings"]["accurate"]["psnr"] != result["settings"]["vivid"]["psnr"]
    assert main(["evaluate", str(file), "--data", str(photos)]) == 0
    words = capsys.readouterr().out
    assert "accurate" in words
    assert "vivid" in words


def test_a_setting_that_is_not_there(coloring_run: Path, multilabel_run: Path, photos: Path, labelled: Path) -> None:
    assert list(pretint.evaluate(coloring_run, data=photos)["settings"]) == ["accurate"]
    with pytest.raises(pretint.OptionError, match="--setting vivid: was not chosen for"):
        pretint.evaluate(coloring_run, data=photos, setting="vivid")
    with pytest.raises(pretint.OptionError, match="--setting vivid: is for colorizers"):
        pretint.evaluate(multilabel_run, data=labelled, setting="vivid")


def read_table(path: Path) -> tuple[list[str], np.ndarray]:
    with path.open(newline="") as file:
        head, *rows = csv.reader(file)
    return head[1:], np.array([row[1:] for row in rows], dtype=float)


def label_scores(target: np.ndarray, probability: np.ndarray, names: list[str]) -> dict[str, Any]:
    precision = [average_precision_score(target[:, k], probability[:, k]) for k in range(len(names))]
    return {
        "map": pytest.approx(np.mean(precision)),
        "f1_micro": pytest.approx(f1_score(target, probability >= 0.5, average="micro")),
        "f1_macro": pytest.approx(f1_score(target, probability >= 0.5, average="macro")),
        "ap": pytest.approx(dict(zip(names, precision, strict=True))),
    }


def test_multilabel(multilabel_run: Path, labelled: Path, tmp_path: Path) -> None:
    result = pretint.evaluate(multilabel_run, data=labelled)
    pretint.predict(multilabel_run, labelled, out=tmp_path / "out")
    names, probability = read_table(tmp_path / "out" / "labels.csv")
    assert all(len(np.unique(column)) == 16 for column in probability.T)  # four decimals have made no ties
    _, target = read_table(labelled / "labels.csv")
    assert result["scores"] == label_scores(target, probability, names)
    frequencies = RunFolder.open(multilabel_run).manifest["constant"]
    assert result["constant"] == label_scores(target, np.tile(frequencies, (16, 1)), names)
    assert (result["task"], result["pictures"], result["split"]) == ("multilabel", 16, "all")


def test_a_class_that_no_picture_shows(multilabel_run: Path, labelled: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(labelled, tmp_path / "data"))
    lines = (data / "labels.csv").read_text().splitlines()
    (data / "labels.csv").write_text("\n".join([lines[0], *(line[:-1] + "0" for line in lines[1:])]))
    scores = pretint.evaluate(multilabel_run, data=data)["scores"]
    assert scores["ap"]["bright"] is None
    assert scores["map"] == scores["ap"]["warm"]
    json.dumps(scores, allow_nan=False)


def test_classification(sorted_pictures: Path, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "out"
    pretint.finetune(data=sorted_pictures, out=run, **FINETUNE | {"task": "classification", "rate": 5e-3})
    result = pretint.evaluate(run, data=sorted_pictures)
    pretint.predict(run, sorted_pictures, out=out)
    names, probability = read_table(out / "labels.csv")
    assert names == ["even", "odd"]
    assert probability.sum(axis=1) == pytest.approx(np.ones(16), abs=2e-4)
    target = np.repeat([0, 1], 8)
    assert result["scores"] == {"top1": accuracy_score(target, probability.argmax(axis=1))}
    assert result["constant"] == {"top1": 0.5}


def brute_force(targets: list[np.ndarray], predictions: list[np.ndarray], names: list[str]) -> dict[str, Any]:
    """Pixel by pixel, void left out."""
    hits, union, right, count = dict.fromkeys(names, 0), dict.fromkeys(names, 0), 0, 0
    for target, prediction in zip(targets, predictions, strict=True):
        for t, p in zip(target.ravel().tolist(), prediction.ravel().tolist(), strict=True):
            if t == 255:
                continue
            count += 1
            right += t == p
            for k, name in enumerate(names):
                hits[name] += t == p == k
                union[name] += k in (t, p)
    iou = {name: hits[name] / union[name] for name in names if union[name]}
    return {
        "miou": pytest.approx(np.mean(list(iou.values()))),
        "pixel_accuracy": pytest.approx(right / count),
        "iou": {name: pytest.approx(iou[name]) if name in iou else None for name in names},
    }


def test_segmentation(segmentation_run: Path, masked: Path, tmp_path: Path) -> None:
    result = pretint.evaluate(segmentation_run, data=masked)
    pretint.predict(segmentation_run, masked / "images", out=tmp_path / "out")
    names = ["ground", "sun", "moon"]
    targets = [pixels(path) for path in sorted((masked / "masks").iterdir())]
    predictions = [pixels(path) for path in sorted((tmp_path / "out" / "masks").iterdir())]
    assert any((target == 255).any() for target in targets)
    assert np.unique(predictions).size > 1  # else the network would be its own constant
    assert result["scores"] == brute_force(targets, predictions, names)
    assert result["constant"] == brute_force(targets, [np.zeros_like(target) for target in targets], names)


def test_void_is_nobodys_fault(segmentation_run: Path, masked: Path, tmp_path: Path) -> None:
    """What the mask does not say cannot change a score."""
    data = Path(shutil.copytree(masked, tmp_path / "data"))
    pretint.predict(segmentation_run, masked / "images", out=tmp_path / "out")
    wrong = 0
    for path in sorted((data / "masks").iterdir()):
        target, prediction = pixels(path).copy(), pixels(tmp_path / "out" / "masks" / path.name)
        wrong += int(((target != prediction) & (target != 255)).sum())
        target[target != prediction] = 255
        Image.fromarray(target).save(path)
    assert wrong > 0
    assert pretint.evaluate(segmentation_run, data=data)["scores"]["pixel_accuracy"] == 1


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("file,bright,warm\n00.png,0,1\n", None),
        ("file,warm,bright,dark\n00.png,0,1,0\n", "has the classes warm, bright, dark, but the run learned warm, bright"),
        ("file,cold\n00.png,1\n", "has the classes cold, but the run learned warm, bright"),
    ],
)  # fmt: skip
def test_other_classes(multilabel_run: Path, labelled: Path, table: str, words: str | None, tmp_path: Path) -> None:
    data = Path(shutil.copytree(labelled, tmp_path / "data"))
    (data / "labels.csv").write_text(table)
    with pytest.raises(pretint.DataError, match=words or "has the classes bright, warm, but the run learned warm"):
        pretint.evaluate(multilabel_run, data=data)


def test_pictures_without_labels(multilabel_run: Path, photos: Path) -> None:
    with pytest.raises(pretint.DataError, match="the layout pictures has no labels here, which multilabel needs"):
        pretint.evaluate(multilabel_run, data=photos)


def test_pictures_that_were_trained_on(
    masked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = Path(shutil.copytree(masked, tmp_path / "data"))
    lists = {"train": range(8), "test": range(8, 16), "mixed": range(7, 16)}
    for name, numbers in lists.items():
        (data / f"{name}.txt").write_text("".join(f"{i:02d}\n" for i in numbers))
    run = tmp_path / "run"
    pretint.finetune(data=data, out=run, **FINETUNE | {"epochs": 1})
    split = {name: pretint.evaluate(run, data=data, split=name)["trained_on_these"] for name in (*lists, "all")}
    assert split == {"train": True, "test": False, "mixed": True, "all": True}
    assert pretint.evaluate(run, data=data)["split"] == "test"
    assert main(["evaluate", str(run), "--data", str(data), "--split", "train"]) == 0
    assert "were trained on" in capsys.readouterr().err
    # A run on all pictures has seen the test list too, and its file alone knows that; another folder is another matter.
    pretint.finetune(data=data, out=tmp_path / "on all", split="all", **FINETUNE | {"epochs": 1})
    weights = RunFolder.open(tmp_path / "on all").checkpoint() / "weights.safetensors"
    monkeypatch.chdir(data)
    assert pretint.evaluate(weights, data=".")["trained_on_these"]
    assert not pretint.evaluate(weights, data=shutil.copytree(data, tmp_path / "copy"))["trained_on_these"]


def test_pictures_of_a_training_that_have_moved_cannot_be_told(masked: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(masked, tmp_path / "data"))
    pretint.finetune(data=data, out=tmp_path / "run", **FINETUNE | {"epochs": 1})
    moved = data.rename(tmp_path / "moved")
    assert pretint.evaluate(tmp_path / "run", data=moved)["trained_on_these"] is None


@pytest.mark.parametrize("run", ["multilabel_run", "segmentation_run"])
def test_a_network_that_gives_no_numbers_is_not_scored(
    run: str, request: pytest.FixtureRequest, labelled: Path, masked: Path
) -> None:
    model = load_task(request.getfixturevalue(run))
    with torch.no_grad():
        next(model.network.head.parameters()).fill_(torch.nan)
    data = labelled if run == "multilabel_run" else masked
    with pytest.raises(WeightsError, match="not numbers"):
        evaluate_task(model, data, None, None, None)
    with pytest.raises(WeightsError, match="not numbers"):  # as predict asks it
        picture_logits(model, paint(0)[0], torch.device("cpu"))


def test_pictures_that_were_pretrained_on(coloring_run: Path, pictures: Path, photos: Path) -> None:
    assert pretint.evaluate(coloring_run, data=pictures)["trained_on_these"]
    assert not pretint.evaluate(coloring_run, data=photos)["trained_on_these"]


def test_what_was_trained_on_through_shards_cannot_be_told(
    coloring_run: Path, pictures: Path, photos: Path, tmp_path: Path
) -> None:
    """They are copies, in files of their own: of the pictures themselves, or of these."""
    shards = tmp_path / "shards"
    pretint.prepare(pictures, out=shards, size=32, format="jpeg")
    pretint.pretrain(data=shards, out=tmp_path / "run", **PRETRAIN | {"epochs": 1})
    assert pretint.evaluate(tmp_path / "run", data=pictures)["trained_on_these"] is None
    assert pretint.evaluate(tmp_path / "run", data=shards)["trained_on_these"] is True
    assert pretint.evaluate(coloring_run, data=shards)["trained_on_these"] is None
    assert pretint.evaluate(coloring_run, data=photos)["trained_on_these"] is False


def test_weights_of_a_run_whose_pictures_were_named_relatively(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run knows where they lay; its weights' file alone does not, whatever lies by that name where one stands."""
    monkeypatch.chdir(pictures.parent)
    pretint.pretrain(data=pictures.name, out=tmp_path / "run", **PRETRAIN | {"epochs": 1})
    weights = RunFolder.open(tmp_path / "run").checkpoint() / "weights.safetensors"
    monkeypatch.chdir(tmp_path)
    assert pretint.evaluate(weights, data=pictures)["trained_on_these"] is None
    assert pretint.evaluate(tmp_path / "run", data=pictures)["trained_on_these"] is True


def test_a_folder_within_that_of_the_pretraining_or_around_it(pictures: Path, tmp_path: Path) -> None:
    """Told by the pictures, not by the folder's name; what was left out as a copy of test pictures was not trained on."""
    data = Path(shutil.copytree(pictures, tmp_path / "data"))
    (data / "test").mkdir()
    for i in range(3):
        Image.fromarray(paint(400 + i)[0]).save(data / "test" / f"{i}.png")
    run = tmp_path / "run"
    pretint.pretrain(data=data, out=run, apart_from=[data / "test"], **PRETRAIN | {"epochs": 1})
    assert pretint.evaluate(run, data=data / "below")["trained_on_these"]
    assert not pretint.evaluate(run, data=data / "test")["trained_on_these"]
    (tmp_path / "link").symlink_to(data / "below", target_is_directory=True)
    assert pretint.evaluate(run, data=tmp_path / "link")["trained_on_these"]
    alone = tmp_path / "alone"
    pretint.pretrain(data=data / "below", out=alone, **PRETRAIN | {"epochs": 1, "batch_size": 2, "validation": 0})
    assert pretint.evaluate(alone, data=data)["trained_on_these"]
    (data / "below").rename(tmp_path / "moved")
    assert pretint.evaluate(alone, data=data)["trained_on_these"] is None


def test_networks_that_look_at_the_batch_are_scored_as_they_predict(labelled: Path, tmp_path: Path) -> None:
    """One picture at a time, so that neither order nor neighbours change a score; a dropout that stays on is drawn from the seed."""
    unet = FINETUNE["unet"] | {"normalization": "batch-always", "dropout_at_inference": True}
    pretint.finetune(
        data=labelled, out=tmp_path / "run", **FINETUNE | {"task": "multilabel", "unet": unet, "epochs": 4}
    )
    model = load_task(tmp_path / "run")
    kept: dict[str, np.ndarray] = {}

    def keep(batch: Batch, prediction: np.ndarray, classes: int) -> None:
        kept.update(dict(zip(batch.ids, prediction, strict=True)))

    scores = [evaluate_task(model, labelled, None, None, None, keep=keep)["scores"] for _ in range(2)]
    assert scores[0] == scores[1]
    everyone = dict(kept)
    first = "00.png"
    evaluate_task(model, labelled, None, None, None, keep=keep, without=sorted(everyone.keys() - {first, "01.png"}))
    np.testing.assert_allclose(kept[first], everyone[first], atol=1e-6)


def test_a_list_without_pictures(multilabel_run: Path, labelled: Path) -> None:
    with pytest.raises(DataError, match=r"the list all has no pictures"):
        evaluate_task(
            load_task(multilabel_run), labelled, None, None, None, without=[f"{i:02d}.png" for i in range(16)]
        )
