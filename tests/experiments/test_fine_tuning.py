"""Fine-tuning from folder to run: phases of the recipes, what is loaded, what the run tells."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import pretint
from pretint.cli import main
from pretint.commands.finetune import SCHEMA
from pretint.commands.resolve import options_from_call
from pretint.errors import TrainingError
from pretint.experiments import fine_tuning
from pretint.run_folder import RunFolder
from pretint.tasks.classifier import Classifier
from pretint.tasks.fine_tuning import FineTuning
from pretint.tasks.segmentation import Segmenter
from tests.experiments.tiny_runs import FINETUNE, PRETRAIN, arguments


@pytest.fixture(scope="module")
def pretrained(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "pretrained"
    pretint.pretrain(data=pictures, out=out, **PRETRAIN | {"epochs": 1})
    return out


@pytest.fixture
def objectives(monkeypatch: pytest.MonkeyPatch) -> list[FineTuning]:
    """Objectives that would have been trained; nothing is."""
    found: list[FineTuning] = []
    monkeypatch.setattr(fine_tuning, "run_loop", lambda start, options, objective, *rest: found.append(objective))
    return found


def _phases(objective: FineTuning) -> list[tuple[int, tuple[str, ...], float]]:
    rate = objective.players["network"].optimizer.rate
    return [(p.epochs, p.frozen, rate if p.rate is None else p.rate) for p in objective.phases]


@pytest.mark.parametrize(
    ("task", "pretrained_phases", "scratch_phases"),
    [
        ("multilabel", [(3, ("network.backbone",), 3e-4), (1, (), 5e-5)], [(4, (), 3e-4)]),
        (
            "segmentation",
            [(1, ("network.backbone", "network.decoder"), 3e-4), (5, (), 5e-5)],
            [(6, (), 3e-4)],
        ),
    ],
)
def test_the_papers_phases(
    task: str, pretrained_phases: list[Any], scratch_phases: list[Any], objectives: list[FineTuning],
    pretrained: Path, masked: Path, labelled: Path, tmp_path: Path,
) -> None:  # fmt: skip
    data = masked if task == "segmentation" else labelled
    options = {
        "task": task,
        "recipe": "paper",
        "size": 16,
        "batch_size": 4,
        "unet": {"width": 0.1},
        "loop": FINETUNE["loop"],
    }
    pretint.finetune(data=data, out=tmp_path / "a", init=str(pretrained), **options)
    pretint.finetune(data=data, out=tmp_path / "b", **options)
    assert _phases(objectives[0]) == pretrained_phases
    assert _phases(objectives[1]) == scratch_phases


@pytest.mark.parametrize("task", ["segmentation", "multilabel"])
def test_share_that_is_loaded(
    task: str, objectives: list[FineTuning], pretrained: Path, masked: Path, labelled: Path, tmp_path: Path
) -> None:
    data = masked if task == "segmentation" else labelled
    result = pretint.finetune(data=data, out=tmp_path / "run", init=pretrained, **FINETUNE | {"task": task})
    source = load_file(RunFolder.open(pretrained).checkpoint() / "weights.safetensors")
    network = objectives[0].network
    loaded = total = 0
    for name, parameter in network.named_parameters():
        total += parameter.numel()
        if name.startswith(("backbone.", "decoder.")):
            loaded += parameter.numel()
            assert torch.equal(parameter, source[f"generator.{name}"]), name
    assert result.loaded == pytest.approx(loaded / total)
    account = RunFolder.open(tmp_path / "run").manifest["loaded"]
    assert (account["loaded"], account["total"]) == (loaded, total)
    assert account["parts"] == (["backbone", "decoder"] if task == "segmentation" else ["backbone"])
    # moving averages come along
    buffers = dict(network.backbone.named_buffers())
    assert all(torch.equal(b, source[f"generator.backbone.{n}"]) for n, b in buffers.items())


def test_init_brings_its_network_along(
    objectives: list[FineTuning], pretrained: Path, masked: Path, tmp_path: Path
) -> None:
    """The width of the pretrained run is taken over where it is not said."""
    options = {name: value for name, value in FINETUNE.items() if name not in ("backbone", "unet", "size")}
    pretint.finetune(data=masked, out=tmp_path / "run", init=pretrained, **options)
    values = RunFolder.open(tmp_path / "run").manifest["options"]
    assert (values["size"], values["unet"]["width"]) == (16, 0.1)


def test_the_arms_differ_in_weights_alone(
    objectives: list[FineTuning], pretrained: Path, masked: Path, tmp_path: Path
) -> None:
    """The head starts alike from scratch and pretrained: the draws come before the loading."""
    pretint.finetune(data=masked, out=tmp_path / "a", init=pretrained, **FINETUNE)
    pretint.finetune(data=masked, out=tmp_path / "b", **FINETUNE)
    heads = [o.network.head.state_dict() for o in objectives]
    assert all(torch.equal(heads[0][name], heads[1][name]) for name in heads[0])
    bodies = [o.network.backbone.state_dict() for o in objectives]
    assert not all(torch.equal(bodies[0][name], bodies[1][name]) for name in bodies[0])


def test_a_run_and_its_file(pretrained: Path, masked: Path, tmp_path: Path) -> None:
    """A fine-tuned run is scored, and both a run and its weights' file can be started from."""
    result = pretint.finetune(data=masked, out=tmp_path / "run", init=pretrained, **FINETUNE)
    manifest = RunFolder.open(tmp_path / "run").manifest
    assert manifest["classes"] == ["ground", "sun", "moon"]
    assert sum(manifest["constant"]) == pytest.approx(1)
    assert (manifest["data"]["training"], manifest["data"]["held_out"]) == (12, 4)
    assert set(result.scores) == {"miou", "pixel_accuracy"}
    again = pretint.finetune(data=masked, out=tmp_path / "again", init=tmp_path / "run", **FINETUNE)
    assert again.loaded == result.loaded
    weights = RunFolder.open(pretrained).checkpoint() / "weights.safetensors"
    assert pretint.finetune(data=masked, out=tmp_path / "file", init=weights, **FINETUNE).scores == result.scores


