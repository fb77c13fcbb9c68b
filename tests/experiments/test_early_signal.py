"""The probe of a pretraining: the scores are those of scikit-learn, the training does not notice, a resume says the same."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import RidgeCV
from sklearn.metrics import average_precision_score
from sklearn.neighbors import KNeighborsClassifier

import pretint
from pretint.experiments.early_signal import EarlySignal, choose_pictures
from pretint.run_folder import RunFolder
from tests.conftest import paint
from tests.experiments.tiny_runs import PRETRAIN
from tests.training.driving import Outcome

STRIDES = ("2", "4", "8", "16")


def probes(run: Path) -> list[dict[str, Any]]:
    return [entry for entry in RunFolder.open(run).metrics() if entry["kind"] == "probe"]


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 labelled pictures in the list train; those of the list test cannot even be opened."""
    folder = tmp_path_factory.mktemp("data") / "lists"
    folder.mkdir()
    rows = ["file,warm,bright,split"]
    for i in range(52):
        rgb, _ = paint(400 + i)
        Image.fromarray(rgb).save(folder / f"{i:02d}.png")
        if i >= 40:
            (folder / f"{i:02d}.png").write_bytes(b"")
        rows.append(
            f"{i:02d}.png,{int(rgb[..., 0].mean() > 128)},{int(rgb.mean() > 128)},{'test' if i >= 40 else 'train'}"
        )
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def probed(pictures: Path, lists: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "probed"
    pretint.pretrain(data=pictures, out=out, probe=lists, **PRETRAIN | {"epochs": 3})
    return out


def test_one_entry_a_validation(probed: Path, lists: Path) -> None:
    entries = probes(probed)
    assert [(entry["step"], entry["epoch"]) for entry in entries] == [(3, 1), (6, 2), (9, 3)]
    account = RunFolder.open(probed).manifest["probe"]
    for entry in (*entries, account["untrained"]):
        assert tuple(entry["scores"]) == tuple(entry["ranks"]) == STRIDES
        assert all(0 < score <= 1 for score in entry["scores"].values())
        assert all(1 <= rank <= 40 for rank in entry["ranks"].values())
    assert (account["score"], account["method"], account["training"], account["scored"]) == ("map", "ridge", 30, 10)
    assert account["folder"] == str(lists)
    chosen = choose_pictures(lists, 2000, 0)
    shares = [np.mean([name in (r.labels or ()) for r in chosen.scored]) for name in chosen.classes]
    assert account["constant"] == pytest.approx(np.mean(shares))
    assert len({str(entry["scores"]) for entry in entries}) > 1  # it looks at the weights of the epoch


def features_of_last(run: Path, paths: list[Path], out: Path) -> dict[str, np.ndarray]:
    weights = RunFolder.open(run).checkpoint("last") / "weights.safetensors"
    return {str(stride): table for stride, table in pretint.embed(weights, paths, out=out).features.items()}


def test_ridge_by_scikit_learn(probed: Path, lists: Path, tmp_path: Path) -> None:
    chosen = choose_pictures(lists, 2000, PRETRAIN.get("seed", 0))
    target = np.array([[name in (r.labels or ()) for name in chosen.classes] for r in chosen.training])
    truth = np.array([[name in (r.labels or ()) for name in chosen.classes] for r in chosen.scored])
    tables = features_of_last(probed, [r.path for r in (*chosen.training, *chosen.scored)], tmp_path / "out")
    for stride, x in tables.items():
        x = (x - x[:30].mean(axis=0)) / np.maximum(x[:30].std(axis=0), 1e-9)
        oracle = RidgeCV(alphas=30 * 10 ** (np.arange(-10, 7) / 2)).fit(x[:30], target.astype(float))
        expected = average_precision_score(truth, oracle.predict(x[30:]))
        assert probes(probed)[-1]["scores"][stride] == pytest.approx(expected, abs=1e-6)
        shares = np.linalg.svd(tables[stride].astype(np.float64), compute_uv=False)
        shares /= shares.sum()
        assert probes(probed)[-1]["ranks"][stride] == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-4)


