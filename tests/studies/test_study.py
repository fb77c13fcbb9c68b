"""A study end to end: its numbers follow from its cells, it resumes, and what fails stops nothing else."""

import csv
import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import stats
from sklearn.metrics import average_precision_score

import pretint
from pretint.cli import main
from pretint.errors import DataError, PretintError, RunError
from pretint.run_folder import hold
from pretint.studies import opening as module
from pretint.studies.folder import LOCK
from pretint.studies.options import CompareOptions
from tests.conftest import Command
from tests.experiments.tiny_runs import PRETRAIN, arguments
from tests.studies.conftest import STUDY

TIMES = ("seconds", "begun", "command", "options", "environment")


def read(study: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((study / "study.json").read_text())
    return document


def numbers(document: dict[str, Any]) -> dict[str, Any]:
    """Everything but times and what was asked for."""
    cells = [{k: v for k, v in cell.items() if k != "seconds"} for cell in document["cells"]]
    return {k: v for k, v in document.items() if k not in TIMES} | {"cells": cells}


def scores(document: dict[str, Any], arm: str, fraction: float) -> list[float]:
    return [cell["score"] for cell in document["cells"] if (cell["arm"], cell["fraction"]) == (arm, fraction)]


def test_every_cell_is_there(study: Path) -> None:
    document = read(study)
    assert document["state"] == "finished"
    found = {(c["arm"], c["fraction"], c["seed"], c["state"]) for c in document["cells"]}
    assert found == {(a, f, s, "finished") for a in ("scratch", "again", "mine") for f in (0.5, 1.0) for s in (0, 1)}
    assert document["failed"] == {}
    rows = list(csv.DictReader((study / "table.csv").read_text().splitlines()))
    assert [float(row["score"]) for row in rows] == [cell["score"] for cell in document["cells"]]


def test_scores_are_those_of_the_kept_predictions(study: Path) -> None:
    for cell in read(study)["cells"]:
        with np.load(study / "cells" / f"{cell['key']}.npz") as kept:
            assert len(kept["ids"]) == read(study)["test"]["pictures"]
            expected = np.mean([average_precision_score(kept["targets"][:, k], kept["scores"][:, k]) for k in range(2)])
        assert cell["score"] == pytest.approx(expected)


def test_the_tables_follow_from_the_cells(study: Path) -> None:
    document = read(study)
    assert len(document["table"]) == 6
    for row in document["table"]:
        found = scores(document, row["arm"], row["fraction"])
        assert row["mean"] == pytest.approx(np.mean(found))
        low, high = stats.t.interval(0.95, 1, np.mean(found), stats.sem(found))
        assert (row["low"], row["high"]) == pytest.approx((low, high))
    for row in document["differences"]:
        one, other = scores(document, row["arm"], row["fraction"]), scores(document, row["reference"], row["fraction"])
        assert row["mean"] == pytest.approx(np.mean(np.subtract(one, other)))
    assert {(row["arm"], row["reference"]) for row in document["differences"]} == {
        ("again", "scratch"),
        ("mine", "scratch"),
    }


def test_the_same_seeds_give_the_same_bits(study: Path) -> None:
    rows = [row for row in read(study)["differences"] if row["arm"] == "again"]
    assert [row["verdict"] for row in rows] == ["identical", "identical"]
    assert (
        "again against scratch: identical with 50 % of the labels (+0.0 points), 100 % (+0.0)."
        in read(study)["verdict"]
    )


def test_the_constant_predictor_is_told(study: Path) -> None:
    document = read(study)
    left_out = document["test"]["left_out"]
    kept = [i for i in range(20, 30) if f"{i:02d}.png" not in left_out]
    shares = [np.mean([i % 2 for i in kept]), np.mean([i // 2 % 2 for i in kept])]
    assert document["constant"]["map"] == pytest.approx(np.mean(shares))  # all pictures score alike


def test_what_was_loaded_is_told(study: Path) -> None:
    arms = {arm["name"]: arm for arm in read(study)["arms"]}
    assert arms["scratch"]["loaded"] == 0
    assert arms["mine"]["loaded"] > 0.5
    assert arms["mine"]["parts"] == ["backbone"]
    assert (arms["mine"]["pretrainings"], arms["scratch"]["pretrainings"]) == (1, 0)


def test_weights_are_removed_and_metrics_stay(study: Path) -> None:
    runs = list((study / "runs").iterdir())
    assert len(runs) == 12
    assert not any((run / "checkpoints").exists() for run in runs)
    assert all((run / "metrics.jsonl").exists() for run in runs)


def test_one_at_a_time_gives_the_same(study: Path, parted: Path, coloring_run: Path, tmp_path: Path) -> None:
    arms = ["again=scratch", f"mine={coloring_run}"]
    document = pretint.compare(data=parted, out=tmp_path / "one", arms=arms, jobs=1, **STUDY)
    assert numbers(document) == numbers(read(study))
    # No seed is begun before every arm has the one before it.
    kept = sorted((tmp_path / "one" / "cells").glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    assert [path.stem[-1] for path in kept] == ["0"] * 6 + ["1"] * 6


def test_a_study_that_was_killed_goes_on(
    study: Path, parted: Path, coloring_run: Path, start_command: Command, tmp_path: Path
) -> None:
    """Killed outright after some cells; its workers see that it is gone."""
    out = tmp_path / "killed"
    asked = STUDY | {"data": parted, "out": out, "arms": ["again=scratch", f"mine={coloring_run}"], "jobs": 2}
    process = start_command(*arguments("compare", asked))
    until = time.monotonic() + 300
    while len(list((out / "cells").glob("*.json"))) < 3:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    before = {path: path.stat().st_mtime_ns for path in (out / "cells").glob("*.json")}
    document = pretint.compare(resume=True, **asked)
    assert numbers(document) == numbers(read(study))
    assert all(path.stat().st_mtime_ns == changed for path, changed in before.items())  # none was run again


def test_a_cell_that_fails_stops_no_other(
    parted: Path, coloring_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(coloring_run, broken)
    (progress,) = broken.glob("checkpoints/*/progress.json")
    whole = progress.read_text()
    progress.write_text(whole.replace('"weights.safetensors": "', '"weights.safetensors": "0'))
    asked = STUDY | {"data": parted, "out": tmp_path / "study", "arms": [f"bad={broken}"], "fractions": [1.0]}
    assert main(arguments("compare", asked)) == 2
    captured = capsys.readouterr()
    document = read(tmp_path / "study")
    states = {(cell["arm"], cell["state"]) for cell in document["cells"]}
    assert states == {("scratch", "finished"), ("bad", "failed")}
    assert all("checksum" in cell["error"] for cell in document["cells"] if cell["arm"] == "bad")
    assert "2 cells or trials failed" in captured.err
    assert any(check["name"] == "cells that failed" for check in document["checks"])
    # Mended, only what failed is run.
    progress.write_text(whole)
    assert main([*arguments("compare", asked), "--resume"]) == 0
    assert {cell["state"] for cell in read(tmp_path / "study")["cells"]} == {"finished"}


def test_the_rate_is_chosen_on_validation_pictures(parted: Path, tmp_path: Path) -> None:
    asked = STUDY | {"rates": [0.0001, 0.01], "seeds": 1, "fractions": [1.0]}
    document = pretint.compare(data=parted, out=tmp_path / "study", **asked)
    (arm,) = document["arms"]
    assert [trial["rate"] for trial in arm["search"]] == [0.0001, 0.01]
    assert arm["rate"] == max(arm["search"], key=lambda trial: (trial["score"], -trial["rate"]))["rate"]
    trial = json.loads(next((tmp_path / "study" / "cells").glob("*search*rate0.01.json")).read_text())
    assert "scores" not in trial  # it never saw a test picture
    assert any(check["name"] == "learning rates" for check in document["checks"])


def test_frozen_features_at_every_depth(parted: Path, coloring_run: Path, tmp_path: Path) -> None:
    asked = STUDY | {"modes": ["linear", "knn"], "arms": [f"mine={coloring_run}"]}
    document = pretint.compare(data=parted, out=tmp_path / "study", **asked)
    found = {(c["arm"], c["mode"], c["depth"], c["fraction"], c["seed"]) for c in document["cells"]}
    assert found == {
        (arm, mode, depth, fraction, seed)
        for arm in ("scratch", "mine") for mode in ("linear", "knn") for depth in (2, 4, 8, 16)
        for fraction in (0.5, 1.0) for seed in (0, 1)
    }  # fmt: skip
    cell = document["cells"][0]
    with np.load(tmp_path / "study" / "cells" / f"{cell['key']}.npz") as kept:
        expected = np.mean([average_precision_score(kept["targets"][:, k], kept["scores"][:, k]) for k in range(2)])
    assert cell["score"] == pytest.approx(expected)
    assert document["verdict"].startswith("mine against scratch, features of stride 16: ")


@pytest.mark.long
def test_a_classification_on_some_of_the_class_folders(
    sorted_pictures: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Pictures in the folders of other classes are left out of the lists, of each cell and of its scores."""
    for part in ("train", "test"):
        shutil.copytree(sorted_pictures, tmp_path / "data" / part)
        (tmp_path / "data" / part / "third").mkdir()
        for place, colour in enumerate(("red", "blue")):
            picture = tmp_path / "data" / part / "third" / f"{place}.png"
            Image.new("RGB", (20, 20), (colour, (30, 200, place))[part == "test"]).save(picture)
    asked = {"task": "classification", "classes": ["odd", "even"], "modes": ["finetune", "linear"], "fractions": [1.0]}
    asked |= {"rates": [1e-3], "seeds": 1, "epochs": 1, "keep_leaks": True}
    document = pretint.compare(data=tmp_path / "data", out=tmp_path / "study", quiet=False, **STUDY | asked)
    assert "of other classes, and so left out: 4 of 36 pictures" in capfd.readouterr().err
    assert not document["failed"]
    assert document["test"]["pictures"] == 16
    assert {cell["mode"] for cell in document["cells"]} == {"finetune", "linear"}


def test_other_weights_are_refused_on_resume(parted: Path, coloring_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(coloring_run, run)
    asked = STUDY | {"data": parted, "out": tmp_path / "study", "arms": [f"mine={run}"], "modes": ["knn"], "seeds": 1}
    pretint.compare(**asked)
    (weights,) = run.glob("checkpoints/*/weights.safetensors")
    weights.write_bytes(weights.read_bytes() + b"x")
    with pytest.raises(RunError, match=r"the weights of .* have changed since the study was begun"):
        pretint.compare(resume=True, **asked)


def test_seeds_of_one_pretraining_are_no_independent_scores(
    parted: Path, pictures: Path, coloring_run: Path, tmp_path: Path
) -> None:
    """Two pretrainings, two seeds each: n is 2, and each is the mean of its seeds."""
    pretint.pretrain(data=pictures, out=tmp_path / "second", **PRETRAIN | {"seed": 1})
    arms = [f"mine={coloring_run},{tmp_path / 'second'}"]
    asked = STUDY | {"modes": ["linear"], "seeds": 4, "fractions": [1.0], "arms": arms}
    document = pretint.compare(data=parted, out=tmp_path / "study", **asked)
    row = next(row for row in document["differences"] if row["depth"] == 4)
    cells = [c for c in document["cells"] if c["depth"] == 4]
    mine, scratch = (np.array([c["score"] for c in cells if c["arm"] == arm]) for arm in ("mine", "scratch"))
    assert row["seeds"] == 2
    assert row["deviation"] == pytest.approx(np.std((mine - scratch).reshape(2, 2).mean(axis=0), ddof=1))
    assert "2 pretrainings" in row["words"]
    told = next(one for one in document["table"] if one["arm"] == "mine" and one["depth"] == 4)
    assert (told["seeds"], told["independent"]) == (4, 2)
    halves = mine.reshape(2, 2).mean(axis=0)
    assert (told["mean"], told["deviation"]) == pytest.approx((halves.mean(), halves.std(ddof=1)))
    half = stats.t.ppf(0.975, 1) * halves.std(ddof=1) / 2**0.5
    assert (told["low"], told["high"]) == pytest.approx((halves.mean() - half, halves.mean() + half))
    spread = 100 * ((mine.var(ddof=1) + scratch.var(ddof=1)) / 2) ** 0.5
    if "spread over seeds" in row["words"]:
        assert f"({spread:.1f} points)" in row["words"] or f"({spread:.2f} points)" in row["words"]
    else:
        assert spread <= 100 * abs(row["mean"]) or row["verdict"] in ("identical", "too few seeds")


def test_a_scratch_arm_that_nobody_asked_for_saves_no_labels(parted: Path, tmp_path: Path) -> None:
    asked = STUDY | {"modes": ["linear"], "fractions": [0.5, 1.0], "arms": ["mine=random-frozen@planes=RGB"]}
    document = pretint.compare(data=parted, out=tmp_path / "study", **asked)
    assert "scratch-mine" in {arm["name"] for arm in document["arms"]}
    assert {row["arm"] for row in document["labels_saved"]} == {"mine"}


def test_a_stop_before_the_first_line_leaves_a_folder_that_can_be_used(parted: Path, tmp_path: Path) -> None:
    for part in ("cells", "runs"):
        (tmp_path / "study" / part).mkdir(parents=True)
    asked = STUDY | {"modes": ["knn"], "seeds": 1, "fractions": [1.0]}
    assert pretint.compare(data=parted, out=tmp_path / "study", **asked)["state"] == "finished"


def test_segmentation_with_its_hardest_pictures(masked: Path, tmp_path: Path) -> None:
    data = tmp_path / "masked"
    shutil.copytree(masked, data)
    names = sorted(path.stem for path in (data / "images").iterdir())
    (data / "train.txt").write_text("\n".join(names[:12]) + "\n")
    (data / "test.txt").write_text("\n".join(names[12:]) + "\n")
    asked = STUDY | {"task": "segmentation", "seeds": 2, "fractions": [1.0], "arms": ["again=scratch@first-seed=5"]}
    document = pretint.compare(data=data, out=tmp_path / "study", **asked)
    assert document["score"] == "miou"
    for cell in document["cells"]:
        with np.load(tmp_path / "study" / "cells" / f"{cell['key']}.npz") as kept:
            summed = kept["matrices"].sum(axis=0)
        hits = np.diag(summed)
        present = (union := summed.sum(axis=0) + summed.sum(axis=1) - hits) > 0
        assert cell["score"] == pytest.approx(np.mean(hits[present] / union[present]))
    for which in ("easiest", "hardest"):
        with Image.open(tmp_path / "study" / "examples" / f"{which}.png") as grid:
            assert grid.size[0] > 300
    assert f"{document['arms'][1]['name']}" in (tmp_path / "study" / "report.html").read_text()


def test_a_changed_option_is_refused_on_resume(study: Path, parted: Path, coloring_run: Path) -> None:
    arms = ["again=scratch", f"mine={coloring_run}"]
    with pytest.raises(RunError, match="--resume: --least-steps differs"):
        pretint.compare(data=parted, out=study, arms=arms, resume=True, **STUDY | {"least_steps": 9})
    with pytest.raises(RunError, match="holds a study already"):
        pretint.compare(data=parted, out=study, arms=arms, **STUDY)


def test_two_processes_do_not_run_one_study(study: Path, parted: Path, coloring_run: Path) -> None:
    before = (study / "study.json").read_bytes()
    arms = ["again=scratch", f"mine={coloring_run}"]
    with hold(study / LOCK, "held"), pytest.raises(RunError, match="another process runs this study"):
        pretint.compare(data=parted, out=study, arms=arms, resume=True, **STUDY)
    assert (study / "study.json").read_bytes() == before


@pytest.mark.parametrize("changed", ["05.png", "25.png"])
def test_pictures_that_have_changed_are_refused_on_resume(
    changed: str, study: Path, parted: Path, coloring_run: Path, tmp_path: Path
) -> None:
    """One to train on, one to test on: what is finished would stand beside cells of other pictures."""
    data, out = (Path(shutil.copytree(one, tmp_path / one.name)) for one in (parted, study))
    document = read(out)
    document["options"]["data"] = str(data)
    (out / "study.json").write_text(json.dumps(document))
    shutil.copy(parted / "00.png", data / changed)
    arms = ["again=scratch", f"mine={coloring_run}"]
    with pytest.raises(RunError, match="the pictures have changed since the study was begun"):
        pretint.compare(data=data, out=out, arms=arms, resume=True, **STUDY)


def test_classes_that_have_changed_are_refused_on_resume(masked: Path, tmp_path: Path) -> None:
    """Names of classes that change places change no picture and no mask."""
    data = Path(shutil.copytree(masked, tmp_path / "data"))
    asked = STUDY | {"task": "segmentation", "seeds": 1, "fractions": [1.0]}
    for name, numbered in (("train", range(12)), ("val", range(12, 16))):
        (data / f"{name}.txt").write_text("".join(f"{i:02d}.png\n" for i in numbered))
    pretint.compare(data=data, out=tmp_path / "study", **asked)
    first, *names = (data / "classes.txt").read_text().split()
    (data / "classes.txt").write_text("\n".join([first, *reversed(names)]))
    with pytest.raises(RunError, match="the classes have changed"):
        pretint.compare(data=data, out=tmp_path / "study", resume=True, **asked)


def test_an_arm_that_saw_further_test_pictures_is_not_added(
    study: Path, parted: Path, coloring_run: Path, tmp_path: Path
) -> None:
    """What is finished was scored on them."""
    pool = tmp_path / "pool"
    pool.mkdir()
    for i in (21, 24, *range(6)):
        shutil.copy(parted / f"{i:02d}.png", pool / f"copy-{i}.png")
    pretint.pretrain(data=pool, out=tmp_path / "run", **PRETRAIN | {"epochs": 1, "validation": 0})
    out = shutil.copytree(study, tmp_path / "study")
    arms = ["again=scratch", f"mine={coloring_run}", f"late={tmp_path / 'run'}"]
    with pytest.raises(RunError, match=r"2 further test pictures, 21\.png among them"):
        pretint.compare(data=parted, out=out, arms=arms, resume=True, **STUDY)


def test_pictures_that_are_trained_and_tested_on_are_an_error(parted: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train.*test|all.*test"):
        pretint.compare(data=parted, out=tmp_path / "study", split="all", **STUDY)
    assert not (tmp_path / "study").exists()


def test_copies_of_test_pictures_are_named_and_left_out(parted: Path, tmp_path: Path) -> None:
    """Two test pictures, encoded anew and enlarged, among the pictures that an arm was pretrained on."""
    pool = tmp_path / "pool"
    pool.mkdir()
    for i in range(12):
        paint_photo(900 + i).save(pool / f"other-{i}.jpg")
    data = tmp_path / "data"
    shutil.copytree(parted, data)
    for i in range(20, 30):
        paint_photo(950 + i).save(data / f"{i:02d}.png")
    for i in (23, 27):
        Image.open(data / f"{i}.png").resize((70, 60)).save(pool / f"copy-of-{i}.jpg", quality=70)
    pretint.pretrain(data=pool, out=tmp_path / "run", **PRETRAIN)
    asked = STUDY | {"seeds": 1, "fractions": [1.0], "arms": [f"mine={tmp_path / 'run'}"]}
    document = pretint.compare(data=data, out=tmp_path / "study", **asked)
    assert document["test"]["left_out"] == ["23.png", "27.png"]
    assert document["test"]["pictures"] == 8
    (words,) = [c["words"] for c in document["checks"] if c["name"] == "copies of test pictures, mine"]
    assert "2 test pictures are near copies of its 14 pictures" in words
    assert "23.png = copy-of-23.jpg" in words
    kept = pretint.compare(data=data, out=tmp_path / "kept", keep_leaks=True, **asked)
    assert kept["test"]["pictures"] == 10


@pytest.mark.parametrize("resume", [False, True])
def test_a_study_that_was_refused_blocks_no_folder(parted: Path, tmp_path: Path, resume: bool) -> None:
    """All test pictures were pretrained on: what the sentence advises can be done in the same folder."""
    pool, data, out = tmp_path / "pool", tmp_path / "data", tmp_path / "study"
    pool.mkdir()
    shutil.copytree(parted, data)
    for i in range(20, 30):
        paint_photo(950 + i).save(data / f"{i:02d}.png")
        shutil.copy(data / f"{i:02d}.png", pool)
    pretint.pretrain(data=pool, out=tmp_path / "run", **PRETRAIN | {"epochs": 1})
    asked = STUDY | {"modes": ["knn"], "seeds": 1, "fractions": [1.0], "arms": [f"mine={tmp_path / 'run'}"]}
    with pytest.raises(DataError, match="score on them all the same with --keep-leaks"):
        pretint.compare(data=data, out=out, **asked)
    document = pretint.compare(data=data, out=out, keep_leaks=True, resume=resume, **asked)
    assert (document["state"], document["test"]["pictures"]) == ("finished", 10)


def test_a_folder_with_files_of_others_is_no_studys(parted: Path, tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="exists and is not empty"):
        pretint.compare(data=parted, out=tmp_path / "study", **STUDY)


def paint_photo(seed: int) -> Image.Image:
    """Smooth noise of its own, as different from others as photographs are."""
    draws = np.random.default_rng(seed).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    return Image.fromarray(draws).resize((56, 48), Image.Resampling.BICUBIC)


def test_data_without_a_test_list_are_refused(labelled: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no list test or val"):
        pretint.compare(data=labelled, out=tmp_path / "study", **STUDY)


def test_nothing_but_failures_is_an_error(parted: Path, tmp_path: Path) -> None:
    with pytest.raises(PretintError, match="every cell failed"):
        pretint.compare(
            data=parted,
            out=tmp_path / "study",
            **STUDY | {"multilabel": {"head": "paper"}, "rate": 1e30, "rates": [1e30]},
        )


def test_probes_need_no_rate(parted: Path, tmp_path: Path) -> None:
    """Where the training diverges at all rates, nothing is fine-tuned, and the frozen features are scored all the same."""
    asked = STUDY | {"seeds": 1, "fractions": [1.0], "modes": ["finetune", "linear"], "rates": [1e30, 2e30]}
    document = pretint.compare(data=parted, out=tmp_path / "study", **asked | {"multilabel": {"head": "paper"}})
    found = {(cell["mode"], cell["state"]) for cell in document["cells"]}
    assert found == {("finetune", "failed"), ("linear", "finished")}
    (why,) = document["failed"].values()
    assert "diverged at every learning rate" in why


def test_a_rate_at_which_the_training_diverges_is_not_chosen(parted: Path, tmp_path: Path) -> None:
    asked = STUDY | {"seeds": 1, "fractions": [1.0], "rates": [0.01, 1e30], "multilabel": {"head": "paper"}}
    document = pretint.compare(data=parted, out=tmp_path / "study", **asked)
    (arm,) = document["arms"]
    assert arm["rate"] == 0.01
    assert [tried["score"] is None for tried in arm["search"]] == [False, True]
    assert [cell["state"] for cell in document["cells"]] == ["finished"]
    assert any("scratch at 1e+30" in check["words"] for check in document["checks"])
    assert "diverged" not in document["verdict"]
    again = pretint.compare(data=parted, out=tmp_path / "study", resume=True, **asked)
    assert numbers(again) == numbers(document)


def test_a_study_grows_by_arms_and_seeds(study: Path, parted: Path, coloring_run: Path, tmp_path: Path) -> None:
    grown = tmp_path / "grown"
    shutil.copytree(study, grown)
    for run in (grown / "runs").iterdir():  # what is finished is not needed any more, and must not be run again
        shutil.rmtree(run)
    arms = ["again=scratch", f"mine={coloring_run}@against=again", f"late={coloring_run}@against=again"]
    document = pretint.compare(data=parted, out=grown, arms=arms, resume=True, **(STUDY | {"seeds": 3}))
    before = {cell["key"]: cell for cell in read(study)["cells"]}
    after = {cell["key"]: cell for cell in document["cells"]}
    assert {key: after[key] for key in before} == before
    assert len(after) == 4 * 2 * 3
    assert not any((grown / "runs" / key).exists() for key in before)
    fresh = pretint.compare(data=parted, out=tmp_path / "fresh", arms=arms, **(STUDY | {"seeds": 3}))
    assert numbers(fresh)["differences"] == numbers(document)["differences"]
    assert ["results of 2." in check["words"] for check in document["checks"]].count(True) == 1
    assert not any("results of" in check["words"] for check in fresh["checks"])
    row, late = (row for row in document["differences"] if row["reference"] == "again" and row["fraction"] == 1)
    assert (row["arm"], late["arm"]) == ("mine", "late")
    expected = np.subtract(scores(document, "mine", 1), scores(document, "again", 1))
    assert row["mean"] == pytest.approx(expected.mean())
    assert row["deviation"] == pytest.approx(expected.std(ddof=1))


def test_a_study_does_not_shrink(study: Path, parted: Path, coloring_run: Path) -> None:
    arms = ["again=scratch", f"mine={coloring_run}"]
    with pytest.raises(RunError, match="--seeds"):
        pretint.compare(data=parted, out=study, arms=arms, resume=True, **(STUDY | {"seeds": 1}))
    with pytest.raises(RunError, match="--arms"):
        pretint.compare(data=parted, out=study, arms=arms[:1], resume=True, **STUDY)


@pytest.mark.parametrize("where", ["05", "13"])
def test_masks_are_looked_at_before_the_first_cell(masked: Path, tmp_path: Path, where: str) -> None:
    """Those of the training list and of the test list."""
    data = shutil.copytree(masked, tmp_path / "data")
    for name, numbers in {"train": range(12), "test": range(12, 16)}.items():
        (data / f"{name}.txt").write_text("".join(f"{number:02d}\n" for number in numbers))
    Image.new("L", (3, 3)).save(data / "masks" / f"{where}.png")
    options = {name: value for name, value in STUDY.items() if name != "least_positives"} | {"task": "segmentation"}
    with pytest.raises(DataError, match=rf"{where}\.png: the mask is 3x3"):
        pretint.compare(data=data, out=tmp_path / "study", **options)
    assert not (tmp_path / "study").exists()


def test_a_study_that_goes_on_elsewhere_warns(
    study: Path, parted: Path, coloring_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = shutil.copytree(study, tmp_path / "study")
    here = module.environment()
    monkeypatch.setattr(module, "environment", lambda: {**here, "commit": "another"})
    arms = ["again=scratch", f"mine={coloring_run}"]
    again = pretint.compare(data=parted, out=out, arms=arms, jobs=2, resume=True, **STUDY)
    assert not [check for check in again["checks"] if check["name"] == "environment"]  # nothing was left to be trained

    out = shutil.copytree(study, tmp_path / "unfinished")
    cell = next((out / "cells").glob("mine-finetune-*.json"))
    cell.unlink()
    shutil.rmtree(out / "runs" / cell.stem)
    document = pretint.compare(data=parted, out=out, arms=arms, jobs=2, resume=True, **STUDY)
    assert [one["commit"] for one in document["environments"]] == [here["commit"], "another"]
    (check,) = [check for check in document["checks"] if check["name"] == "environment"]
    assert check["state"] == "warning"
    assert "after 11 finished cells and trials" in check["words"]
    assert f"commit {here['commit'] or 'none'}, now another" in check["words"]
    again = pretint.compare(data=parted, out=out, arms=arms, jobs=2, resume=True, **STUDY)
    assert again["checks"] == document["checks"]


def test_test_pictures_that_cannot_be_scored_are_told_first(parted: Path, coloring_run: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(parted, tmp_path / "data"))
    lines = (data / "labels.csv").read_text().splitlines()
    changed = [f"{line.split(',')[0]},0,0,test" if line.endswith("test") else line for line in lines]
    (data / "labels.csv").write_text("\n".join(changed) + "\n")
    with pytest.raises(DataError, match=r"the list test shows none of the classes warm, bright in its 10 pictures"):
        pretint.compare(data=data, out=tmp_path / "study", arms=[f"mine={coloring_run}"], **STUDY)
    assert not (tmp_path / "study").exists()


def test_held_out_pictures_that_cannot_be_scored_are_told_first(
    parted: Path, coloring_run: Path, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(parted, tmp_path / "data"))
    lines = (data / "labels.csv").read_text().splitlines()
    rare = [f"{line.split(',')[0]},{int(i in (1, 2) or i > 20)},0,{line.split(',')[3]}" for i, line in enumerate(lines)]
    (data / "labels.csv").write_text("\n".join([lines[0], *rare[1:]]) + "\n")
    with pytest.raises(
        DataError, match=r"--validation 4: the held-out part \(seed \d\) shows none of the classes warm"
    ):
        pretint.compare(data=data, out=tmp_path / "study", arms=[f"mine={coloring_run}"], classes=["warm"], **STUDY)
    assert not (tmp_path / "study").exists()


def test_a_probe_needs_two_pictures(parted: Path, tmp_path: Path) -> None:
    asked = STUDY | {"modes": ["linear"], "fractions": [0.01, 1.0], "least_positives": 0}
    with pytest.raises(
        DataError, match=r"--fractions 0\.01: is one of \d+ training pictures, and a linear probe needs two"
    ):
        pretint.compare(data=parted, out=tmp_path / "study", **asked)


def test_arms_that_were_there_come_first(tmp_path: Path) -> None:
    """Else a scratch arm that nobody asked for would be named after another, and all its cells computed once more."""
    out = tmp_path / "study"
    out.mkdir()
    words = ["x=runs/x@against=scratch", "scratch"]
    (out / "study.json").write_text(json.dumps({"kind": "study", "options": {"arms": words}}))
    values = {"task": "multilabel", "data": tmp_path, "out": out, "arms": ("y=runs/y", "scratch", "x=runs/x")}
    for resume, arms in ((True, ("x=runs/x", "scratch", "y=runs/y")), (False, ("y=runs/y", "scratch", "x=runs/x"))):
        assert module.arms_in_order(CompareOptions(**values, resume=resume)).arms == arms
