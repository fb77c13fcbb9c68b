"""Every odd kind of file is read right or refused in one sentence that names it."""

import struct
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pretint.data.reading import ids_to_classes, picture_size, read_mask, read_rgb
from pretint.errors import DataError

RNG = np.random.default_rng(0)
PHOTO = np.asarray(Image.fromarray(RNG.integers(0, 256, (4, 6, 3), dtype=np.uint8)).resize((60, 40)))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "picture.png"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_is_turned_upright(tmp_path: Path, orientation: int) -> None:
    # What a camera held otherwise would have stored: the inverse turn, in numpy.
    stored = {
        1: PHOTO,
        2: PHOTO[:, ::-1],
        3: PHOTO[::-1, ::-1],
        4: PHOTO[::-1],
        5: PHOTO.transpose(1, 0, 2),
        6: np.rot90(PHOTO, 1),
        7: np.rot90(PHOTO, 2).transpose(1, 0, 2),
        8: np.rot90(PHOTO, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.webp"
    Image.fromarray(np.ascontiguousarray(stored)).save(path, lossless=True, exif=exif)
    np.testing.assert_array_equal(read_rgb(path), PHOTO)
    assert picture_size(path) == (40, 60)


@pytest.mark.parametrize(("highest", "white"), [(255, 255), (3000, 4095), (4096, 65535), (65535, 65535)])
def test_deep_grey_is_scaled_not_clipped(file: Path, highest: int, white: int) -> None:
    values = np.linspace(0, highest, 60 * 40).reshape(40, 60).astype(np.uint16)
    Image.fromarray(values).save(file)
    rgb = read_rgb(file)
    np.testing.assert_array_equal(rgb[..., 0], np.rint(values * (255 / white)))
    assert (rgb == rgb[..., :1]).all()


def test_floats_and_negative_values(tmp_path: Path) -> None:
    unit = np.linspace(0, 1, 20, dtype=np.float32).reshape(4, 5)
    Image.fromarray(unit).save(tmp_path / "unit.tif")
    np.testing.assert_array_equal(read_rgb(tmp_path / "unit.tif")[..., 1], np.rint(unit * 255.0))
    scan = np.linspace(-1000, 1000, 20).reshape(4, 5).astype(np.int32)
    Image.fromarray(scan).save(tmp_path / "scan.tif")
    assert read_rgb(tmp_path / "scan.tif").min() == 0
    assert read_rgb(tmp_path / "scan.tif").max() == 255
    Image.fromarray(np.full((4, 5), np.nan, np.float32)).save(tmp_path / "nan.tif")
    with pytest.raises(DataError, match=r"nan\.tif"):
        read_rgb(tmp_path / "nan.tif")


def test_black_deep_grey_is_black(file: Path) -> None:
    Image.fromarray(np.zeros((4, 5), np.uint16)).save(file)
    assert not read_rgb(file).any()


def test_transparent_pictures_lie_on_white(file: Path) -> None:
    alpha = np.zeros((40, 60, 1), np.uint8)
    alpha[:20] = 255
    Image.fromarray(np.concatenate([PHOTO, alpha], axis=2)).save(file)
    rgb = read_rgb(file)
    np.testing.assert_array_equal(rgb[:20], PHOTO[:20])
    assert (rgb[20:] == 255).all()

    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 200, 100, 50])
    palette.putdata([0, 1])
    palette.save(file, transparency=1)
    assert read_rgb(file).tolist() == [[[10, 20, 30], [255, 255, 255]]]

    deep = np.array([[0, 7, 65535]], np.uint16)
    Image.fromarray(deep).save(file, transparency=7)
    assert read_rgb(file)[0, :, 0].tolist() == [0, 255, 255]


def test_one_bit_grey_cmyk_and_animations(tmp_path: Path) -> None:
    Image.fromarray(PHOTO[..., 0] > 128).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(read_rgb(tmp_path / "bits.png")[..., 2], np.where(PHOTO[..., 0] > 128, 255, 0))
    Image.fromarray(PHOTO[..., 0]).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_rgb(tmp_path / "grey.png"), np.repeat(PHOTO[..., :1], 3, axis=2))
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "red.jpg", quality=100)
    np.testing.assert_allclose(read_rgb(tmp_path / "red.jpg")[0, 0], [255, 0, 0], atol=3)
    first, second = Image.new("RGB", (4, 4), "red"), Image.new("RGB", (4, 4), "blue")
    first.save(tmp_path / "moving.gif", save_all=True, append_images=[second])
    assert read_rgb(tmp_path / "moving.gif")[0, 0].tolist() == [255, 0, 0]


