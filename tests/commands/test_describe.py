"""What a recipe or a run is: the paper's counts to the last digit, a run's networks, steps and files."""

import itertools
import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file

import pretint
from pretint.cli import main
from pretint.run_folder import RunFolder
from tests.experiments.tiny_runs import FINETUNE, PRETRAIN

# network: trainable, total, multiply-adds a picture; those of classifier and segmenter equal the authors' Keras summaries.
PAPER = {
    "generator": (54_415_362, 54_425_218, 5_981_077_504),
    "discriminator": (6_962_369, 6_965_185, 2_736_783_360),
    "classifier": (38_503_124, 38_507_988, 2_002_862_080),
    "segmenter": (54_454_293, 54_464_149, 6_618_611_712),
}


def test_the_papers_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "paper", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document == pretint.describe("paper")
    counts = {name: tuple(of.values()) for name, of in document["networks"].items()}
    assert counts == PAPER
    assert list(document["networks"]["generator"]) == ["trainable", "total", "multiply_adds"]
    assert document["steps"] == {"pictures": 82_783, "per_epoch": 2_586, "total": 51_720}
    assert (document["recipe"], document["options"]["size"]) == ("paper", 256)


def test_the_discriminator_of_the_text() -> None:
    networks = pretint.describe("paper-text")["networks"]
    assert tuple(networks["discriminator"].values()) == (2_766_529, 2_768_321, 3_146_809_344)
    assert tuple(networks["generator"].values()) == PAPER["generator"]


def test_the_classifier_follows_from_values_and_not_from_the_name(tmp_path: Path) -> None:
    """Of the paper's network it has the paper's dense layers, of a smaller one pooled features and one linear layer."""
    section = "[unet]\nwidth = {}\n"
    (tmp_path / "mine.toml").write_text('backbone = "unet"\nsize = 256\n' + section.format(1.0))
    (tmp_path / "paper.toml").write_text('backbone = "unet"\nsize = 128\n' + section.format(0.5))
    mine, small = (pretint.describe(str(tmp_path / f"{name}.toml"))["networks"] for name in ("mine", "paper"))
    assert tuple(mine["classifier"].values()) == PAPER["classifier"]
    channels = [1, 32, 64, 128, 256, 256, 256, 256]
    convolutions = sum(16 * below * above + above for below, above in itertools.pairwise(channels))
    norms = 2 * sum(channels[2:-1])
    pooled = 20 * sum(channels[3:]) + 20  # of stride 8 and more
    assert small["classifier"]["trainable"] == convolutions + norms + pooled


@pytest.mark.parametrize(("pictures", "per_epoch"), [(1000, 31), (32, 1), (31, 1)])
def test_steps(pictures: int, per_epoch: int) -> None:
    """The pictures that fill no whole batch are left out; fewer than a batch are one."""
    steps = pretint.describe("paper", pictures=pictures)["steps"]
    assert steps == {"pictures": pictures, "per_epoch": per_epoch, "total": 20 * per_epoch}


def test_a_table_for_people(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "150")
    assert main(["describe", "paper"]) == 0
    words = capsys.readouterr().out
    for number in ("54,415,362", "38,507,988", "6,618,611,712", "51,720 steps: 2,586 an epoch with 82,783 pictures"):
        assert number in words
    assert main(["describe", "small", "--pictures", "32"]) == 0
    assert "20 steps: 1 an epoch with 32 pictures" in capsys.readouterr().out
    assert main(["describe", "small", "--pictures", "1"]) == 0
    assert "1 an epoch with 1 picture\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "networks", "steps"),
    [
        ("coloring_run", ["generator"], {"pictures": 12, "per_epoch": 3, "total": 18}),
        ("multilabel_run", ["network"], {"pictures": 12, "per_epoch": 3, "total": 18}),
        ("segmentation_run", ["network"], {"pictures": 12, "per_epoch": 3, "total": 36}),
    ],
)
def test_a_run(
    kind: str, networks: list[str], steps: dict[str, int], request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    run = request.getfixturevalue(kind)
    described = pretint.describe(run)
    assert json.loads(json.dumps(described)) == described
    assert (described["run"], described["state"], described["steps"]) == (str(run), "finished", steps)
    assert described["done"] == steps["total"]
    assert described["best"] == RunFolder.open(run).pointer("best")
    assert list(described["networks"]) == networks
    tensors = load_file(RunFolder.open(run).checkpoint() / "weights.safetensors")
    numbers = {name: tensor.numel() for name, tensor in tensors.items() if "num_batches" not in name}
    averages = sum(count for name, count in numbers.items() if "running" in name)
    (counts,) = described["networks"].values()
    assert counts["total"] == sum(numbers.values())
    assert counts["trainable"] == counts["total"] - averages
    files = {path.relative_to(run).as_posix(): path.stat().st_size for path in run.rglob("*") if path.is_file()}
    assert described["files"] == files
    assert main(["describe", str(run)]) == 0
    assert f"finished at step {steps['total']}" in capsys.readouterr().out


def test_a_run_that_failed_at_its_pictures(
    tmp_path: Path, masked: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(pretint.DataError):
        pretint.pretrain(data=tmp_path / "nowhere", out=tmp_path / "run", **PRETRAIN)
    described = pretint.describe(tmp_path / "run")
    assert (described["state"], described["steps"], described["done"]) == ("failed", None, 0)
    assert list(described["networks"]) == ["generator"]
    data = Path(shutil.copytree(masked, tmp_path / "data"))
    monkeypatch.setattr("pretint.tasks.segmentation.read_mask", lambda path: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        pretint.finetune(data=data, out=tmp_path / "task", **FINETUNE)
    assert main(["describe", str(tmp_path / "task")]) == 0
    assert "failed at step 0" in capsys.readouterr().out


def test_neither_recipe_nor_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "papper"]) == 2
    assert "did you mean paper?" in capsys.readouterr().err
    assert main(["describe", "paper", "--pictures", "0"]) == 2
    assert "--pictures 0" in capsys.readouterr().err


def test_a_folder_without_a_run_is_not_taken_for_a_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for source in (tmp_path, tmp_path / "gone"):
        with pytest.raises(pretint.RunError, match=r"is no run \(it has no run.json\)"):
            pretint.describe(source)
    with pytest.raises(pretint.OptionError, match=r"--recipe bst: unknown"):
        pretint.describe("bst")
    (tmp_path / "paper").mkdir()  # a recipe's name means the recipe
    monkeypatch.chdir(tmp_path)
    assert {"generator", "discriminator"} <= pretint.describe("paper")["networks"].keys()
