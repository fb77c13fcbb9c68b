"""Features of pictures: the mean of each level of a backbone's pyramid, as tables of numbers.

A level is named by its stride, the pixels of the picture that one step of it covers: 2 is the finest of a U-Net. Any
backbone will do: that of a run, one in memory while it trains, one with foreign weights.
"""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pretint.data.feed import once
from pretint.data.layouts.pictures import pictures_below
from pretint.data.reading import read_rgb
from pretint.data.record import Record
from pretint.data.views import ViewOptions, side_to_decode
from pretint.errors import DataError, OptionError, PretintError, WeightsError
from pretint.inference.models import best_device, load_parts
from pretint.networks.backbone import Backbone
from pretint.networks.normalization import BatchNorm
from pretint.run_folder import make_folder, replacing, write_atomically

BATCH = 32
"""Pictures that go through the network at once."""

FILES = "files.csv"
_FEW = 256  # pictures below which starting processes that read takes longer than reading

Features = dict[int, NDArray[np.float32]]
"""By stride, (N, C) float32."""


@dataclass(frozen=True)
class Embedding:
    """Features of some records.

    Attributes:
        features: by stride, float32 (N, C): a row for each picture that could be read.
        rows: int64 (N,), which record each row belongs to, rising.
        refused: (picture, reason) of those that could not be read.
    """

    features: Features
    rows: NDArray[np.int64]
    refused: tuple[tuple[Path, str], ...]


@dataclass
class EmbedResult:
    """What became of each picture.

    Attributes:
        features: by stride, float32 (N, C): a row a picture.
        files: the picture of each row.
        written: files that were made.
        refused: (picture, reason) of those that could not be read.
    """

    features: Features
    files: list[Path]
    written: list[Path] = field(default_factory=list)
    refused: list[tuple[Path, str]] = field(default_factory=list)


