"""VOC: lists, annotations, masks, chosen classes."""

from pathlib import Path

import pytest
from PIL import Image

from pretint.data.layouts import open_source
from pretint.data.record import VOID
from pretint.errors import DataError, OptionError

XML = """<annotation><object><name>dog</name><difficult>1</difficult>
<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4.5</ymax></bndbox></object></annotation>"""


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    root = tmp_path / "VOC2012"
    for name in ("JPEGImages", "SegmentationClass", "Annotations", "ImageSets/Main", "ImageSets/Segmentation"):
        (root / name).mkdir(parents=True)
    for stem in "abcd":
        Image.new("RGB", (4, 3)).save(root / "JPEGImages" / f"{stem}.jpg")
    for stem in "bc":
        Image.new("P", (4, 3)).save(root / "SegmentationClass" / f"{stem}.png")
    for name, lines in {
        "Main/train": "a\nb\nc\n",
        "Main/val": "d\n",
        "Main/cat_train": "a  1\nb -1\nc  0\n",
        "Main/cat_val": "d -1\n",
        "Main/dog_train": "a  1\nb -1\nc -1\n",
        "Main/dog_val": "d  1\n",
        "Segmentation/train": "b\n",
        "Segmentation/trainaug": "b\nc\n",
    }.items():
        (root / "ImageSets" / f"{name}.txt").write_text(lines)
    (root / "Annotations" / "d.xml").write_text(XML)
    return root


def test_labels_come_from_the_main_lists(voc: Path) -> None:
    source = open_source(voc)
    assert source.layout == "voc"
    assert source.classes == ("cat", "dog")
    assert {r.id: r.labels for r in source.split("all")} == {
        "JPEGImages/a.jpg": ("cat", "dog"),
        "JPEGImages/b.jpg": (),
        "JPEGImages/c.jpg": ("cat",),
        "JPEGImages/d.jpg": ("dog",),
    }
    assert set(source.splits) == {"train", "val", "trainaug", "all"}


