"""Pictures and masks side by side: images/NAME.jpg, masks/NAME.png, and beside them

classes.txt     a line a class, "name" (ids 0, 1, ...) or "id name"; the first is the background. Without it the masks are read for ids
SPLIT.txt       lists of names, as many as there are splits
labels.csv      which picture shows which class, and its split; without it a picture shows the classes of its mask
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from pretint.data.layouts import table
from pretint.data.layouts.pictures import walk
from pretint.data.reading import ids_to_classes, read_mask
from pretint.data.record import VOID, Record, Source, split_name
from pretint.errors import DataError, OptionError


def recognises(folder: Path) -> bool:
    """True for a folder with images/ and masks/."""
    return (folder / "images").is_dir() and (folder / "masks").is_dir()


def nearly(folder: Path) -> str:
    """Why a folder that looks like this layout is not of it, without a full stop; empty where it does not look so."""
    if recognises(folder):
        return ""
    below = {path.name.lower(): path.name for path in folder.iterdir() if path.is_dir()}
    images, masks = (below.get(f"{name}s", below.get(name)) for name in ("image", "mask"))
    if not images or not masks:
        return ""
    return f"{images}/ and {masks}/ must be called images/ and masks/ to be taken for pictures and their masks"


def read(folder: Path, classes: tuple[str, ...] | None = None, other: str = "void", task: str | None = None) -> Source:
    """List pictures with their masks; see ``open_source``. With ``classes`` the background stays index 0, the rest follows their order.

    Raises:
        DataError: classes.txt or a list is malformed, a list names a picture that is not there, labels.csv tells another list of
            one name, or masks have more than 255 classes.
        OptionError: an unknown class.
    """
    masks = _by_name(folder / "masks")
    records = {
        name: Record(path.relative_to(folder).as_posix(), path, mask=masks.get(name))
        for name, path in _by_name(folder / "images").items()
    }
    by_csv = task == "labels" and table.recognises(folder)
    read_masks = task is not None and not by_csv  # else they are not wanted, and so not opened
    ids = _read_classes(folder / "classes.txt") or _found_ids(list(masks.values()) if read_masks else [])
    background = next(iter(ids.values()))
    of_masks = None if by_csv else classes
    for name in of_masks or ():
        if name not in ids.values():
            raise OptionError(f"--classes {name}: {folder} knows {', '.join(ids.values())}")
    names = (background, *(n for n in of_masks if n != background)) if of_masks else tuple(ids.values())
    if read_masks and len(names) > VOID:  # the 256th would have the index of void, the next ones that of others
        raise DataError(
            f"{folder}: its masks have {len(names)} classes, and pretint can tell at most {VOID} apart, the background among them; "
            "choose some with --classes, or merge some in classes.txt"
        )
    left_out = VOID if other == "void" else 0
    mask_map = {VOID: VOID} | {i: names.index(name) if name in names else left_out for i, name in ids.items()}
    splits = _lists(folder, records)
    if table.tells_splits(folder):  # any other table is read for labels alone
        splits |= _tabled(folder, splits, records)
    splits["all"] = tuple(records.values())
    shown: tuple[str, ...] = ()
    if task == "labels":
        shown, splits = _with_labels(folder, splits, classes, names, mask_map)
    return Source("masks", folder, shown, splits, names, mask_map)


def _lists(folder: Path, records: dict[str, Record]) -> dict[str, tuple[Record, ...]]:
    """The splits that lists beside the pictures tell."""
    lists: dict[str, Path] = {}
    for path in sorted(folder.glob("*.txt")):
        if path.stem in ("classes", "all") or path.stem.lower().startswith((".", "readme", "license")):
            continue
        if path.is_file() and (other := lists.setdefault(split_name(path.stem), path)) != path:
            raise DataError(f"{path}: is a list of the same split as {other.name}; take one of them away")
    return {name: _listed(path, records) for name, path in lists.items()}


def _tabled(
    folder: Path, lists: dict[str, tuple[Record, ...]], records: dict[str, Record]
) -> dict[str, tuple[Record, ...]]:
    """The splits that labels.csv tells; its columns of classes are not looked at."""
    by_id = {record.id: record for record in records.values()}
    splits = {}
    for name, rows in table.read(folder, ()).splits.items():
        if name == "all":
            continue
        for row in rows:
            if row.id not in by_id:
                raise DataError(
                    f"{folder / 'labels.csv'}: {row.id} of the split {name} lies not in images/; mend its row"
                )
        splits[name] = tuple(by_id[row.id] for row in rows)
        if name in lists and set(lists[name]) != set(splits[name]):
            raise DataError(
                f"{folder}: {name}.txt and the split {name} of labels.csv are different pictures; take one of them away"
            )
    return splits


def _with_labels(
    folder: Path,
    splits: dict[str, tuple[Record, ...]],
    classes: tuple[str, ...] | None,
    names: tuple[str, ...],
    mask_map: dict[int, int],
) -> tuple[tuple[str, ...], dict[str, tuple[Record, ...]]]:
    """The classes of the labels, and the splits with each record's labels: of labels.csv, else of the masks."""
    labels: dict[str, tuple[str, ...] | None]
    if table.recognises(folder):
        source = table.read(folder, classes)
        shown = source.classes
        labels = {record.id: record.labels for record in source.split("all")}
    else:
        shown = names[1:]  # the background is no label
        labels = {record.id: _seen(record, names, mask_map) for record in splits["all"] if record.mask is not None}
    return shown, {
        name: tuple(replace(record, labels=labels.get(record.id)) for record in records)
        for name, records in splits.items()
    }