def embed_records(
    backbone: Backbone,
    records: Sequence[Record],
    *,
    view: ViewOptions,
    size: int,
    strides: Sequence[int] | None = None,
    batch_size: int = BATCH,
    workers: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Embedding:
    """Mean over all positions of each level of the pyramid, in evaluation mode and float32, on the backbone's device.

    The backbone is left as it was: no gradient, no moving average and no mode changes. Where it normalises by the
    statistics of the batch (``batch-always``), each picture is a batch, so that its features are its own.

    Args:
        backbone: its planes are cut out of the pictures.
        records: the pictures; those that cannot be read have no row.
        view: how pictures are cut and resized; taken without chance (``view.evaluation()``).
        size: side in pixels of the square that the backbone sees. A backbone that pads it takes the mean with the padding.
        strides: the levels; all where not given.
        batch_size: pictures at once.
        workers: processes that read pictures.
        progress: told (pictures done, all).

    Raises:
        OptionError: the backbone has no level of that stride.
        WeightsError: features are not finite numbers.
    """
    levels = _levels(backbone, strides)
    batch_size = 1 if looks_at_the_batch(backbone) else batch_size
    features = {
        stride: np.empty((len(records), backbone.channels[level]), np.float32) for stride, level in levels.items()
    }
    rows: list[int] = []
    refused: list[tuple[Path, str]] = []
    left = list(range(len(records)))
    modes = [(module, module.training) for module in backbone.modules()]
    backbone.eval()
    try:
        while left:
            done = 0
            batches = once([records[i] for i in left], size=size, view=view, batch_size=batch_size, workers=workers)
            try:
                for batch in batches:
                    found = _means(backbone, batch.to(_device(backbone)).planes(backbone.planes), list(levels.values()))
                    here = slice(len(rows), len(rows) + len(batch))
                    for table, means in zip(features.values(), found, strict=True):
                        table[here] = means
                    rows += left[done : done + len(batch)]
                    done += len(batch)
                    if progress:
                        progress(len(rows) + len(refused), len(records))
                left = []
            except DataError:
                # Batches come in order, so a picture that cannot be read is in the one after those that are done.
                broken = {i: why for i in left[done : done + batch_size] if (why := _fault(records[i], size, view))}
                if not broken:
                    raise
                refused += [(records[i].path, why) for i, why in broken.items()]
                left = [i for i in left[done:] if i not in broken]
    finally:
        for module, mode in modes:
            module.training = mode
    features = {stride: table[: len(rows)] for stride, table in features.items()}
    for stride, table in features.items():
        if not np.isfinite(table).all():
            raise WeightsError(
                f"the features at stride {stride} are not finite numbers; the training of these weights has gone astray"
            )
    return Embedding(features, np.array(rows, dtype=np.int64), tuple(refused))


def embed_files(
    run: Path | str,
    paths: Sequence[Path],
    out: Path,
    depth: str = "all",
    workers: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> EmbedResult:
    """Features of pictures and folders of pictures by a run's backbone, as files.

    ``out/features-STRIDE.npy``: float32 (N, C), without pickle; ``out/files.csv``: the column ``file``, the picture of
    each row as it was given. They see the view and size of the training, without chance.

    Args:
        run: a run of pretint, or a weights' file of one.
        paths: pictures, or folders that are searched recursively; a picture that is named twice has one row.
        out: folder for the results.
        depth: a stride of the backbone, or ``all``.
        workers: processes that read pictures, where there are many of them.
        progress: told (pictures done, all).

    Raises:
        PretintError: no pictures, none that can be read, no such run or depth, or features in ``out`` already.
        KeyboardInterrupt: stopped by Ctrl-C, before anything is written.
    """
    present = next((path for path in (*sorted(out.glob("features-*.npy")), out / FILES) if path.exists()), None)
    if present:
        raise OptionError(f"--out {out}: holds {present.name} already; choose another folder, or remove what is in it")
    files = list(dict.fromkeys(source for path in paths for source, _ in pictures_below(path)))
    backbone, _, trained = load_parts(run)
    strides = None if depth == "all" else [int(depth)]
    backbone.to(best_device())
    try:
        embedding = embed_records(
            backbone,
            [Record(id=str(path), path=path) for path in files],
            view=ViewOptions(**trained.options["view"]),
            size=trained.options["size"],
            strides=strides,
            workers=workers if len(files) >= _FEW else 0,
            progress=progress,
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"interrupted; features are written when all pictures are seen, so none are in {out}, and the same command begins anew"
        ) from None
    if not len(embedding.rows):
        raise PretintError(embedding.refused[0][1])
    result = EmbedResult(embedding.features, [files[i] for i in embedding.rows], [], list(embedding.refused))
    _write(result, out)
    return result


def _levels(backbone: Backbone, strides: Sequence[int] | None) -> dict[int, int]:
    """Level of the pyramid by stride."""
    levels = {stride: level for level, stride in enumerate(backbone.strides)}
    for stride in strides or ():
        if stride not in levels:
            raise OptionError(
                f"--depth {stride}: this backbone has the strides {', '.join(map(str, levels))}; name one of them, or all"
            )
    return {stride: levels[stride] for stride in strides or levels}


def looks_at_the_batch(backbone: Backbone) -> bool:
    """Whether a picture's features hang on those beside it: batch norms that take the batch's statistics at inference too."""
    return any(isinstance(layer, BatchNorm) and layer.always and not layer.frozen for layer in backbone.modules())


@torch.no_grad()
def _means(backbone: Backbone, planes: torch.Tensor, levels: Sequence[int]) -> list[NDArray[np.float32]]:
    """Of each level (B, C)."""
    pyramid = backbone(planes)
    return [pyramid[level].float().mean(dim=(2, 3)).cpu().numpy() for level in levels]


def _device(backbone: Backbone) -> torch.device:
    return next(backbone.parameters()).device


def _fault(record: Record, size: int, view: ViewOptions) -> str | None:
    """Why a picture cannot be read."""
    try:
        read_rgb(record.where, side_to_decode(size, view.evaluation()))
    except DataError as error:
        return str(error)
    return None


def _write(result: EmbedResult, out: Path) -> None:
    make_folder(out)
    try:
        for stride, table in result.features.items():
            target = out / f"features-{stride}.npy"
            with replacing(target) as file:
                np.save(file, table, allow_pickle=False)
            result.written.append(target)
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([["file"], *([path.as_posix()] for path in result.files)])
        write_atomically(out / FILES, text.getvalue().encode(errors="surrogateescape"))
        result.written.append(out / FILES)
    except BaseException:  # some of the tables, or those without their pictures, would pass for what was asked for
        for path in result.written:
            path.unlink(missing_ok=True)
        raise
