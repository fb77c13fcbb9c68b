"""Layouts: how the pictures, labels and masks of a data set lie in its folder. One file each; a folder is recognised by itself.

A layout is a module with ``recognises(folder) -> bool`` and ``read(folder, classes, other, task) -> Source``.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Literal

from pretint.data.layouts.pictures import permitted
from pretint.data.record import Joined, Record, Source
from pretint.errors import DataError, OptionError
from pretint.methods import suggest

LAYOUTS = ("shards", "voc", "masks", "table", "imagefolder", "pictures")
"""Names of the layouts, the most particular first: the first that recognises a folder reads it."""


@permitted()
def open_source(
    folder: Path | str,
    layout: str | None = None,
    classes: Sequence[str] | None = None,
    other_classes: Literal["void", "background"] = "void",
    task: Literal["labels", "mask"] | None = None,
    one_class: bool = False,
) -> Source:
    """List what a folder holds; pictures are not opened.

    Args:
        folder: the data set.
        layout: one of ``LAYOUTS``; None: found out.
        classes: the classes to use, in this order; None: all that the folder names.
        other_classes: what pixels of the classes left out become in masks.
        task: what the records are for, where a layout has lists of one name for both (VOC's train and val).
        one_class: a picture must show one class exactly, so that those in the folders of other classes are left out.

    Raises:
        DataError: the folder is missing, empty, not understood or may not be read, or its lists name files that are not there.
        OptionError: an unknown layout.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(
            f"{folder}: {'this is a file, not a folder of pictures' if folder.exists() else 'there is no such folder'}; check the path"
        )
    if layout is not None and layout not in LAYOUTS:
        raise OptionError(f"--layout {layout}: unknown; {suggest(layout, LAYOUTS)}")
    module = _module(layout) if layout else _recognise(folder)
    if layout not in (None, "pictures") and not module.recognises(folder):
        hint = f": {near}" if (near := _nearly(folder, layout)) else ""
        raise DataError(
            f"--layout {layout}: {folder} does not lie like that{hint}; leave the option out to have it recognised"
        )
    source: Source = module.read(folder, tuple(classes) if classes else None, other_classes, task)
    if not source.splits["all"]:
        raise DataError(f"{folder}: the layout {source.layout} finds no pictures here; check the folder")
    if task and not (source.mask_classes if task == "mask" else source.classes):
        source = replace(source, hint=_nearly(folder, "masks", *(["imagefolder"] if task == "labels" else [])))
    return source.without_others() if one_class and classes and source.layout == "imagefolder" else source


def open_pool(
    folders: Sequence[Path | str],
    split: str | None = None,
    layout: str | None = None,
    say: Callable[[str], None] | None = None,
) -> Sequence[Record]:
    """The pictures of one or more folders for training without labels: labels, masks and boxes are not handed on.

    Where no split is named, test pictures stay unseen where a folder lists them: see ``Source.training_split``, whose
    remarks go to ``say``. Of several folders, each id begins with the folder's place in the list (``0/a.jpg``, ``1/a.jpg``).
    """
    lists = []
    for place, folder in enumerate(folders):
        source = open_source(folder, layout)
        chosen = source.training_split(split)
        if say and chosen.remark:
            say(chosen.remark)
        lists.append((f"{place}/" if len(folders) > 1 else "", chosen.records))
    return Joined(lists)


def _module(layout: str) -> ModuleType:
    return import_module(f"pretint.data.layouts.{layout}")


def _recognise(folder: Path) -> ModuleType:
    if inside := _voc_below(folder):  # else its masks would be taken for pictures
        raise DataError(f"{folder}: the data set lies deeper; give {inside}")
    for name in LAYOUTS:
        if _module(name).recognises(folder):
            return _module(name)
    if tar := next(
        (path for path in sorted(folder.rglob("*")) if path.name.endswith((".tar", ".zip", ".tar.gz", ".tgz"))), None
    ):
        raise DataError(f"{tar}: the pictures are still packed; unpack them first (for example tar -xf {tar.name})")
    raise DataError(f"{folder}: no pictures here; check the path")


def _nearly(folder: Path, *layouts: str | None) -> str:
    """Why the folder is of none of these layouts though it looks so; empty where it does not look so."""
    return next(
        filter(None, (_module(name).nearly(folder) for name in ("masks", "imagefolder") if name in layouts)), ""
    )


def _voc_below(folder: Path) -> Path | None:
    """A VOC data set one folder deeper, or two where the first is VOC's own (VOCdevkit/VOC2012)."""
    recognises = _module("voc").recognises
    with os.scandir(folder) as entries:
        below = sorted(Path(entry.path) for entry in entries if entry.is_dir())
    deeper = [
        path for parent in below if parent.name.startswith("VOC") for path in sorted(parent.iterdir()) if path.is_dir()
    ]
    return next((path for path in below + deeper if recognises(path)), None)
