"""The paper's trainings on data that are given: pretraining, colorizer's scores, transfer to both tasks over several seeds.

Everything goes through the verbs: ``pretrain`` and ``compare`` with recipe ``paper``, and ``evaluate``. What is finished is
not run again. The numbers are of the pictures that are given, and of the scale that is told: they stand beside the paper's
and never for them.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pretint import recipe
from pretint.commands.compare import compare
from pretint.commands.evaluate import evaluate
from pretint.commands.pretrain import pretrain
from pretint.data.layouts import open_pool, open_source
from pretint.errors import DataError, PretintError
from pretint.reproduction import transfer
from pretint.run_folder import RunFolder
from pretint.terminal import counted, tell

TOPIC = "Measured on the data that were given"
STATUS = "measured"
ARM = "pretrained"


@dataclass(frozen=True)
class Scale:
    """How much smaller than the paper's a run is: option values of both trainings, and the same in words."""

    pretraining: Mapping[str, Any]
    transfer: Mapping[str, Any]
    words: str


_SMALL = {"size": 64, "unet": {"width": 0.25}}
_EVERY_STEP = {"loop": {"log_every": 1}}  # Figure 8 is of every epoch, and an epoch of few pictures has few steps
SCALES = {
    "paper": Scale({}, {}, "recipe paper as it is: 256 px, width 1, 20 epochs of pretraining"),
    "laptop": Scale(
        {**_SMALL, "epochs": 5, "cgan": {"critic_width": 0.25}},
        _SMALL,
        "recipe paper scaled down: 64 px, width 0.25, 5 epochs of pretraining; the epochs of the transfer as they are",
    ),
}


TASKS: Mapping[str, Literal["labels", "mask"]] = {"multilabel": "labels", "segmentation": "mask"}
"""What is transferred to, and what it needs of a labelled picture."""


def check(voc: Path, coco: Path, coco_test: Path | None) -> None:
    """See that the data are there and have the lists that will be asked for, since the trainings before they are take hours.

    Raises:
        PretintError: they are not; the sentence begins with the option.
    """
    with _of("--coco"):
        open_pool([coco])
    if coco_test is not None:
        with _of("--coco-test"):
            open_source(coco_test).test_split()
    for task, target in TASKS.items():
        with _of("--voc"):
            source = open_source(voc, task=target)
            if not (source.classes if target == "labels" else source.mask_classes):
                raise DataError(f"{voc}: the layout {source.layout} has no {target} here, which {task} needs")
            source.training_split(_split(voc, task))
            if not {"test", "val"} & source.splits.keys():
                raise DataError(f"{voc}: has no list test or val to score {task} on; add one")


@contextmanager
def _of(option: str) -> Iterator[None]:
    """Name the option in what is told of its data."""
    try:
        yield
    except PretintError as error:
        raise type(error)(f"{option}: {error}") from None


def measure(
    voc: Path, coco: Path, coco_test: Path | None, runs: Path, scale: str, seeds: int, quiet: bool
) -> list[dict[str, Any]]:
    """Run what is missing; gives back numbers as ``pretint.reproduce`` does, those with the id of a published one in its place.

    Args:
        voc: Pascal VOC, or a part of it in its layout.
        coco: pictures without labels.
        coco_test: pictures that the colorizer is scored on; None: it is not scored.
        runs: folder for the trainings.
        scale: one of ``SCALES``.
        seeds: repetitions of the transfer.
        quiet: show no progress.

    Raises:
        PretintError: data or folders are not right.
        Interrupted: stopped by a signal; the same call goes on.
    """
    how = SCALES[scale]

    def say(line: str) -> None:
        tell(f"\n== {line}", quiet)

    say(f"pretraining ({how.words})")
    generator = runs / "pretrain"
    pretrain(data=coco, out=generator, recipe="paper", resume=True, quiet=quiet, **how.pretraining)
    numbers = [
        _number("measured_scale", "Scale", "How the trainings of these numbers differ from the paper's.", how.words),
        _number(
            "measured_pictures", "Pictures", "Unlabelled ones trained on; labelled ones follow below.",
            RunFolder.open(generator).manifest["data"]["training"],
        ),
        _number(
            "measured_folders", "Folders", "Where the pictures came from: labelled, unlabelled, and those that the colorizer is scored on.",
            [folder.name for folder in (voc, coco, coco_test) if folder is not None],
        ),
        _number("measured_on", "Where", "Machine and version of the pretraining.", _made_with(generator)),
    ]  # fmt: skip
    if coco_test is not None:
        say("scoring the colorizer")
        numbers += _colorizer(evaluate(generator, data=coco_test))
    studies = {}
    for task in TASKS:
        say(f"{task}: scratch and pretrained, {seeds} seeds")
        studies[task] = compare(
            task=task, data=voc, out=runs / task, arms=[f"{ARM}={generator}"], recipe="paper", seeds=seeds, split=_split(voc, task),
            fractions=[1.0], rates=[3e-4], least_steps=0, least_positives=0, resume=True, quiet=quiet,
            **recipe.merge(_EVERY_STEP, how.transfer),
        )  # fmt: skip
        if failed := studies[task]["failed"]:
            key, why = next(iter(failed.items()))
            raise PretintError(
                f"{runs / task}: {counted(len(failed), 'cell')} failed, the first {key}: {why}; the same call goes on"
            )
    numbers += _classification(studies["multilabel"], runs / "multilabel")
    for task, study in studies.items():
        numbers += _transfer(task, study)
    return numbers


