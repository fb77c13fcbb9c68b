"""File to file: formats, metadata, transparency, whole or not at all."""

import errno
import resource
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image, ImageCms

from pretint.errors import DataError, OptionError, ResourceError, WeightsError
from pretint.inference import files
from pretint.inference.files import colorize_file, default_name

ORIENTATION, MAKE, EXIF, GPS = 0x0112, 0x010F, 0x8769, 0x8825
WIDTH, HEIGHT, EXPOSURE = 0xA002, 0xA003, 0x829A


def reddish(lightness):
    return torch.full((1, 2, *lightness.shape[2:]), 0.2)


@pytest.fixture
def grey_picture():
    return Image.fromarray(np.random.default_rng(0).integers(90, 160, (12, 20), dtype=np.uint8))


def colorized(picture, tmp_path, name="in.png", out="out.png", **options):
    picture.save(tmp_path / name, **options)
    colorize_file(tmp_path / name, tmp_path / out, reddish, 16)
    with Image.open(tmp_path / out) as picture:
        picture.load()
    return picture


@pytest.mark.parametrize("name", ["in.png", "in.jpg", "in.webp", "in.tif", "in.gif", "in.bmp"])
@pytest.mark.parametrize("out", ["out.png", "out.jpg", "out.JPEG"])
def test_formats(grey_picture, tmp_path, name, out):
    picture = colorized(grey_picture, tmp_path, name, out)
    assert picture.format == ("PNG" if out.endswith("png") else "JPEG")
    assert (picture.mode, picture.size) == ("RGB", (20, 12))
    red, _, blue = np.asarray(picture).reshape(-1, 3).mean(axis=0)
    assert red > blue + 20
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([name, out])  # nothing unfinished left behind


def test_jpegs_keep_colour_at_full_resolution(grey_picture, tmp_path):
    picture = colorized(grey_picture, tmp_path, "in.jpg", "out.jpg")
    assert [layer[1:3] for layer in picture.layer] == [(1, 1)] * 3


def test_default_names(tmp_path):
    assert default_name(tmp_path / "a.JPG") == "a.JPG"
    assert default_name(tmp_path / "a.jpeg") == "a.jpeg"
    assert default_name(tmp_path / "a.b.webp") == "a.b.png"


@pytest.mark.parametrize("name", ["in.jpg", "in.png", "in.webp"])
@pytest.mark.parametrize("out", ["out.jpg", "out.png"])
def test_exif_stays_and_says_upright(grey_picture, tmp_path, name, out):
    exif = Image.Exif()
    exif[ORIENTATION], exif[MAKE] = 6, "Camera"
    exif[EXIF] = {EXPOSURE: 0.5, WIDTH: 20, HEIGHT: 12}
    exif[GPS] = {1: "N"}
    picture = colorized(grey_picture, tmp_path, name, out, exif=exif)
    assert picture.size == (12, 20)  # turned
    kept = picture.getexif()
    assert (kept[ORIENTATION], kept[MAKE]) == (1, "Camera")
    assert kept.get_ifd(EXIF) == {EXPOSURE: 0.5, WIDTH: 12, HEIGHT: 20}
    assert kept.get_ifd(GPS)[1] == "N"


def test_pictures_without_exif_get_none(grey_picture, tmp_path):
    assert len(colorized(grey_picture, tmp_path).getexif()) == 0


def test_a_tiffs_storage_is_not_taken_for_exif(grey_picture, tmp_path):
    exif = Image.Exif()
    exif[MAKE] = "Scanner"
    picture = colorized(grey_picture, tmp_path, "in.tif", "out.jpg", exif=exif)
    assert dict(picture.getexif()) == {MAKE: "Scanner"}


@pytest.mark.parametrize(("name", "mode"), [("in.jpg", "L"), ("in.png", "L"), ("in.png", "RGBA")])
@pytest.mark.parametrize("broken", [b"II*\0\x08\0\0\0\xff\xff garbage", b"garbage of a camera"])
def test_broken_exif_costs_the_exif_alone(grey_picture, tmp_path, name, broken, mode):
    picture = colorized(grey_picture.convert(mode), tmp_path, name, exif=b"Exif\0\0" + broken)
    assert (picture.size, picture.mode) == ((20, 12), "RGBA" if mode == "RGBA" else "RGB")


def test_exif_too_long_for_a_jpeg_is_left_out(grey_picture, tmp_path):
    exif = Image.Exif()
    exif[MAKE] = "x" * 70_000
    assert MAKE in colorized(grey_picture, tmp_path, "in.png", "out.png", exif=exif).getexif()
    assert MAKE not in colorized(grey_picture, tmp_path, "in.png", "out.jpg", exif=exif).getexif()


