"""What users get wrong is told in one sentence with exit code 2, and the folder stays as it was."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import pretint
from pretint.cli import main
from pretint.experiments import starting
from pretint.objective import Loss
from pretint.pretexts.regression import Regression
from pretint.run_folder import RunFolder, checksum
from tests.conftest import paint
from tests.experiments.tiny_runs import FINETUNE, PRETRAIN, arguments

Refused = Callable[..., str]


@pytest.fixture
def refused(capfd: pytest.CaptureFixture[str]) -> Refused:
    """Runs a command that must be refused; gives back its sentence."""

    def run(verb: str, **values: Any) -> str:
        base = {"pretrain": PRETRAIN, "finetune": FINETUNE}.get(verb, {})
        code = main(arguments(verb, {**base, **values}))
        _, errors = capfd.readouterr()
        assert code == 2, errors
        assert "Traceback" not in errors
        last = errors.rstrip("\n").splitlines()[-1]
        assert last.startswith("pretint: ")
        return last

    return run


@pytest.fixture(scope="module")
def _finished(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "finished"
    pretint.pretrain(data=pictures, out=out, **PRETRAIN)
    return out


@pytest.fixture
def finished(_finished: Path, tmp_path: Path) -> Path:
    """A copy of a finished run, to be spoiled."""
    return Path(shutil.copytree(_finished, tmp_path / "finished"))


def test_folders(refused: Refused, tmp_path: Path, pictures: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "notes.md").write_text("nothing to see")
    for verb in ("pretrain", "finetune"):
        assert "nowhere: there is no such folder" in refused(
            verb, data=tmp_path / "nowhere", out=tmp_path / "run1" / verb
        )
        assert "empty: no pictures here" in refused(verb, data=tmp_path / "empty", out=tmp_path / "run2" / verb)
        assert "text: no pictures here" in refused(verb, data=tmp_path / "text", out=tmp_path / "run3" / verb)
        assert "this is a file" in refused(verb, data=tmp_path / "text" / "notes.md", out=tmp_path / "run4" / verb)
    words = refused("finetune", data=pictures, out=tmp_path / "run")
    assert "the layout pictures has no masks here, which segmentation needs" in words


def test_a_mistaken_folder_can_be_corrected(refused: Refused, pictures: Path, tmp_path: Path) -> None:
    """After a refusal the same command with the right folder works: no run is left in the way."""
    refused("pretrain", data=tmp_path / "nowhere", out=tmp_path / "run")
    assert RunFolder.open(tmp_path / "run").manifest["state"] == "failed"
    pretint.pretrain(data=pictures, out=tmp_path / "run", **PRETRAIN | {"epochs": 1})


def test_out_holds_a_run(refused: Refused, finished: Path, pictures: Path, tmp_path: Path) -> None:
    before = {path: checksum(path) for path in finished.rglob("*") if path.is_file()}
    assert f"--out {finished}: holds a run already" in refused("pretrain", data=pictures, out=finished)
    assert {path: checksum(path) for path in finished.rglob("*") if path.is_file()} == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    assert "is not empty" in refused("pretrain", data=pictures, out=tmp_path / "mine")


def test_resume_with_another_option(refused: Refused, finished: Path, pictures: Path, masked: Path) -> None:
    again = {"data": pictures, "out": finished, "resume": True}
    assert "--batch-size differs" in refused("pretrain", **again, batch_size=6)
    assert "--unet.width differs" in refused("pretrain", **again, unet={"width": 0.2})
    assert "--loop.ema differs" in refused("pretrain", **again, loop=PRETRAIN["loop"] | {"ema": 0.9})
    words = refused("pretrain", **again, seed=5, epochs=9)
    assert "--epochs differs" in words
    assert "so do 1 more" in words
    assert "the pictures have changed" in refused("pretrain", **again | {"data": masked / "images"})
    words = refused("finetune", data=masked, out=finished, resume=True)
    assert "holds a run of pretint pretrain, not of pretint finetune" in words


def test_resume_with_a_free_option(finished: Path, pictures: Path) -> None:
    before = checksum(RunFolder.open(finished).checkpoint("last") / "weights.safetensors")
    loop = PRETRAIN["loop"] | {"workers": 1, "log_every": 5, "save_minutes": 1.0}
    result = pretint.pretrain(data=pictures, out=finished, resume=True, **PRETRAIN | {"loop": loop})
    assert result.scores
    assert checksum(RunFolder.open(finished).checkpoint("last") / "weights.safetensors") == before


def test_resume_where_nothing_is_begins(pictures: Path, tmp_path: Path) -> None:
    pretint.pretrain(data=pictures, out=tmp_path / "run", resume=True, **PRETRAIN | {"epochs": 1})
    assert RunFolder.open(tmp_path / "run").manifest["state"] == "finished"


@pytest.mark.parametrize("name", ["weights.safetensors", "optimizer.safetensors"])
def test_a_tampered_checkpoint(name: str, refused: Refused, finished: Path, pictures: Path, masked: Path) -> None:
    path = RunFolder.open(finished).checkpoint("last") / name
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    words = refused("pretrain", data=pictures, out=finished, resume=True)
    assert name in words
    assert "checksum" in words
    path.unlink()
    assert name in refused("pretrain", data=pictures, out=finished, resume=True)


def test_a_tampered_best_checkpoint(refused: Refused, finished: Path, masked: Path, tmp_path: Path) -> None:
    path = RunFolder.open(finished).checkpoint("best") / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-9])
    assert "checksum" in refused("finetune", data=masked, out=tmp_path / "run", init=finished)
    with pytest.raises(pretint.RunError, match="checksum"):
        pretint.load_backbone(finished)


def test_damaged_json(refused: Refused, finished: Path, pictures: Path) -> None:
    progress = RunFolder.open(finished).checkpoint("last") / "progress.json"
    whole = progress.read_text()
    progress.write_text(whole[:40])
    assert "progress.json is missing or damaged" in refused("pretrain", data=pictures, out=finished, resume=True)
    progress.write_text(whole)
    (finished / "run.json").write_text("{")
    assert "run.json: is damaged" in refused("pretrain", data=pictures, out=finished, resume=True)


def test_init_of_another_architecture(refused: Refused, finished: Path, masked: Path, tmp_path: Path) -> None:
    ask = {"data": masked, "init": finished}
    words = refused("finetune", **ask, out=tmp_path / "a", unet={"width": 0.2})
    assert "e1.conv" in words or "b.conv" in words
    assert "of another size or architecture" in words
    words = refused("finetune", **ask, out=tmp_path / "b", size=64)
    assert f"{finished} has a U-Net for 16 px, whose depth is fixed; take --size 16" in words
    options = {k: v for k, v in FINETUNE.items() if k != "unet"} | ask | {"residual": {"width": 6}}
    code = main(arguments("finetune", options | {"out": tmp_path / "c", "backbone": "residual"}))
    assert code == 2
    assert not (tmp_path / "a").exists()


def test_init_that_is_no_weights(refused: Refused, masked: Path, tmp_path: Path) -> None:
    assert "is not the folder of a run" in refused("finetune", data=masked, out=tmp_path / "a", init=tmp_path)
    words = refused("finetune", data=masked, out=tmp_path / "b", init=tmp_path / "gone.safetensors")
    assert "there is no such file" in words
    (tmp_path / "pickle.safetensors").write_bytes(b"\x80\x04K\x01.")
    words = refused("finetune", data=masked, out=tmp_path / "c", init=tmp_path / "pickle.safetensors")
    assert "pickled weights (.pt, .pth) are never loaded" in words
    save_file({"other": torch.zeros(2)}, tmp_path / "other.safetensors")
    words = refused("finetune", data=masked, out=tmp_path / "d", init=tmp_path / "other.safetensors")
    assert "has no tensor of this backbone" in words
    (tmp_path / "model.pth").write_bytes(b"\x80\x04K\x01.")
    refused("finetune", data=masked, out=tmp_path / "e", init=tmp_path / "model.pth")


def test_classes(refused: Refused, masked: Path, labelled: Path, tmp_path: Path) -> None:
    words = refused("finetune", data=masked, out=tmp_path / "a", classes=["comet"])
    assert "--classes comet" in words
    words = refused("finetune", data=labelled, out=tmp_path / "b", task="classification")
    assert "exactly one a picture" in words
    assert "no split 'trane'" in refused("finetune", data=masked, out=tmp_path / "c", split="trane")


def test_two_trainings_in_one_folder(refused: Refused, finished: Path, pictures: Path) -> None:
    with RunFolder.open(finished).locked():
        words = refused("pretrain", data=pictures, out=finished, resume=True)
    assert "another process is training in this folder" in words


def _spoil(monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    """From this call on the loss is not a number."""
    calls = []
    loss = Regression.loss

    def spoiled(self: Regression, *rest: Any) -> Loss:
        found = loss(self, *rest)
        calls.append(1)
        return Loss(found.total * float("nan"), found.count) if len(calls) >= call else found

    monkeypatch.setattr(Regression, "loss", spoiled)


def test_a_loss_that_is_no_number(
    refused: Refused, monkeypatch: pytest.MonkeyPatch, pictures: Path, finished: Path, tmp_path: Path
) -> None:
    with monkeypatch.context() as patch:
        _spoil(patch, 5)
        words = refused("pretrain", data=pictures, out=tmp_path / "run")
    assert "the loss of generator in its turn generator became nan at step 5" in words
    run = RunFolder.open(tmp_path / "run")
    assert run.manifest["state"] == "failed"
    assert run.pointer("last") == {"step": 3}
    for path in run.checkpoint("last").glob("*.safetensors"):
        assert all(tensor.isfinite().all() for tensor in load_file(path).values())
    pretint.pretrain(data=pictures, out=tmp_path / "run", resume=True, **PRETRAIN)
    files = [load_file(RunFolder.open(r).checkpoint("last") / "weights.safetensors") for r in (run.path, finished)]
    assert all(torch.equal(files[0][name], files[1][name]) for name in files[1])


def test_a_fault_of_ours_is_noted(monkeypatch: pytest.MonkeyPatch, pictures: Path, tmp_path: Path) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(starting.Loop, "train", broken)
    with pytest.raises(ZeroDivisionError):
        pretint.pretrain(data=pictures, out=tmp_path / "run", **PRETRAIN)
    assert RunFolder.open(tmp_path / "run").manifest["state"] == "failed"


def test_memory_that_runs_out_in_a_training(
    refused: Refused, tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Loss:
        torch.empty(1 << 60)  # torch's own error, whatever it is on this system
        raise AssertionError("an exabyte was to be had")

    monkeypatch.setattr(Regression, "loss", full)
    out = tmp_path / "run"
    words = refused("pretrain", data=pictures, out=out)
    assert f"{out}: memory ran out (cpu) with batches of {PRETRAIN['batch_size']} pictures" in words
    assert "--loop.accumulate 2" in words
    assert RunFolder.open(out).manifest["state"] == "failed"


SMALLEST = {name: value for name, value in PRETRAIN.items() if name != "unet"} | {
    "epochs": 1, "validation": 0, "backbone": "residual", "residual": {"width": 8},
}  # fmt: skip


@pytest.mark.parametrize(
    ("spoiling", "told"),
    [
        ({"batch_size": 1}, "1 pictures of 16 px in 1 part;"),
        ({"loop": SMALLEST["loop"] | {"accumulate": 4}}, "4 pictures of 16 px in 4 parts;"),
        (
            {
                "batch_size": 1, "backbone": "unet", "unet": {"width": 0.1}, "pretext": "cgan",
                "cgan": {"critic_width": 0.1, "critic_normalization": "instance"},
            },
            "1 pictures of 16 px in 1 part;",
        ),
    ],
    ids=["one picture", "parts of one", "critic"],
)  # fmt: skip
def test_one_value_a_channel(spoiling: dict[str, Any], told: str, pictures: Path, tmp_path: Path) -> None:
    """The coarsest map of 16 px is one pixel; of one picture a norm layer sees one value a channel."""
    out = tmp_path / "run"
    asked = {name: value for name, value in SMALLEST.items() if not (name == "residual" and "unet" in spoiling)}
    with pytest.raises(pretint.TrainingError, match="a norm layer needs more than one value a channel") as raised:
        pretint.pretrain(data=pictures, out=out, **asked | spoiling)
    words = str(raised.value)
    assert told in words
    assert all(option in words for option in (f"{out}: ", "--size", "--batch-size", "--loop.accumulate"))
    pretint.pretrain(data=pictures, out=out, **SMALLEST)  # nothing is in the way of what the sentence asks for


@pytest.mark.parametrize("options", [{}, {"size": 32, "first_size": 0.5}], ids=["size", "first size"])
@pytest.mark.parametrize("kind", ["instance", "batch-always"])
def test_one_value_of_a_picture(kind: str, options: dict[str, Any], pictures: Path, tmp_path: Path) -> None:
    """Whatever the batch, a picture that is normalised by itself would lose all it has there, and could not be coloured alone."""
    asked = SMALLEST | {"residual": {"width": 8, "normalization": kind}}
    loop = SMALLEST["loop"] | {"first_size": options.get("first_size", 0.0)}
    with pytest.raises(pretint.OptionError, match=r"--size: at this size one value a channel is left of a picture"):
        pretint.pretrain(data=pictures, out=tmp_path / "run", **asked | {"size": options.get("size", 16), "loop": loop})
    assert not (tmp_path / "run").exists()
    pretint.pretrain(data=pictures, out=tmp_path / "run", **asked | {"size": 64})
    pretint.colorize(pictures / "00.png", out=tmp_path / "coloured", model=tmp_path / "run")


@pytest.mark.parametrize("seed", [-1, 2**64])
@pytest.mark.parametrize("verb", ["pretrain", "finetune"])
def test_a_seed_that_is_none(
    verb: str, seed: int, refused: Refused, pictures: Path, masked: Path, tmp_path: Path
) -> None:
    data = pictures if verb == "pretrain" else masked
    words = refused(verb, data=data, out=tmp_path / "run", validation=0, seed=seed)
    assert f"--seed {seed}: a seed is a whole number from 0 to 2**64 - 1" in words
    assert not (tmp_path / "run").exists()


def test_an_update_that_loses_the_network(pictures: Path, tmp_path: Path) -> None:
    """The loss is from before the last update: what it made of the network shows in what it predicts, or in the weights."""
    once = SMALLEST | {"pretext": "regression", "batch_size": 16, "loop": SMALLEST["loop"] | {"precision": "float32"}}
    words = "at step 1 the network gives values that are not numbers"
    for name, validation in (("a", 2), ("b", 0)):
        asked = once | {"validation": validation, "regression": {"rate": 1e30}}
        with pytest.raises(pretint.TrainingError, match=words):
            pretint.pretrain(data=pictures, out=tmp_path / name, **asked)
    for name in ("a", "b"):
        run = RunFolder.open(tmp_path / name)
        assert (run.manifest["state"], run.pointer("last")) == ("failed", None)


def test_a_held_out_part_that_shows_none_of_the_classes(refused: Refused, tmp_path: Path) -> None:
    folder = tmp_path / "rare"
    folder.mkdir()
    for i in range(24):
        Image.fromarray(paint(i)[0]).save(folder / f"{i:02d}.png")
    (folder / "labels.csv").write_text("file,rare\n" + "".join(f"{i:02d}.png,{int(i < 2)}\n" for i in range(24)))
    asked = {"data": folder, "task": "multilabel", "out": tmp_path / "run"}
    words = refused("finetune", **asked, validation=0.2)
    assert "--validation 0.2: the held-out part shows none of the classes rare in its 5 pictures" in words
    assert "or 0: then the last checkpoint counts" in words
    assert not (tmp_path / "run").exists()
    assert main(arguments("finetune", {**FINETUNE, **asked, "validation": 0})) == 0


@pytest.mark.parametrize(
    ("verb", "options", "words"),
    [
        ("finetune", {"rate": float("nan")}, "--rate nan: must be a finite number"),
        ("finetune", {"weight_decay": float("inf")}, "--weight-decay inf: must be a finite number"),
        ("pretrain", {"loop": {"clip": float("nan")}}, "--loop.clip nan: must be a finite number"),
        ("pretrain", {"validation": float("nan")}, "--validation nan: must be a finite number"),
    ],
)
def test_what_is_no_number(
    verb: str, options: dict[str, Any], words: str, refused: Refused, pictures: Path, masked: Path, tmp_path: Path
) -> None:
    base = PRETRAIN if verb == "pretrain" else FINETUNE
    merged = {name: {**base[name], **value} if isinstance(value, dict) else value for name, value in options.items()}
    assert words in refused(verb, data=pictures if verb == "pretrain" else masked, out=tmp_path / "run", **merged)
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(torch.cuda.is_available() or torch.backends.mps.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("kind", ["cuda", "mps"])
@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_a_gpu_that_is_not_there(kind: str, precision: str, refused: Refused, pictures: Path, tmp_path: Path) -> None:
    loop = PRETRAIN["loop"] | {"accelerator": kind, "precision": precision}
    words = refused("pretrain", data=pictures, out=tmp_path / "run", loop=loop)
    assert f"--loop.accelerator {kind}: this torch finds no such GPU here" in words
    assert not (tmp_path / "run").exists()


def test_a_resume_that_is_refused_leaves_the_run_as_it_was(
    refused: Refused, pictures: Path, masked: Path, tmp_path: Path
) -> None:
    photos = Path(shutil.copytree(pictures, tmp_path / "photos"))
    Image.new("RGB", (40, 40), (90, 90, 90)).save(photos / "grey.png")
    out = tmp_path / "run"
    pretint.pretrain(data=photos, out=out, **PRETRAIN)
    manifest = RunFolder.open(out).manifest
    manifest["environment"]["torch"] = "0.1"  # another environment, which a resume would note
    RunFolder.open(out).write_manifest(manifest)
    kept = {path.name: path.read_bytes() for path in out.iterdir() if path.suffix in (".json", ".jsonl", ".tsv")}
    assert b"grey.png" in kept["left_out.tsv"]
    assert "the pictures have changed" in refused("pretrain", data=masked / "images", out=out, resume=True)
    assert {name: (out / name).read_bytes() for name in kept} == kept


def test_a_resume_with_other_classes(refused: Refused, masked: Path, tmp_path: Path) -> None:
    """The same pictures, masks and names, but two names have changed places: the outputs would mean something else."""
    data, out = Path(shutil.copytree(masked, tmp_path / "data")), tmp_path / "run"
    pretint.finetune(data=data, out=out, **FINETUNE)
    run = RunFolder.open(out)
    before = (out / "run.json").read_bytes()
    (data / "classes.txt").write_text("0 ground\n2 sun\n1 moon\n")
    words = refused("finetune", data=data, out=out, resume=True)
    assert f"--resume: the classes have changed since {out} was begun (0 ground, 1 sun, 2 moon; now " in words
    assert "0 ground, 2 sun, 1 moon); restore them, or begin a new run" in words
    (data / "classes.txt").write_text("ground\nsun\nstar\n")
    assert "now 0 ground, 1 sun, 2 star" in refused("finetune", data=data, out=out, resume=True)
    assert (out / "run.json").read_bytes() == before
    # A run that did not note the map goes on as long as the names are the same.
    manifest = run.manifest
    del manifest["data"]["mask_map"]
    run.write_manifest(manifest)
    assert "the classes have changed" in refused("finetune", data=data, out=out, resume=True)
    (data / "classes.txt").write_text("ground\nsun\nmoon\n")
    pretint.finetune(data=data, out=out, resume=True, **FINETUNE)


def test_a_run_that_is_held_is_not_written_to(refused: Refused, finished: Path, pictures: Path) -> None:
    manifest = RunFolder.open(finished).manifest
    manifest["environment"]["torch"] = "0.1"  # another environment, which a resume notes
    RunFolder.open(finished).write_manifest(manifest)
    before = (finished / "run.json").read_bytes()
    with RunFolder.open(finished).locked():
        assert "another process is training" in refused("pretrain", data=pictures, out=finished, resume=True)
    assert (finished / "run.json").read_bytes() == before


def test_an_out_folder_that_cannot_be_made(refused: Refused, pictures: Path, masked: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    parted = Path(shutil.copytree(masked, tmp_path / "parted"))
    (parted / "train.txt").write_text("".join(f"{i:02d}\n" for i in range(12)))
    (parted / "test.txt").write_text("12\n13\n")
    asked: dict[str, dict[str, Any]] = {
        "pretrain": {"data": pictures},
        "finetune": {"data": masked},
        "compare": {"data": parted, "task": "segmentation", "arms": ["scratch"]},
        "demo": {},
    }
    for verb, values in asked.items():
        words = refused(verb, **values, out=tmp_path / "file" / "run")
        path = tmp_path / "file" / "run" / ("scenes" if verb == "demo" else "")
        assert f"{path}: cannot be written" in words