def test_weights_of_others(pretrained: Path, objectives: list[FineTuning], labelled: Path, tmp_path: Path) -> None:
    """A file with a backbone's own names is loaded; what is left over is told."""
    backbone = pretint.load_backbone(pretrained).backbone
    tensors = {k: v.contiguous() for k, v in backbone.state_dict().items() if "num_batches" not in k}
    save_file({**tensors, "fc.weight": torch.zeros(3)}, tmp_path / "foreign.safetensors")
    pretint.finetune(
        data=labelled, out=tmp_path / "run", init=tmp_path / "foreign.safetensors", **FINETUNE | {"task": "multilabel"}
    )
    assert torch.equal(objectives[0].network.backbone.e1.conv.weight, tensors["e1.conv.weight"])
    loaded = RunFolder.open(tmp_path / "run").manifest["loaded"]
    assert (loaded["parts"], loaded["left_over"]) == (["backbone"], ["fc.weight"])


@pytest.mark.parametrize("task", ["segmentation", "multilabel", "classification"])
@pytest.mark.parametrize("backbone", ["unet", "residual"])
def test_every_task_on_every_backbone(
    task: str, backbone: str, masked: Path, labelled: Path, sorted_pictures: Path, tmp_path: Path
) -> None:
    data = {"segmentation": masked, "multilabel": labelled, "classification": sorted_pictures}[task]
    options = {k: v for k, v in FINETUNE.items() if k != "unet"} | {"task": task, "backbone": backbone, "epochs": 1}
    section = {"width": 0.1} if backbone == "unet" else {"width": 6, "blocks": (1, 1, 1)}
    result = pretint.finetune(data=data, out=tmp_path / "run", **options, **{backbone: section})
    assert all(0 <= value <= 1 for value in result.scores.values())
    assert result.loaded == 0