def _seen(record: Record, names: tuple[str, ...], mask_map: dict[int, int]) -> tuple[str, ...]:
    assert record.mask is not None
    present = set(np.unique(ids_to_classes(read_mask(record.mask), mask_map, record.mask)).tolist())
    return tuple(name for i, name in enumerate(names) if i in present and i > 0)


def _by_name(folder: Path) -> dict[str, Path]:
    """The pictures or masks of a folder by their place in it, without ending."""
    found: dict[str, Path] = {}
    for path in walk(folder):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise DataError(
                f"{path}: {found[name].name} has the same name, so which mask is whose is not clear; rename one of them"
            )
        found[name] = path
    return found


def _read_classes(path: Path) -> dict[int, str]:
    if not path.is_file():
        return {}
    lines = [
        line.strip() for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines() if line.strip()
    ]
    numbered = all(line.split()[0].isdecimal() and len(line.split()) > 1 for line in lines)
    pairs = (
        [(int(line.split()[0]), line.split(maxsplit=1)[1]) for line in lines] if numbered else list(enumerate(lines))
    )
    if len({i for i, _ in pairs}) < len(pairs) or len({name for _, name in pairs}) < len(pairs) or not pairs:
        raise DataError(f'{path}: every line names another class, as "name" or "id name"')
    return dict(pairs)


def _found_ids(masks: list[Path]) -> dict[int, str]:
    found: set[int] = {0}
    for path in masks:
        found.update(np.unique(read_mask(path)).tolist())
    return {i: "background" if i == 0 else f"class {i}" for i in sorted(found - {VOID})}


def _listed(path: Path, records: dict[str, Record]) -> tuple[Record, ...]:
    """A list's records; a line is a name with or without its ending."""
    chosen: dict[str, Record] = {}
    unknown: list[tuple[int, str]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig", errors="replace").splitlines(), start=1):
        name = line.strip()
        if not name:
            continue
        stem = name if name in records else (Path(name).parent / Path(name).stem).as_posix()
        if stem not in records:
            unknown.append((number, name))
            continue
        chosen[stem] = records[stem]
    if unknown and not chosen:
        raise DataError(
            f"{path}: names no picture of images/, and every .txt here but readme, license and classes is read as a split's list; "
            "mend it, or take it away"
        )
    if unknown:
        number, name = unknown[0]
        raise DataError(f"{path}, line {number}: there is no picture images/{name}; add it or take it off the list")
    return tuple(chosen.values())