def test_at_least_makes_jpegs_smaller_but_not_too_small(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    large = Image.fromarray(PHOTO).resize((600, 400), Image.Resampling.BICUBIC)
    large.save(path, quality=95)
    assert read_rgb(path).shape == (400, 600, 3)
    small = read_rgb(path, at_least=90)
    assert small.shape == (100, 150, 3)
    whole = np.asarray(large.reduce(4)).astype(float)
    assert np.abs(small - whole).mean() < 3
    assert read_rgb(path, at_least=1000).shape == (400, 600, 3)


@pytest.mark.parametrize(
    ("name", "content"),
    [("empty.jpg", b""), ("text.jpg", b"no picture at all"), ("gone.jpg", None)],
)
def test_what_is_no_picture_is_refused_by_name(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    for read in (read_rgb, read_mask, picture_size):
        with pytest.raises(DataError, match=name):
            read(tmp_path / name)


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "tif", "webp"])
def test_damaged_files_are_read_or_refused_never_crash(tmp_path: Path, suffix: str) -> None:
    whole = tmp_path / f"whole.{suffix}"
    Image.fromarray(PHOTO).save(whole)
    content = whole.read_bytes()
    broken = tmp_path / f"broken.{suffix}"
    broken.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="broken"):
        read_rgb(broken)
    for _ in range(40):
        noisy = bytearray(content)
        for place in RNG.integers(0, len(noisy), 8):
            noisy[place] = RNG.integers(0, 256)
        broken.write_bytes(noisy)
        with suppress(DataError):
            assert read_rgb(broken).dtype == np.uint8


def test_masks_give_ids_as_they_stand_in_the_file(file: Path) -> None:
    ids = RNG.integers(0, 5, (10, 12)).astype(np.uint8)
    mask = Image.fromarray(ids).convert("P")
    mask.putpalette([9, 9, 9] * 5)
    mask.putdata(ids.reshape(-1).tolist())
    mask.save(file)
    np.testing.assert_array_equal(read_mask(file), ids)
    Image.fromarray(ids).save(file)
    np.testing.assert_array_equal(read_mask(file), ids)
    Image.fromarray(ids > 2).save(file)
    np.testing.assert_array_equal(read_mask(file), ids > 2)
    Image.fromarray(ids.astype(np.uint16) * 1000).save(file)
    np.testing.assert_array_equal(read_mask(file), ids.astype(int) * 1000)
    Image.fromarray(PHOTO).save(file)
    with pytest.raises(DataError, match="colour picture"):
        read_mask(file)


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_masks_of_few_bits_give_their_ids(tmp_path: Path, bits: int, suffix: str) -> None:
    """Files by hand, after the specifications: Pillow writes no grey of 2 or 4 bits."""
    ids = RNG.integers(0, 2**bits, (5, 8))
    rows = [np.packbits([int(b) for v in row for b in f"{v:0{bits}b}"]).tobytes() for row in ids]
    if suffix == "png":

        def chunk(kind: bytes, content: bytes) -> bytes:
            return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

        head = struct.pack(">IIBBBBB", 8, 5, bits, 0, 0, 0, 0)
        pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
        content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    else:
        pixels = b"".join(rows)
        # width, height, bits, no compression, black is 0, offset of the pixels, samples, rows in the strip, its bytes
        tags = {256: 8, 257: 5, 258: bits, 259: 1, 262: 1, 273: 8, 277: 1, 278: 5, 279: len(pixels)}
        entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
        content = struct.pack("<2sHI", b"II", 42, 8 + len(pixels)) + pixels
        content += struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    path = tmp_path / f"mask.{suffix}"
    path.write_bytes(content)
    np.testing.assert_array_equal(read_mask(path), ids)


@pytest.mark.parametrize("highest", [1, 3, 20, 255, 256, 1000, 65535])
def test_a_pgm_gives_its_ids_whatever_its_highest(tmp_path: Path, highest: int) -> None:
    ids = RNG.integers(0, highest + 1, (5, 8))
    head = f"8 5\n{highest}\n".encode()
    path = tmp_path / "mask.pgm"
    path.write_bytes(b"P5\n" + head + ids.astype(">u2" if highest > 255 else "u1").tobytes())
    np.testing.assert_array_equal(read_mask(path), ids)
    path.write_bytes(b"P2\n" + head + " ".join(map(str, ids.ravel())).encode())
    np.testing.assert_array_equal(read_mask(path), ids)


