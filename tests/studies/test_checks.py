"""The traps: pretrainings that were too short or did not end, weights of unknown origin, rates at the edge."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from safetensors.numpy import save_file

import pretint
from pretint.commands.compare import SCHEMA
from pretint.commands.resolve import options_from_call
from pretint.data.record import Record
from pretint.run_folder import RunFolder
from pretint.studies import checks
from pretint.studies.arms import Arm
from tests.experiments.tiny_runs import FINETUNE, PRETRAIN
from tests.studies.conftest import STUDY


def run(
    folder: Path, courses: Sequence[float | None], score: str = "ab_error", best: float | None = None, **more: Any
) -> Path:
    """A pretraining with these held-out scores, one an epoch; None: that epoch's was no number, and was not written."""
    RunFolder.create(folder, {"kind": "pretrain", "state": "finished", "options": {}, **more})
    for epoch, value in enumerate(courses, start=1):
        scores = {} if value is None else {score: value}
        RunFolder(folder).append_metrics(step=epoch, epoch=epoch, kind="validation", **scores)
    found = min(value for value in courses if value is not None) if best is None else best
    (folder / "best.json").write_text(json.dumps({"step": 1, "score": score, "value": found, "epoch": 1}))
    return folder


def arm(*inits: Path) -> Arm:
    return Arm("mine", tuple(map(str, inits)), "L", None, {}, "scratch")


def told(**more: Any) -> dict[str, Any]:
    return {"name": "mine", "loaded": 0.9, "parts": ["backbone"], "rate": 0.1, "search": [], **more}


@pytest.mark.parametrize(
    ("courses", "score", "best", "state"),
    [
        ([9.0, 8.0, 7.0, 6.0], "ab_error", 6.0, "warning"),  # falls to the end
        ([9.0, 8.0, 7.99, 7.98], "ab_error", 7.98, "ok"),
        ([9.0, 7.0, 7.5, 8.0], "ab_error", 7.0, "ok"),  # the best was early
        ([0.5, 0.6, 0.7, 0.8], "accuracy", 0.8, "warning"),  # higher is better
        ([0.5, 0.7, 0.6, 0.45], "accuracy", 0.7, "ok"),  # ends below its beginning
        ([9.0, 8.0], "ab_error", 8.0, "unknown"),
        ([9.0, None, 8.0, 7.0, 6.0], "ab_error", 6.0, "warning"),
        ([9.0, None, 8.0, 6.0], "ab_error", 6.0, "unknown"),
    ],
)
def test_a_pretraining_that_still_improved(
    courses: list[float | None], score: str, best: float, state: str, tmp_path: Path
) -> None:
    findings = checks.of_arms([arm(run(tmp_path / "run", courses, score, best))], [told()])
    (finding,) = [found for found in findings if found["name"] == "length of the pretraining, mine"]
    assert finding["state"] == state


def test_a_pretraining_that_did_not_end_is_said(tmp_path: Path) -> None:
    stopped = run(tmp_path / "run", [1.0], state="interrupted")
    (finding,) = checks.of_pretrainings([arm(stopped)])
    assert finding["state"] == "warning"
    assert "run is interrupted, not finished" in finding["words"]
    assert checks.of_pretrainings([arm(run(tmp_path / "other", [1.0]))]) == []


def test_pretrainings_that_differ_in_more_than_their_seed(tmp_path: Path) -> None:
    runs = [
        run(tmp_path / str(i), [1.0], options={"data": ["photos"], "seed": i, "epochs": 9 if i == 2 else 5})
        for i in range(3)
    ]
    assert checks.of_pretrainings([arm(*runs[:2])]) == []
    (finding,) = checks.of_pretrainings([arm(*runs)])
    assert finding["state"] == "warning"
    assert "differ in more than their seed (epochs)" in finding["words"]


def test_pretrainings_of_different_sizes(tmp_path: Path) -> None:
    network = {"backbone": "residual", "decoder": "auto", "residual": {}}
    runs = [run(tmp_path / str(size), [1.0], options={**network, "size": size}) for size in (32, 96)]
    arms = [replace(arm(one), name=one.name) for one in runs]
    assert checks.of_sizes(arms[:1], 64) == []
    (finding,) = checks.of_sizes(arms, 64)
    assert finding["words"].startswith(
        "Pretrained at different sizes: 32 at 32 px, 96 at 96 px; all are trained here at 64 px"
    )


def test_leaks_of_weights_of_unknown_origin_are_unknown(tmp_path: Path) -> None:
    import numpy as np

    save_file({"a": np.zeros(1)}, tmp_path / "net.safetensors")
    gone = run(tmp_path / "run", [1.0], options={"data": [str(tmp_path / "gone")]})
    leaks = checks.leaks([arm(tmp_path / "net.safetensors", gone)], [], tmp_path, keep=False, quiet=True)
    assert [finding["state"] for finding in leaks.findings] == ["unknown", "unknown"]
    assert "what its weights were trained on is not known" in leaks.findings[0]["words"]
    assert "its pictures are not here" in leaks.findings[1]["words"]
    assert leaks.ids == frozenset()


@pytest.mark.parametrize(("rate", "state"), [(0.1, "warning"), (0.3, "ok"), (0.9, "warning")])
def test_a_rate_at_the_edge(rate: float, state: str) -> None:
    options = options_from_call(SCHEMA, {**STUDY, "data": "d", "out": "o", "rates": [0.1, 0.3, 0.9]})
    search = [{"rate": one, "score": 0.5} for one in (0.1, 0.3, 0.9)]
    (finding,) = checks.of_rates([told(rate=rate, search=search)], options)
    assert finding["state"] == state


