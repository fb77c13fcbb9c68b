"""One file of a trained colorizer: its best weights, how its colours are decoded, and what it is; no optimizer, no critic.

The file's description holds, besides what every weights' file says (see ``training/checkpoint.py``):

    settings      by name (accurate, vivid) the decoding, and its PSNR and share of colourfulness on the pictures that chose it
    chosen_on     how many pictures those were, and whether the training had held them out
    dropped       parts that only the training needs, and that the file lacks
    half          whether parameters are float16; moving averages and counters keep their type
    check         PSNR (dB) of float32 and of the file, by setting, on the pictures it was checked on
    environment, data, seconds, scores, state     of the training, from its run.json

Paths are cut to their last names.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pretint.data.layouts import open_source
from pretint.data.reading import read_rgb
from pretint.data.record import Record, fingerprint
from pretint.data.screening import is_grey
from pretint.errors import DataError, OptionError, ResourceError, RunError, WeightsError
from pretint.experiments.starting import scores_of_best
from pretint.inference.choosing import MOST, Trial, choose, shrunk
from pretint.inference.models import Trained, best_device, load_pretext, open_trained
from pretint.inference.trained_on import listed, parted, without_left_out
from pretint.pretexts.pretext import ColorizationPretext
from pretint.run_folder import RunFolder, make_folder, write_atomically
from pretint.training import checkpoint
from pretint.training.progress import counting

MOST_LOST = 0.1
"""dB of mean PSNR that half precision may cost."""
_OF_THE_RUN = ("environment", "seconds", "begun", "state", "batch_size", "data")
_PATHS = ("data", "out", "probe", "apart_from", "recipe")

Say = Callable[[str], None]


@dataclass(frozen=True)
class ExportResult:
    """What was written.

    Attributes:
        path: the file.
        bytes: its size.
        description: what it says of itself.
    """

    path: Path
    bytes: int
    description: dict[str, Any]


def export(
    source: str, out: Path, *, half: bool, tune: Path | None, check: Path | None, say: Say, quiet: bool
) -> ExportResult:
    """Write the best weights of a colorizer to one file.

    Args:
        source: a run of pretint pretrain, or a weights' file of one.
        out: the file, which must not exist.
        half: store parameters as float16.
        tune: pictures that choose the settings; where None, those that the training held out.
        check: pictures on which half precision is checked; where None, those that chose the settings.
        say: told what is done, and what is left undone.
        quiet: show no progress.

    Raises:
        PretintError: the run, the pictures or the file are not right, or half precision loses too much.
    """
    if out.suffix != ".safetensors":
        raise OptionError(f"{out}: the file is of safetensors; give it a name that ends in .safetensors")
    if out.exists():
        raise OptionError(f"{out}: exists already; choose another name, or remove it")
    trained = open_trained(source)
    pretext, _ = load_pretext(trained)
    if not isinstance(pretext, ColorizationPretext):
        raise OptionError(
            f"{trained.source}: this pretext does not colour pictures, and export writes colorizers alone"
        )
    make_folder(out.parent)  # before what would else be in vain
    pretext.to(best_device())
    description = _describe(trained)
    records, whose = _tuning(trained, tune, say)
    pictures = _pictures(records, say)
    if pictures:
        with counting("choosing the settings", quiet) as progress:
            settings = choose(Trial(pretext, trained.options["size"], pictures), progress)
        description["settings"] = {name: one.as_dict() for name, one in settings.items()}
        description["chosen_on"] = {"pictures": len(pictures), "which": whose}
        if "vivid" not in settings:
            say(
                "no setting vivid: nothing that was tried is lively enough; the network has learned too little of colour"
            )
    dropped = sorted({*description.get("dropped", ()), *pretext.training_only})
    tensors = {name: t for name, t in trained.tensors.items() if not name.startswith(tuple(f"{d}." for d in dropped))}
    description |= {"dropped": dropped, "half": half}
    checked = _pictures(_listed(check), say) if check else pictures
    if half:
        parameters = {name for name, _ in pretext.named_parameters()}
        tensors = {name: _halved(tensor) if name in parameters else tensor for name, tensor in tensors.items()}
        if not checked:
            say("half precision was not checked: there are no pictures; name some with --check")
    unfinished = out.with_name(f".{out.stem}.{os.getpid()}.part.safetensors")
    try:
        if half and checked:
            unfinished.write_bytes(checkpoint.as_file(tensors, description))
            description["check"] = _compare(trained, unfinished, checked)
        write_atomically(out, checkpoint.as_file(tensors, description))
    except OSError as error:
        raise ResourceError(
            f"{out}: cannot be written ({error.strerror or error}); make room or choose another place"
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
    return ExportResult(out, out.stat().st_size, description)


def held_out_pictures(run: RunFolder) -> Sequence[Record]:
    """The pictures that a pretraining held out; none where it held out none.

    Raises:
        RunError: its pictures are gone, or not what they were.
    """
    manifest = run.manifest
    options = manifest["options"]
    if not options["validation"]:
        return ()
    try:
        pool = listed(manifest)
    except DataError as error:
        raise RunError(
            f"{run.path}: the pictures that it held out are not there any more ({error}); name others with --tune"
        ) from error
    training, held_out = parted(without_left_out(pool, run.path), options)
    if fingerprint(training, held_out) != manifest["data"]["fingerprint"]:
        raise RunError(
            f"{run.path}: its pictures have changed since it was trained, so those it held out are not known; "
            "name others with --tune"
        )
    return held_out


def _tuning(trained: Trained, tune: Path | None, say: Say) -> tuple[Sequence[Record], str]:
    """Pictures that choose the settings, and which they are."""
    if tune:
        return _listed(tune), tune.name
    if (trained.source / "run.json").is_file():
        records = held_out_pictures(RunFolder.open(trained.source))
        if not records:
            say("no settings were chosen: the training held no pictures out; name some with --tune")
        return records, "held out by the training"
    if "settings" not in trained.description:
        say("no settings were chosen: a file does not say which pictures were held out; name some with --tune")
    return (), ""


def _listed(folder: Path) -> Sequence[Record]:
    """The pictures of a folder but those that it keeps for a test."""
    return open_source(folder).training_split(None).records


def _pictures(records: Sequence[Record], say: Say) -> list[NDArray[np.uint8]]:
    """At most ``MOST`` pictures with colours, in even steps, as small as they are scored; one at a time is held at its full size.

    Those that cannot be read are told.

    Raises:
        DataError: there are records, but none with colours, or none that can be read.
    """
    places = np.linspace(0, len(records) - 1, min(MOST, len(records))).round().astype(int)
    coloured: list[NDArray[np.uint8]] = []
    refused: list[str] = []
    for place in places.tolist():
        try:
            rgb = _small(records[place])
        except DataError as error:
            refused.append(str(error))
        else:
            coloured += [] if rgb is None else [rgb]
    if len(places) and not coloured:
        if len(refused) == len(places):
            raise DataError(refused[0])
        raise DataError(
            f"{records[0].path}: this picture and all others are grey or cannot be read; name others with --tune or --check"
        )
    for reason in refused:
        say(f"left out: {reason}")
    return coloured


def _small(record: Record) -> NDArray[np.uint8] | None:
    """A picture as small as it is scored; None where it is grey."""
    rgb = read_rgb(record.where)
    return None if is_grey(rgb) else shrunk(rgb)


def _halved(tensor: Tensor) -> Tensor:
    """float16 where the values fit into it, else as it was."""
    halved = tensor.half()
    return halved if tensor.dtype == torch.float32 and bool(torch.isfinite(halved).all()) else tensor


def _compare(trained: Trained, file: Path, pictures: Sequence[NDArray[np.uint8]]) -> dict[str, Any]:
    """PSNR of the weights as they were and of the file, by setting.

    Raises:
        WeightsError: the file loses more than ``MOST_LOST`` dB.
    """
    written = open_trained(file)
    found: dict[str, Any] = {"pictures": len(pictures)}
    trials = []
    for one in (trained, written):
        pretext, _ = load_pretext(one)
        assert isinstance(pretext, ColorizationPretext)
        trials.append(Trial(pretext.to(best_device()), one.options["size"], pictures))
    for name, decoding in written.settings.items():
        full, half = (trial.score(decoding).psnr for trial in trials)
        found[name] = {"float32": round(full, 3), "half": round(half, 3)}
        if full - half > MOST_LOST:
            raise WeightsError(
                f"{trained.source}: in half precision its setting {name} loses {full - half:.2f} dB, more than {MOST_LOST}; "
                "export it without --half"
            )
    return found


def _describe(trained: Trained) -> dict[str, Any]:
    """What the file says of itself, from the run or the file that it comes from; without places on this machine."""
    kept = (*checkpoint.DESCRIPTION, *_OF_THE_RUN)
    description = {name: trained.description[name] for name in kept if name in trained.description}
    for name in ("scores", "settings", "chosen_on", "dropped"):  # of an exported file
        if name in trained.description:
            description[name] = trained.description[name]
    if (trained.source / "run.json").is_file():
        run = RunFolder.open(trained.source)
        best = run.pointer("best") or run.pointer("last") or {}
        description["scores"] = {"step": best.get("step"), **scores_of_best(run)}
    options = dict(description["options"])
    for name in _PATHS:
        options[name] = _last_names(options.get(name))
    description["options"] = options
    if "data" in description:
        description["data"] = {**description["data"], "folders": _last_names(description["data"].get("folders", []))}
    return description | {"exported": True}


def _last_names(value: Any) -> Any:
    if isinstance(value, list):
        return [_last_names(one) for one in value]
    return Path(value).name if isinstance(value, str) and value else value