def test_fraction_keeps_the_held_out(objectives: list[FineTuning], masked: Path, tmp_path: Path) -> None:
    pretint.finetune(data=masked, out=tmp_path / "run", **FINETUNE | {"fraction": 0.5})
    data = RunFolder.open(tmp_path / "run").manifest["data"]
    assert (data["training"], data["held_out"]) == (6, 4)


@pytest.mark.parametrize(("asked", "used"), [(4, 4), (64, 12)])
def test_the_batch_that_was_used_is_noted(
    asked: int, used: int, objectives: list[FineTuning], masked: Path, tmp_path: Path
) -> None:
    """Of 16 pictures 12 are trained on: no batch can be larger."""
    pretint.finetune(data=masked, out=tmp_path / "run", **FINETUNE | {"batch_size": asked})
    manifest = RunFolder.open(tmp_path / "run").manifest
    assert (manifest["options"]["batch_size"], manifest["batch_size"]) == (asked, used)


def test_test_pictures_stay_unseen_without_a_list_of_training_pictures(
    masked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both kinds of training take all but the list ``test``, say so, and ``evaluate`` knows it."""
    data = Path(shutil.copytree(masked, tmp_path / "data"))
    (data / "test.txt").write_text("".join(f"{i:02d}\n" for i in range(6)))
    for verb, base in (("finetune", FINETUNE), ("pretrain", PRETRAIN)):
        run = tmp_path / verb
        assert main(arguments(verb, {**base, "epochs": 1, "data": data, "out": run, "validation": 2})) == 0
        assert f"{data}: has no list train; taken are all but test, 10 of 16 pictures\n" in capsys.readouterr().err
        counts = RunFolder.open(run).manifest["data"]
        assert (counts["training"], counts["held_out"]) == (8, 2)
        seen = {name: pretint.evaluate(run, data=data, split=name)["trained_on_these"] for name in ("test", "all")}
        assert seen == {"test": False, "all": True}
    assert RunFolder.open(tmp_path / "finetune").manifest["data"]["split"] == "all but test"


def test_masks_that_a_study_has_seen_are_not_looked_at_again(
    masked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fine-tuning by itself looks at them."""
    looked: list[int] = []
    monkeypatch.setattr(fine_tuning, "validate_masks", lambda records, mask_map: looked.append(len(records)))
    pretint.finetune(data=masked, out=tmp_path / "one", **FINETUNE)
    assert looked == [16]
    options = options_from_call(SCHEMA, {"data": masked, "out": tmp_path / "two", **FINETUNE})
    fine_tuning.finetune(options, quiet=True, masks_seen=True)
    assert looked == [16]


def test_classification_on_some_of_the_class_folders(
    sorted_pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = tmp_path / "sorted", tmp_path / "run"
    shutil.copytree(sorted_pictures, data)
    shutil.copytree(data / "odd", data / "third")
    options = {"task": "classification", "classes": ["odd", "even"], "epochs": 1}
    pretint.finetune(data=data, out=out, quiet=False, **FINETUNE | options)
    assert f"{data}: of other classes, and so left out: 8 of 24 pictures" in capsys.readouterr().err
    told = RunFolder.open(out).manifest["data"]
    assert (told["training"], told["held_out"]) == (12, 4)
    scored = pretint.evaluate(out, data=data)
    assert (scored["pictures"], scored["trained_on_these"]) == (16, True)


@pytest.mark.parametrize("task", ["multilabel", "segmentation"])
def test_a_training_whose_network_gives_no_numbers_ends(
    task: str, labelled: Path, masked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In eval mode, while its losses are numbers, as with moving averages that have overflowed."""
    network = Classifier if task == "multilabel" else Segmenter
    original = network.forward

    def overflowed(self: Any, planes: torch.Tensor) -> torch.Tensor:
        return original(self, planes) * (1.0 if self.training else torch.inf)

    monkeypatch.setattr(network, "forward", overflowed)
    options = FINETUNE | {"task": task, "epochs": 1, "validation": 4}
    with pytest.raises(TrainingError, match=r"run: at step \d+ the network gives values that are not numbers"):
        pretint.finetune(data=labelled if task == "multilabel" else masked, out=tmp_path / "run", **options)