def test_ids_become_class_indices() -> None:
    ids = np.array([[0, 8, 255], [12, 0, 8]])
    classes = ids_to_classes(ids, {0: 0, 8: 1, 12: 255, 255: 255}, Path("m.png"))
    assert classes.tolist() == [[0, 1, 255], [255, 0, 1]]
    with pytest.raises(DataError, match=r"m\.png.*ids 12, but known are only 0, 8;"):
        ids_to_classes(ids, {0: 0, 8: 1, 255: 255}, Path("m.png"))
    for unknown in (-1, 3, 256, 2**31):
        with pytest.raises(DataError, match=rf"ids {unknown},"):
            ids_to_classes(np.array([[0, unknown]]), {0: 0, 255: 255}, Path("m.png"))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["tif", "png"])
def test_a_turned_file_is_turned_once(suffix: str, mode: str, orientation: int, tmp_path: Path) -> None:
    path = tmp_path / f"turned.{suffix}"
    stored = Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(path, exif=exif)
    # The eight orientations by hand: TIFF 6.0, tag 274, says where row 0 and column 0 of the file lie in the picture.
    pixels = np.asarray(stored.convert("RGB"))
    upright = {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.swapaxes(0, 1),
        6: pixels.swapaxes(0, 1)[:, ::-1],
        7: pixels.swapaxes(0, 1)[::-1, ::-1],
        8: pixels.swapaxes(0, 1)[::-1],
    }[orientation]
    np.testing.assert_array_equal(read_rgb(path), upright)
    assert picture_size(path) == upright.shape[:2]
    if mode == "L":
        np.testing.assert_array_equal(read_mask(path), upright[..., 0])


def test_masks_are_no_jpegs(tmp_path: Path) -> None:
    """Compression leaves ids of its own around those that were saved."""
    ids = np.zeros((32, 32), dtype=np.uint8)
    ids[8:20, 8:20] = 255
    Image.fromarray(ids).save(tmp_path / "mask.jpg")
    with Image.open(tmp_path / "mask.jpg") as image:
        assert len(np.unique(np.asarray(image))) > 2
    with pytest.raises(DataError, match=r"mask\.jpg: this mask is a JPEG"):
        read_mask(tmp_path / "mask.jpg")


def test_words_behind_the_pixels_of_a_png_turn_it_too(file: Path) -> None:
    """By hand: EXIF in a chunk behind the pixels, where some programs put it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    Image.fromarray(PHOTO).save(file)
    assert picture_size(file) == (40, 60)
    end = chunk(b"IEND", b"")
    pixels = file.read_bytes().removesuffix(end)
    exif = struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, 0x0112, 3, 1, 6, 0, 0)  # orientation 6: turned by a quarter
    file.write_bytes(pixels + chunk(b"eXIf", exif) + end)
    assert read_rgb(file).shape == (60, 40, 3)
    assert picture_size(file) == (60, 40)
    file.write_bytes(pixels + chunk(b"tEXt", b"Comment\0nothing of the kind") + end)
    assert picture_size(file) == (40, 60)


@pytest.mark.parametrize(("mode", "told"), [("LA", "has transparency"), ("F", "holds fractions"), ("RGBA", "colour")])
def test_what_is_no_mask_is_told_by_its_kind(tmp_path: Path, mode: str, told: str) -> None:
    path = tmp_path / "mask.tif"
    Image.new(mode, (4, 3)).save(path)
    with pytest.raises(DataError, match=rf"mask\.tif: this mask .*{told}"):
        read_mask(path)


def test_greys_that_count_from_white_are_no_ids(tmp_path: Path) -> None:
    """A TIFF whose tag 262 is 0 (WhiteIsZero); what is stored as 0 is shown white, so that neither reading is safe."""
    path = tmp_path / "mask.tif"
    ids = np.array([[0, 1, 2]], dtype=np.uint8)
    Image.fromarray(ids).save(path)
    np.testing.assert_array_equal(read_mask(path), ids)
    stored = path.read_bytes()
    tag = struct.pack("<HHIHH", 262, 3, 1, 1, 0)  # BlackIsZero
    assert stored.count(tag) == 1
    path.write_bytes(stored.replace(tag, struct.pack("<HHIHH", 262, 3, 1, 0, 0)))
    with pytest.raises(DataError, match="counts its greys from white"):
        read_mask(path)


def test_white_is_1_in_black_and_white(tmp_path: Path) -> None:
    """In a PBM 1 is black; what counts is what one sees."""
    path = tmp_path / "mask.pbm"
    path.write_bytes(b"P1\n2 1\n0 1\n")
    np.testing.assert_array_equal(read_mask(path), [[1, 0]])