def test_of_rates_nothing_is_said_too_early() -> None:
    """Before the trials have ended no rate lies anywhere; one that diverged is named."""
    options = options_from_call(SCHEMA, {**STUDY, "data": "d", "out": "o", "rates": [0.1, 0.3, 0.9]})
    assert checks.of_rates([told(rate=None, search=[])], options) == []
    search = [{"rate": 0.1, "score": 0.5}, {"rate": 0.3, "score": 0.6}, {"rate": 0.9, "score": None}]
    diverged, edge = checks.of_rates([told(rate=0.3, search=search)], options)
    assert "mine at 0.9)" in diverged["words"]
    assert edge["state"] == "ok"


def test_an_arm_that_learned_nothing() -> None:
    """Of a probe the best depth counts."""
    common = {"mode": "linear", "fraction": 0.1}
    table = [
        {**common, "arm": "a", "depth": 4, "mean": 0.3},
        {**common, "arm": "a", "depth": 8, "mean": 0.2},
        {**common, "arm": "b", "depth": 4, "mean": 0.2},
        {**common, "arm": "b", "mode": "finetune", "depth": None, "mean": 0.1},
    ]
    (finding,) = checks.of_floor(table, 0.2)
    assert finding["state"] == "warning"
    assert "b (linear, 10 % of the labels), b (finetune, 10 % of the labels)" in finding["words"]
    assert "a (" not in finding["words"]
    assert checks.of_floor(table, 0.05) == checks.of_floor(table, None) == []


def test_arms_of_which_other_parts_were_loaded(tmp_path: Path) -> None:
    arms = [arm(run(tmp_path / "a", [1.0])), Arm("other", (str(run(tmp_path / "b", [1.0])),), "L", None, {}, "scratch")]
    findings = checks.of_arms(arms, [told(), told(name="other", parts=["backbone", "decoder"])])
    assert any(finding["name"] == "what was loaded differs" for finding in findings)
    same = checks.of_arms(arms, [told(), told(name="other")])
    assert not any(finding["name"] == "what was loaded differs" for finding in same)


def test_leaks_are_looked_for_in_what_was_trained_on(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the study is started, and not in other pictures that lie there by now."""
    photos = Path(shutil.copytree(pictures, tmp_path / "photos"))
    monkeypatch.chdir(tmp_path)
    pretint.pretrain(data="photos", out="run", **PRETRAIN)
    test = [Record(id="copy", path=photos / "03.png"), Record(id="other", path=photos / "05.png")]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    found = checks.leaks([arm(tmp_path / "run")], test, tmp_path / "elsewhere", keep=False, quiet=True)
    assert found.ids == {"copy", "other"}
    (photos / "00.png").unlink()
    (tmp_path / "again").mkdir()
    (finding,) = checks.leaks([arm(tmp_path / "run")], test, tmp_path / "again", keep=False, quiet=True).findings
    assert finding["state"] == "unknown"
    assert "holds other pictures than those that run was trained on" in finding["words"]


def test_leaks_are_looked_for_in_what_a_fine_tuning_began_from(
    pictures: Path, coloring_run: Path, masked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever that was named from."""
    monkeypatch.chdir(coloring_run.parent)
    pretint.finetune(data=masked, out=tmp_path / "tuned", init=coloring_run.name, **FINETUNE | {"epochs": 1})
    monkeypatch.chdir(tmp_path)
    test = [Record(id="copy", path=pictures / "03.png")]
    found = checks.leaks([arm(tmp_path / "tuned")], test, tmp_path, keep=False, quiet=True)
    assert found.ids == {"copy"}
    assert [(one["name"], one["state"]) for one in found.findings] == [
        ("copies of test pictures, mine", "ok"),
        ("copies of test pictures, mine", "warning"),
    ]


def test_pictures_that_could_not_be_compared_are_told(pictures: Path, coloring_run: Path, tmp_path: Path) -> None:
    """Else a test of flat pictures would count as free of copies."""
    Image.new("RGB", (70, 70), "white").save(tmp_path / "white.png")
    test = [Record("white.png", tmp_path / "white.png"), Record("other", pictures / "03.png")]
    told = f"1 could not be compared ({tmp_path / 'white.png'}: hardly more than one grey)."
    (finding,) = checks.leaks([arm(coloring_run)], test[:1], tmp_path, keep=False, quiet=True).findings
    assert (finding["state"], told in finding["words"]) == ("ok", True)
    for training, state in ((pictures / "04.png", "ok"), (pictures / "03.png", "warning")):
        finding = checks.copies_in_training([Record("one", training)], test, tmp_path, quiet=True)
        assert (finding["state"], told in finding["words"]) == (state, True)


def test_an_environment_without_a_cell_is_no_warning() -> None:
    here, elsewhere = {"commit": "1a2b", "since": "one"}, {"commit": "3c4d", "since": "two", "cells": 5}
    back = {"commit": "1a2b", "since": "three", "cells": 5}
    assert checks.of_environments([], 5) == []
    assert checks.of_environments([here, elsewhere], 5) == []  # a study that was only summed up there
    assert checks.of_environments([here, elsewhere, back], 9) == []  # and then went on where it was begun
    (found,) = checks.of_environments([here, elsewhere, {**back, "cells": 7}], 9)
    assert found["state"] == "warning"
    assert "after 5 finished cells and trials (two): commit 1a2b, now 3c4d" in found["words"]
    assert "after 7 finished cells and trials (three): commit 3c4d, now 1a2b" in found["words"]