@pytest.mark.parametrize("out", ["out.jpg", "out.png"])
def test_profiles_stay_only_where_true(grey_picture, tmp_path, out):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    colour = grey_picture.convert("RGB")
    assert colorized(colour, tmp_path, "rgb.jpg", out, icc_profile=srgb).info["icc_profile"] == srgb
    assert "icc_profile" not in colorized(colour, tmp_path, "lab.jpg", out, icc_profile=lab).info
    assert "icc_profile" not in colorized(colour.convert("CMYK"), tmp_path, "cmyk.jpg", out, icc_profile=srgb).info
    grey = srgb[:16] + b"GRAY" + srgb[20:]
    assert "icc_profile" not in colorized(grey_picture, tmp_path, "grey.jpg", out, icc_profile=grey).info


def test_transparency_stays_in_a_png(grey_picture, tmp_path):
    alpha = Image.fromarray(np.tile(np.linspace(0, 255, 20).astype(np.uint8), (12, 1)))
    source = Image.merge("LA", (grey_picture, alpha))
    picture = colorized(source, tmp_path)
    assert picture.mode == "RGBA"
    assert (np.asarray(picture)[..., 3] == np.asarray(alpha)).all()
    # Half-transparent pixels are coloured from their own grey, not from grey laid on white.
    opaque = np.asarray(colorized(grey_picture, tmp_path, "opaque.png"))
    assert np.asarray(picture)[:, 10, :3].mean() == pytest.approx(opaque[:, 10].mean(), abs=3)


def test_transparency_becomes_white_in_a_jpeg(grey_picture, tmp_path):
    source = Image.merge("LA", (grey_picture, Image.new("L", grey_picture.size, 0)))
    picture = colorized(source, tmp_path, out="out.jpg")
    assert np.asarray(picture).min() > 200


def test_a_palette_with_a_transparent_colour(grey_picture, tmp_path):
    picture = colorized(grey_picture.convert("P"), tmp_path, "in.gif", transparency=100)
    assert picture.mode == "RGBA"
    transparent = np.asarray(picture)[..., 3] == 0
    assert (transparent == (np.asarray(grey_picture) == 100)).all()


@pytest.mark.parametrize("name", ["in.png", "in.tif"])
def test_a_turned_picture_with_transparency(grey_picture, tmp_path, name):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    alpha = Image.new("L", grey_picture.size, 255)
    alpha.putpixel((0, 0), 0)
    picture = colorized(Image.merge("RGBA", (grey_picture,) * 3 + (alpha,)), tmp_path, name, exif=exif)
    assert picture.size == (12, 20)
    assert picture.getpixel((11, 0))[3] == 0  # the top left corner, turned by a quarter to the right
    assert np.asarray(picture)[..., 3].mean() > 250


def test_the_original_is_never_overwritten(grey_picture, tmp_path):
    path = tmp_path / "in.png"
    grey_picture.save(path)
    before = path.read_bytes()
    (tmp_path / "link.png").symlink_to(path)
    for target in (path, tmp_path / "link.png"):
        with pytest.raises(OptionError, match="never overwritten"):
            colorize_file(path, target, reddish, 16)
    assert path.read_bytes() == before


def test_targets_that_cannot_be(grey_picture, tmp_path):
    path = tmp_path / "in.png"
    grey_picture.save(path)
    with pytest.raises(OptionError, match=r"\.png or \.jpg"):
        colorize_file(path, tmp_path / "out.webp", reddish, 16)
    with pytest.raises(ResourceError, match="cannot be written"):
        colorize_file(path, tmp_path / "nowhere" / "out.png", reddish, 16)
    Image.new("L", (65501, 1)).save(path)  # jmorecfg.h of libjpeg: JPEG_MAX_DIMENSION is 65500
    with pytest.raises(DataError, match="too large for a JPEG"):
        colorize_file(path, tmp_path / "out.jpg", reddish, 16)
    Image.new("L", (65500, 1)).save(path)
    colorize_file(path, tmp_path / "out.jpg", reddish, 16)


def test_sources_that_cannot_be_read(tmp_path):
    (tmp_path / "in.png").write_bytes(b"no picture")
    (tmp_path / "out.png").write_bytes(b"older")
    for name in ("in.png", "missing.png"):
        with pytest.raises(DataError, match=name):
            colorize_file(tmp_path / name, tmp_path / "out.png", reddish, 16)
    assert (tmp_path / "out.png").read_bytes() == b"older"


