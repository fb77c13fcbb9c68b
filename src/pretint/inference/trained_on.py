"""Which pictures a run was trained on, as its run.json tells, wherever it is asked from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pretint.data.layouts import open_pool, open_source
from pretint.data.record import Record, Source, pick
from pretint.data.screening import left_out
from pretint.data.shards import describes
from pretint.data.splits import carve_validation
from pretint.errors import PretintError
from pretint.inference.models import Trained
from pretint.methods import load
from pretint.run_folder import data_folders


def listed(manifest: Mapping[str, Any]) -> Sequence[Record]:
    """The pictures of a run's list, as its verb reads it, those that were left out of it among them.

    Raises:
        PretintError: its folders are gone, or have no such list any more.
    """
    options, folders = manifest["options"], data_folders(manifest)
    if manifest.get("kind") != "finetune":
        return open_pool(folders, options.get("split"), options.get("layout"))
    source = open_source(
        folders[0], options.get("layout"), options.get("classes") or None, other_classes=options["other_classes"],
        task=load("tasks", options["task"]).TARGET, one_class=options["task"] == "classification",
    )  # fmt: skip
    return source.training_split(options.get("split")).records


def without_left_out(records: Sequence[Record], run: Path) -> Sequence[Record]:
    """A run's list without what the run did not use; `run` is its folder."""
    path = run / "left_out.tsv"
    unused = left_out(path) if path.is_file() else ()
    return pick(records, (i for i, record in enumerate(records) if record.id not in unused)) if unused else records


def parted(pool: Sequence[Record], options: Mapping[str, Any]) -> tuple[Sequence[Record], Sequence[Record]]:
    """What a pretraining with these options trains on and what it holds out, of the pictures that it uses."""
    return carve_validation(pool, options["validation"], options["seed"]) if options["validation"] else (pool, ())


def trained_on(trained: Trained, data: Source, records: Sequence[Record]) -> bool | None:
    """Whether some of these very pictures were trained on: a score on them says nothing about others.

    Args:
        trained: a run, or a weights' file of one.
        data: what the records are of.
        records: the pictures.

    Returns:
        None where it cannot be told: of an exported file, which does not say where its pictures lay, of weights of a run whose
        pictures were named relative to who knows where, where the folder of the training or its list is not there any more, and where
        one of the two is shards, which hold copies.
    """
    if trained.description.get("exported"):
        return None
    here = data.root.resolve()
    named = [Path(name) for name in data_folders(trained.description)]
    if not all(path.is_absolute() for path in named):
        return None
    folders = [path.resolve() for path in named]
    if not all(path.is_dir() for path in folders):
        return None
    if not any(here.is_relative_to(one) or one.is_relative_to(here) for one in folders):
        # Shards hold copies of pictures that lie elsewhere; whether of these is not told by their files.
        return None if any(map(describes, (here, *folders))) else False
    try:
        seen = (
            data.training_split(trained.options["split"]).records if folders == [here] else listed(trained.description)
        )
    except PretintError:
        return None
    names = {_name(record) for record in records}
    used = {_place(r) for r in without_left_out(seen, trained.source) if _name(r) in names}
    return not used.isdisjoint(map(_place, records))


def _name(record: Record) -> str:
    return Path(str(record.where)).name


def _place(record: Record) -> tuple[Path, str]:
    """What tells a picture from all others, by whatever way its folder was named."""
    return record.path.resolve(), record.span.name if record.span else ""