def test_a_byte_order_mark_is_no_part_of_a_name(voc: Path) -> None:
    """Windows' editors begin a file in UTF-8 with one."""
    plain = open_source(voc)
    for path in (voc / "ImageSets").rglob("*.txt"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert open_source(voc) == plain


def test_the_task_chooses_between_lists_of_one_name(voc: Path) -> None:
    for task, stems in (("labels", "abc"), (None, "abc"), ("mask", "b")):
        records = open_source(voc, task=task).split("train")  # type: ignore[arg-type]
        assert [r.path.stem for r in records] == list(stems)
    record = open_source(voc, task="mask").split("train")[0]
    assert record.mask == voc / "SegmentationClass" / "b.png"


def test_names_with_a_leading_dot_are_passed_over(voc: Path) -> None:
    plain = open_source(voc)
    (voc / "JPEGImages" / "._a.jpg").write_bytes(b"of another system")
    (voc / "SegmentationClass" / "._b.png").write_bytes(b"of another system")
    for name in ("Main/._cat_train", "Main/._val", "Segmentation/._train"):
        (voc / "ImageSets" / f"{name}.txt").write_bytes(b"\0\5\x16\7 of another system")
    assert open_source(voc) == plain


def test_a_list_that_begins_like_a_class_is_a_list(voc: Path) -> None:
    """ "train" is a class of VOC too, and the list of the augmented annotations is widely called train_aug."""
    for name, lines in {
        "Main/train_train": "a  1\nb -1\nc -1\n", "Main/train_val": "d -1\n", "Main/cat_chosen": "a\nd\n",
        "Segmentation/train_aug": "b\nc\n", "Segmentation/train_val": "c\n",
    }.items():  # fmt: skip
        (voc / "ImageSets" / f"{name}.txt").write_text(lines)
    source = open_source(voc, task="mask")
    listed = {name: "".join(record.path.stem for record in records) for name, records in source.splits.items()}
    assert listed == {
        "train": "b", "val": "d", "trainaug": "bc", "train_aug": "bc", "train_val": "c", "cat_chosen": "ad", "all": "abcd",
    }  # fmt: skip
    assert source.classes == ("cat", "dog", "train")
    assert open_source(voc, task="labels").split("train")[0].labels == ("cat", "dog", "train")


def test_chosen_classes_and_the_others(voc: Path) -> None:
    source = open_source(voc, classes=["dog", "cat"])
    assert source.classes == ("dog", "cat")
    assert source.split("train")[0].labels == ("dog", "cat")
    assert source.mask_classes == ("background", "dog", "cat")
    chosen = {0: 0, 12: 1, 8: 2, 255: VOID}
    assert source.mask_map == dict.fromkeys(range(1, 21), VOID) | chosen
    merged = open_source(voc, classes=["dog", "cat"], other_classes="background")
    assert merged.mask_map == dict.fromkeys(range(1, 21), 0) | chosen
    with pytest.raises(OptionError, match="zebra"):
        open_source(voc, classes=["zebra"])


def test_annotations_where_there_are_no_lists(voc: Path) -> None:
    for path in (voc / "ImageSets" / "Main").glob("*_*.txt"):
        path.unlink()
    source = open_source(voc)
    assert len(source.classes) == 20
    by_stem = {r.path.stem: r for r in source.split("all")}
    assert by_stem["a"].labels is None
    assert by_stem["d"].labels == ("dog",)
    # Only what labels need is read: an object without a box is a label as good as any.
    (voc / "Annotations" / "d.xml").write_text("<annotation><object><name>cat</name></object></annotation>")
    assert {r.path.stem: r.labels for r in open_source(voc).split("all")}["d"] == ("cat",)
    for text, told in (("<annotation><object>", "element"), ("<a><object><name> </name></object></a>", "no name")):
        (voc / "Annotations" / "d.xml").write_text(text)
        with pytest.raises(DataError, match=rf"d\.xml.*{told}"):
            open_source(voc)


def test_masks_know_no_classes_but_vocs(voc: Path) -> None:
    (voc / "ImageSets" / "Main" / "puppy_train.txt").write_text("a 1\nb -1\nc -1\n")
    assert open_source(voc, classes=["puppy"], task="labels").split("train")[0].labels == ("puppy",)
    with pytest.raises(OptionError, match=r"--classes puppy.*tvmonitor"):
        open_source(voc, classes=["cat", "puppy"], task="mask")


def test_a_class_without_list_or_annotation(voc: Path) -> None:
    (voc / "Annotations" / "d.xml").unlink()
    (voc / "Annotations").rmdir()
    with pytest.raises(DataError, match="horse_SPLIT"):
        open_source(voc, classes=["cat", "horse"])
    assert open_source(voc, classes=["cat", "horse"], task="mask").mask_map[13] == 2


@pytest.mark.parametrize(("name", "text", "told"), [("val", "d\nx\n", "x"), ("cat_val", "d 2\n", "line 1")])
def test_faulty_lists(voc: Path, name: str, text: str, told: str) -> None:
    (voc / "ImageSets" / "Main" / f"{name}.txt").write_text(text)
    with pytest.raises(DataError, match=rf"{name}\.txt.*{told}"):
        open_source(voc)


def test_the_folder_above_is_not_taken_for_plain_pictures(voc: Path) -> None:
    with pytest.raises(DataError, match=r"give .*VOC2012"):
        open_source(voc.parent)


def test_two_files_of_one_name_are_refused(voc: Path) -> None:
    Image.new("RGB", (4, 3)).save(voc / "JPEGImages" / "a.png")
    with pytest.raises(DataError, match=r"a\.png: a\.jpg has the same name"):
        open_source(voc)


def test_masks_are_found_whatever_the_case_of_their_ending(voc: Path) -> None:
    (voc / "SegmentationClass" / "b.png").rename(voc / "SegmentationClass" / "b.PNG")
    assert open_source(voc, task="mask").split("train")[0].mask == voc / "SegmentationClass" / "b.PNG"


def test_masks_are_of_the_listed_classes_of_voc_and_that_is_said(voc: Path) -> None:
    (voc / "ImageSets" / "Main" / "widget_train.txt").write_text("a 1\nb -1\nc -1\n")
    assert open_source(voc, task="labels").classes == ("cat", "dog", "widget")
    source = open_source(voc, task="mask")
    assert source.mask_classes == ("background", "cat", "dog")
    assert (source.mask_map[8], source.mask_map[12], source.mask_map[15]) == (1, 2, VOID)
    assert "(cat, dog)" in source.remark
    assert "void" in source.remark
    assert open_source(voc, task="mask", classes=["cat"]).remark == ""
    for path in (voc / "ImageSets" / "Main").glob("*_*.txt"):
        path.unlink()
    whole = open_source(voc, task="mask")
    assert (len(whole.mask_classes), whole.remark) == (21, "")