def test_knn_of_single_labels_by_scikit_learn(pictures: Path, sorted_pictures: Path, tmp_path: Path) -> None:
    """Folders without lists: all of it is a training list; one label a picture, so top-1."""
    out = tmp_path / "run"
    options = PRETRAIN | {"epochs": 2, "probe_every": 5, "probe_method": "knn"}
    pretint.pretrain(data=pictures, out=out, probe=sorted_pictures, **options)
    assert RunFolder.open(out).manifest["probe"]["score"] == "top1"
    (entry,) = probes(out)  # the last epoch is always probed
    assert entry["epoch"] == 2
    chosen = choose_pictures(sorted_pictures, 2000, 0)
    tables = features_of_last(out, [r.path for r in (*chosen.training, *chosen.scored)], tmp_path / "features")
    labels = np.array([r.labels[0] for r in (*chosen.training, *chosen.scored)])  # type: ignore[index]
    for stride, x in tables.items():
        oracle = KNeighborsClassifier(12, metric="cosine", algorithm="brute", weights=lambda d: np.exp((1 - d) / 0.07))
        assert entry["scores"][stride] == oracle.fit(x[:12], labels[:12]).score(x[12:], labels[12:])
    share = max(entry["scores"].values())
    assert entry["error"] == pytest.approx((share * (1 - share) / 4) ** 0.5, rel=0.2)  # of a share among four pictures


def test_the_training_does_not_notice(probed: Path, pictures: Path, tmp_path: Path) -> None:
    pretint.pretrain(data=pictures, out=tmp_path / "plain", **PRETRAIN | {"epochs": 3})
    one, other = Outcome.of(probed), Outcome.of(tmp_path / "plain")
    one.metrics = [entry for entry in one.metrics if entry["kind"] != "probe"]
    one.assert_equal(other)