def test_a_full_disk_leaves_the_older_file(grey_picture, tmp_path, monkeypatch):
    grey_picture.save(tmp_path / "in.png")
    (tmp_path / "out.png").write_bytes(b"older")

    def full(self, file, **options):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(ResourceError, match=r"out\.png: .*No space left"):
        colorize_file(tmp_path / "in.png", tmp_path / "out.png", reddish, 16)
    assert (tmp_path / "out.png").read_bytes() == b"older"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.png", "out.png"]


@pytest.mark.parametrize("name", ["out.jpg", "out.png"])
def test_a_disk_that_fills_while_a_picture_is_written(tmp_path, name):
    """The system writes what fits and says how much that was; Pillow's own writing passes that over."""
    noise = np.random.default_rng(0).integers(0, 256, (200, 200), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "in.png")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6144, before[1]))
    try:
        with pytest.raises(ResourceError, match=name):
            colorize_file(tmp_path / "in.png", tmp_path / name, reddish, 16)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [p.name for p in tmp_path.iterdir()] == ["in.png"]


@pytest.mark.parametrize(
    "fault",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes"),
        RuntimeError("MPS backend out of memory"),
    ],
)
def test_no_memory_is_a_sentence_and_no_picture(grey_picture, tmp_path, fault):
    grey_picture.save(tmp_path / "in.png")

    def predictor(lightness):
        raise fault

    with pytest.raises(ResourceError, match=r"in\.png: memory ran out"):
        colorize_file(tmp_path / "in.png", tmp_path / "out.png", predictor, 16)
    assert not (tmp_path / "out.png").exists()


def test_no_memory_while_reading(grey_picture, tmp_path, monkeypatch):
    grey_picture.save(tmp_path / "in.png")

    def read(path):
        try:
            raise MemoryError
        except MemoryError as error:
            raise DataError(f"{path}: the picture is damaged") from error

    monkeypatch.setattr(files, "read_rgb", read)
    with pytest.raises(ResourceError, match="memory ran out"):
        colorize_file(tmp_path / "in.png", tmp_path / "out.png", reddish, 16)


def test_faults_of_ours_keep_their_kind(grey_picture, tmp_path):
    grey_picture.save(tmp_path / "in.png")

    def wrong(lightness):
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        colorize_file(tmp_path / "in.png", tmp_path / "out.png", wrong, 16)
    with pytest.raises(WeightsError, match=r"in\.png: .*not numbers"):
        colorize_file(tmp_path / "in.png", tmp_path / "out.png", lambda x: reddish(x) * float("nan"), 16)


MEASURE = """
import resource, sys, torch
from pathlib import Path
from pretint.inference.files import colorize_file
colorize_file(Path(sys.argv[1]), Path(sys.argv[2]), lambda x: torch.full((1, 2, *x.shape[2:]), 0.2), 256)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ru_maxrss counts kilobytes on Linux only")
@pytest.mark.parametrize("out", ["out.jpg", "out.png"])
def test_48_megapixels_take_less_than_two_gigabytes(tmp_path, out):
    rows, columns = np.ogrid[0:6000, 0:8000]
    Image.fromarray(((rows + columns) % 251).astype(np.uint8)).save(tmp_path / "in.jpg")
    ran = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "in.jpg"), str(tmp_path / out)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(ran.stdout) < 1_500_000  # kilobytes; leaves half a gigabyte for the network


@pytest.mark.parametrize("out", ["out.jpg", "out.png"])
def test_text_in_exif_stays_byte_for_byte(grey_picture, tmp_path, out):
    """Also what is not ASCII: cameras and programs write UTF-8 there."""
    name = "Jörg Müller".encode()
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "x" * len(name)
    exif[EXIF] = {ExifTags.Base.CameraOwnerName: "y" * len(name)}
    grey_picture.save(tmp_path / "in.jpg", exif=exif)
    file = (tmp_path / "in.jpg").read_bytes()  # Pillow itself writes texts as ASCII alone
    (tmp_path / "in.jpg").write_bytes(file.replace(b"x" * len(name), name).replace(b"y" * len(name), name))
    colorize_file(tmp_path / "in.jpg", tmp_path / out, reddish, 16)
    with Image.open(tmp_path / out) as picture:
        kept = picture.getexif()
    assert kept[ExifTags.Base.Artist].encode("latin-1") == name
    assert kept.get_ifd(EXIF)[ExifTags.Base.CameraOwnerName].encode("latin-1") == name
