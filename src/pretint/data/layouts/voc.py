"""Pascal VOC (Everingham et al. 2010): JPEGImages/, ImageSets/{Main,Segmentation}/, Annotations/, SegmentationClass/; any part may be missing.

Labels come from ImageSets/Main/CLASS_SPLIT.txt where these lists exist, else from Annotations/. An object counts whether it is marked
"difficult" (0 in the lists) or not: it is in the picture.
"""

from collections.abc import Collection
from pathlib import Path

from pretint.data.reading import PICTURE_SUFFIXES
from pretint.data.record import VOID, Record, Source
from pretint.errors import DataError, OptionError

CLASSES = [
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
]
"""The twenty classes; in masks the n-th has id n, counted from 1. Background is 0, void 255."""


def recognises(folder: Path) -> bool:
    """True for a folder with JPEGImages/ and one of ImageSets/, Annotations/, SegmentationClass/."""
    return (folder / "JPEGImages").is_dir() and any(
        (folder / name).is_dir() for name in ("ImageSets", "Annotations", "SegmentationClass")
    )


def read(folder: Path, classes: tuple[str, ...] | None = None, other: str = "void", task: str | None = None) -> Source:
    """List the pictures by the lists of ImageSets; see ``open_source``.

    Where a list stands under Main and under Segmentation, task "mask" takes the latter, else the former.

    Raises:
        DataError: a list names a picture that is not there, or is malformed; two pictures or masks have one name; nothing tells the
            labels of a class.
        OptionError: a class is none of VOC's and has no list under Main, or it is none of VOC's and task is "mask".
    """
    pictures = _by_stem(folder / "JPEGImages", PICTURE_SUFFIXES)
    masks = _by_stem(folder / "SegmentationClass", {".png"})
    members, positives, of_classes = _main_lists(folder / "ImageSets" / "Main")
    names = classes or tuple(positives) or tuple(CLASSES)
    known = CLASSES if task == "mask" else list(positives) or CLASSES  # its masks have ids of its own classes alone
    for name in classes or ():
        if name not in CLASSES and name not in known:
            raise OptionError(f"--classes {name}: {folder} knows {', '.join(known)}")

    annotations = folder / "Annotations"
    listed = all(name in positives for name in names)
    if task != "mask" and positives and not listed and not annotations.is_dir():
        missing = next(name for name in names if name not in positives)
        raise DataError(
            f"{folder / 'ImageSets' / 'Main'}: no list {missing}_SPLIT.txt, and there are no Annotations; "
            f"take --classes from {', '.join(positives)}"
        )
    records = {}
    for stem, path in pictures.items():
        labels: tuple[str, ...] | None = None
        if listed:
            if all(stem in members[name] for name in names):
                labels = tuple(name for name in names if stem in positives[name])
        elif (xml := annotations / f"{stem}.xml").is_file():
            shown = _shown(xml)
            labels = tuple(name for name in names if name in shown)
        records[stem] = Record(path.relative_to(folder).as_posix(), path, labels, masks.get(stem))

    kinds = ("Main", "Segmentation") if task == "mask" else ("Segmentation", "Main")
    lists = {
        path.stem: path
        for kind in kinds
        for path in _shown_files(folder / "ImageSets" / kind)
        if path.suffix == ".txt" and path not in of_classes and path.stem != "all"
    }
    splits = {name: _listed(path, records) for name, path in lists.items()}
    splits["all"] = tuple(records.values())
    mask_classes: tuple[str, ...] = ()
    mask_map: dict[int, int] = {}
    remark = ""
    if masks:
        outlined = [name for name in names if name in CLASSES] or CLASSES  # a list of another class has no id in masks
        mask_classes = ("background", *outlined)
        left_out = VOID if other == "void" else 0
        mask_map = {0: 0, VOID: VOID} | {
            n: outlined.index(name) + 1 if name in outlined else left_out for n, name in enumerate(CLASSES, start=1)
        }
        if task == "mask" and not classes and len(outlined) < len(CLASSES):
            remark = (
                f"{folder}: the classes are those that have lists in ImageSets/Main ({', '.join(outlined)}); what its masks show of "
                f"VOC's others is {'void' if other == 'void' else 'background'}, unless --classes names them"
            )
    return Source("voc", folder, names, splits, mask_classes, mask_map, remark)


def _by_stem(folder: Path, endings: Collection[str]) -> dict[str, Path]:
    """The files of a folder by their names without ending, which lists and masks go by."""
    found: dict[str, Path] = {}
    for path in _shown_files(folder):
        if path.suffix.lower() in endings and (other := found.setdefault(path.stem, path)) != path:
            raise DataError(f"{path}: {other.name} has the same name, so which one lists mean is not clear; rename one")
    return found


def _shown_files(folder: Path) -> list[Path]:
    """What lies in a folder but for names with a leading dot, such as those that other systems put beside a file."""
    return [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")] if folder.is_dir() else []


def _main_lists(main: Path) -> tuple[dict[str, set[str]], dict[str, set[str]], set[Path]]:
    """For each class with lists: the pictures that they name, and those that show the class; and the lists."""
    texts = [path for path in _shown_files(main) if path.suffix == ".txt"]
    splits = {path.stem for path in texts if "_" not in path.stem}
    members: dict[str, set[str]] = {}
    positives: dict[str, set[str]] = {}
    lists: set[Path] = set()
    for path in (path for path in texts if "_" in path.stem):
        name, _, split = path.stem.rpartition("_")
        if split not in splits and split not in ("train", "val", "trainval", "test"):
            continue
        lists.add(path)
        for number, line in enumerate(path.read_text(encoding="utf-8-sig", errors="replace").splitlines(), start=1):
            words = line.split()
            if not words:
                continue
            if len(words) != 2 or words[1] not in ("1", "0", "-1"):
                raise DataError(f"{path}, line {number}: {line.strip()!r} is not a picture's name and 1, 0 or -1")
            members.setdefault(name, set()).add(words[0])
            if words[1] != "-1":
                positives.setdefault(name, set()).add(words[0])
    order = {name: place for place, name in enumerate(CLASSES)}
    known = sorted(members, key=lambda name: (order.get(name, len(order)), name))
    return members, {name: positives.get(name, set()) for name in known}, lists


def _listed(path: Path, records: dict[str, Record]) -> tuple[Record, ...]:
    stems = list(
        dict.fromkeys(
            line.split()[0]
            for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
            if line.strip()
        )
    )
    gone = [stem for stem in stems if stem not in records]
    if gone:
        raise DataError(
            f"{path}: {len(gone)} of its {len(stems)} pictures are not in JPEGImages (the first: {gone[0]}); add them or shorten the list"
        )
    return tuple(records[stem] for stem in stems)


def _shown(xml: Path) -> set[str]:
    """Classes of the objects of an annotation."""
    from xml.etree import ElementTree

    try:
        names = {item.findtext("name", "").strip() for item in ElementTree.parse(xml).getroot().iter("object")}
        if "" in names:
            raise ValueError("an object has no name")
    except (ElementTree.ParseError, ValueError, OSError) as error:
        raise DataError(f"{xml}: this annotation cannot be read ({error}); mend or remove it") from None
    return names