def test_a_killed_run_says_the_same_when_resumed(
    probed: Path, pictures: Path, lists: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the second epoch's entry was written and before its checkpoint was."""
    options = PRETRAIN | {"data": pictures, "out": tmp_path / "run", "probe": lists, "epochs": 3}
    call = EarlySignal.__call__

    def killed(self: EarlySignal, epochs: int, objective: Any) -> None:
        call(self, epochs, objective)
        if epochs == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(EarlySignal, "__call__", killed)
        with pytest.raises(KeyboardInterrupt):
            pretint.pretrain(**options)
    assert len(probes(tmp_path / "run")) == 2
    pretint.pretrain(**options, resume=True)
    Outcome.of(tmp_path / "run").assert_equal(Outcome.of(probed))
    accounts = [RunFolder.open(run).manifest["probe"] for run in (tmp_path / "run", probed)]
    assert accounts[0] == accounts[1]


def test_a_probe_may_begin_with_a_resume_but_not_change(
    pictures: Path, lists: Path, labelled: Path, tmp_path: Path
) -> None:
    options = PRETRAIN | {"data": pictures, "out": tmp_path / "run", "epochs": 1}
    pretint.pretrain(**options)
    pretint.pretrain(**options, resume=True, probe=lists)  # nothing is left to train, so nothing to probe
    assert probes(tmp_path / "run") == []
    moved = shutil.copytree(lists, tmp_path / "moved")
    pretint.pretrain(**options, resume=True, probe=moved)
    pretint.pretrain(**options, resume=True)
    for other in ({"probe": labelled}, {"probe": lists, "probe_method": "knn"}, {"probe": lists, "probe_pictures": 20}):
        with pytest.raises(pretint.RunError, match=r"--probe .*was probed on other pictures or in another way"):
            pretint.pretrain(**options, resume=True, **other)


def test_what_is_said(pictures: Path, lists: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = shutil.copytree(lists, tmp_path / "data")
    (data / "07.png").write_bytes(b"no picture")
    out = tmp_path / "run"
    pretint.pretrain(data=pictures, out=out, probe=data, quiet=False, **PRETRAIN | {"epochs": 2})
    said = capsys.readouterr().err.splitlines()
    assert sum("probe: 1 pictures left out; the first:" in line and "07.png" in line for line in said) == 3
    number = r"\d\.\d{3}"
    depths = "  ".join(f"{stride}: {number}" for stride in STRIDES)
    first, second = (line for line in said if re.match(r"epoch \d  probe ", line))
    found = rf"map at stride {depths}  \(effective rank \d+\.\d to \d+\.\d\)"
    floors = rf"untrained {number}, constant {number}"
    assert re.fullmatch(rf"epoch 1  probe {found}  standard error {number}  {floors}", first)
    words = rf"(the best so far|not above epoch 1), by ({number}) \(standard error {number}\)"
    course = re.fullmatch(rf"epoch 2  probe {found}  {words}  {floors}", second)
    assert course
    best = [max(entry["scores"].values()) for entry in probes(out)]
    assert course[1] == ("the best so far" if best[1] > best[0] else "not above epoch 1")
    assert float(course[2]) == pytest.approx(abs(best[1] - best[0]), abs=1e-3)


def test_pictures_are_chosen_by_the_seed_and_fairly(lists: Path) -> None:
    one, again, other = (choose_pictures(lists, 16, seed) for seed in (0, 0, 1))
    assert one == again
    assert {r.id for r in one.training} != {r.id for r in other.training}
    assert (len(one.training), len(one.scored)) == (12, 4)
    assert {r.id for r in one.training}.isdisjoint(r.id for r in one.scored)
    assert all(int(Path(r.id).stem) < 40 for r in (*one.training, *one.scored))  # none of the test list
    whole = choose_pictures(lists, 2000, 0)
    share = np.mean(["warm" in (r.labels or ()) for r in (*whole.training, *whole.scored)])
    part = np.mean(["warm" in (r.labels or ()) for r in (*one.training, *one.scored)])
    assert abs(share - part) <= 1 / 16


def test_masks_are_labels_too(masked: Path) -> None:
    chosen = choose_pictures(masked, 2000, 0)
    assert chosen.classes == ("sun", "moon")
    for record in chosen.training:  # discs are suns and moons by turns
        assert record.labels == (("sun", "moon")[int(Path(record.id).stem) % 2],)


def test_what_is_refused(pictures: Path, lists: Path, tmp_path: Path) -> None:
    options = PRETRAIN | {"data": pictures, "out": tmp_path / "run"}
    with pytest.raises(pretint.DataError, match=r"--probe .*pictures has 0 labelled pictures"):
        pretint.pretrain(**options, probe=pictures)
    few = tmp_path / "few"
    few.mkdir()
    rows = [f"{i:02d}.png,{int(i == 3)}" for i in range(9)]
    for i in range(9):
        shutil.copy(lists / f"{i:02d}.png", few)
    (few / "labels.csv").write_text("\n".join(["file,rare", *rows]) + "\n")
    with pytest.raises(pretint.DataError, match=r"--probe .*no class is shown by several of the 9 pictures"):
        pretint.pretrain(**options, probe=few)
    with pytest.raises(pretint.OptionError, match="--probe-every"):
        pretint.pretrain(**options, probe=lists, probe_every=0)
    assert not (tmp_path / "run").exists()
    broken = shutil.copytree(lists, tmp_path / "broken")
    for record in choose_pictures(lists, 2000, 0).scored:
        (broken / record.id).write_bytes(b"no picture")
    with pytest.raises(pretint.DataError, match=r"--probe .*too few of its pictures can be read; .*is no picture"):
        pretint.pretrain(**options, probe=broken)