def merged(document: Sequence[dict[str, Any]], measured: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The document with what was measured: in the place of the number with the same id, else at the end."""
    known = {number["id"] for number in document}
    of_id = {number["id"]: number for number in measured}
    filled = [
        number | {"ours": of_id[number["id"]]["ours"], "status": STATUS} if number["id"] in of_id else number
        for number in document
    ]
    return [*filled, *(number for number in measured if number["id"] not in known)]


def _colorizer(scores: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Table 3, and the rows that it lacks."""
    found = [
        _number(f"{score}_{statistic}", "", "", round(scores["model"][score][statistic], 3))
        for score in ("psnr", "ssim")
        for statistic in ("mean", "min", "max")
    ]
    found.append(_number("psnr_grey_coco", "", "", round(scores["grey"]["psnr"]["mean"], 3)))
    return [
        *found,
        _number(
            "psnr_mean_colour",
            "PSNR of one mean colour, dB",
            "The same pictures, all pixels in the mean colour of the training pictures.",
            round(scores["mean_colour"]["psnr"]["mean"], 3),
        ),
    ]


def _classification(study: Mapping[str, Any], folder: Path) -> list[dict[str, Any]]:
    """Table 4's accuracy as the authors' code counts it, and Figure 8's losses."""
    found = []
    for arm in ("scratch", ARM):
        keys = [cell["key"] for cell in study["cells"] if cell["arm"] == arm and cell["state"] == "finished"]
        files = [folder / "cells" / f"{key}.npz" for key in keys]
        runs = [RunFolder.open(folder / "runs" / key) for key in keys]
        found.append(_number(f"accuracy_{arm}", "", "", transfer.accuracy(files)))
        found.append(_number(f"figure_8_left_{arm}", "", "", transfer.losses(runs)))
    return found


def _transfer(task: str, study: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The true scores of both arms, and what their difference says."""
    score = {"map": "mean average precision", "miou": "mean IoU, classes absent from both left out"}[study["score"]]
    found = [
        _number(
            f"measured_{study['score']}_{row['arm']}",
            f"{task}, {row['arm']}, %",
            f"True {score}, on {study['test']['pictures']} test pictures.",
            {
                "mean": round(100 * row["mean"], 2),
                "deviation": None if row["deviation"] is None else round(100 * row["deviation"], 2),
                "seeds": row["seeds"],
            },
        )
        for row in study["table"]
    ]
    found.append(
        _number(
            f"measured_{study['score']}_constant",
            f"{task}, constant predictor, %",
            "The same score of knowing the classes' frequencies alone.",
            round(100 * study["constant"][study["score"]], 2),
        )
    )
    floor = [check["words"] for check in study["checks"] if check["name"] == "nothing learned"]
    for row in study["differences"]:
        found.append(
            _number(
                f"measured_{study['score']}_difference",
                f"{task}, what the difference says",
                " ".join([row["words"], *floor]),
                row["verdict"],
            )
        )
    return found


def _made_with(run: Path) -> str:
    """Machine and version of a run, in words."""
    manifest = RunFolder.open(run).manifest
    one, precision = manifest["environment"], manifest["options"]["loop"]["precision"]
    return f"{one['gpu'] or one['processor']}, {counted(one['cores'], 'core')}, {precision}, torch {one['torch']}, commit {one['commit']}"


def _number(id: str, title: str, what: str, ours: Any) -> dict[str, Any]:
    return {
        "topic": TOPIC, "id": id, "title": title, "what": what, "source": "computed", "claim": None, "ours": ours,
        "status": STATUS,
    }  # fmt: skip


def _split(voc: Path, task: str) -> str | None:
    """The list to train on; None: the one that is taken where none is named."""
    augmented = voc / "ImageSets" / "Segmentation" / "trainaug.txt"
    return "trainaug" if task == "segmentation" and augmented.is_file() else None
