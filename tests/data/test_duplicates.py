"""Near copies are found and named, strangers are not; hashes and pairs against brute force."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from pretint.data import duplicates, picture_hash
from pretint.data.duplicates import MOST, candidates, near_copies, overlapping, refuse_overlap
from pretint.data.record import Record
from pretint.data.scene_drawing import scene
from pretint.errors import DataError

CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "same": lambda picture: picture,
    "smaller": lambda picture: picture.resize((round(picture.width * 0.4), round(picture.height * 0.4))),
    "larger": lambda picture: picture.resize((round(picture.width * 1.5), round(picture.height * 1.5))),
    "squashed": lambda picture: picture.resize((96, 96)),
    "mirrored": ImageOps.mirror,
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.15),
    "grey": lambda picture: picture.convert("L"),
    "without rim": lambda picture: ImageOps.crop(picture, round(picture.width * 0.05)),
    "middle square": lambda picture: ImageOps.fit(picture, (min(picture.size),) * 2),
    "all": lambda picture: ImageEnhance.Brightness(ImageOps.mirror(picture.resize((80, 80)))).enhance(0.9),
}


def _picture(seed: int) -> Image.Image:
    """A scene of 160 x 120."""
    return Image.fromarray(scene(7, seed, 160).rgb[:120])


def _save(folder: Path, pictures: dict[str, Image.Image], **how: int) -> list[Record]:
    folder.mkdir()
    for name, picture in pictures.items():
        picture.save(folder / name, **how)
    return [Record(name, folder / name) for name in pictures]


def _bits(rgb: np.ndarray) -> np.ndarray:
    """255 signs of a picture of 64 x 64, by the definition of the transform, a coefficient at a time."""
    grey = np.asarray(Image.fromarray(rgb).convert("L")).astype(float)
    places = np.arange(64) + 0.5
    found = []
    for down in range(16):
        for across in range(16):
            wave = np.outer(np.cos(np.pi * down * places / 64), np.cos(np.pi * across * places / 64))
            if down or across:
                found.append((grey * wave).sum() > 0)
    return np.array(found)


def _unpacked(words: np.ndarray) -> np.ndarray:
    return np.unpackbits(words.view(np.uint8))[:255].astype(bool)


def test_hash_is_the_signs_of_the_transform() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (64, 100, 3), dtype=np.uint8)
    whole, _, _ = picture_hash.words(picture_hash.hashes(rgb[:, :64]))[0]
    _, _, square = picture_hash.words(picture_hash.hashes(rgb))[0]
    np.testing.assert_array_equal(_unpacked(whole), _bits(rgb[:, :64]))
    np.testing.assert_array_equal(_unpacked(square), _bits(rgb[:, 18:82]))


def test_mirroring_a_hash_is_hashing_the_mirror_image() -> None:
    rgb = np.array(_picture(0))
    hashes, of_mirror = (picture_hash.words(picture_hash.hashes(one))[0] for one in (rgb, rgb[:, ::-1]))
    assert (np.bitwise_count(picture_hash.mirrored(hashes) ^ of_mirror).sum(axis=1) <= 2).all()
    assert np.bitwise_count(hashes ^ of_mirror).sum() > 200


def test_a_picture_of_one_grey_has_no_hash() -> None:
    assert picture_hash.hashes(np.full((80, 90, 3), 200, np.uint8)) == b""


def test_similarity_is_a_correlation_without_what_is_smooth() -> None:
    y, x = np.mgrid[:64, :64]
    slope, waves = x + y, 20 * np.sin(x * 0.9) * np.sin(y * 0.7)
    one, other = ((100 + factor * slope + waves).astype(np.uint8) for factor in (0.9, -0.5))
    assert picture_hash.similarity(one, other) > 0.95
    assert picture_hash.similarity(one, (100 - waves).astype(np.uint8)) < -0.95
    assert picture_hash.similarity(one, np.full((64, 64), 7, np.uint8)) == 0


def test_candidates_are_those_of_brute_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "_BLOCK", (3, 5))
    draws = np.random.default_rng(1)
    odd = np.array([across % 2 for _ in range(16) for across in range(16)][1:])
    pool, test = draws.integers(0, 2, (17, 3, 255)), draws.integers(0, 2, (8, 3, 255))
    for place, (one, other) in enumerate([(0, 0), (0, 1), (1, 0), (0, 2), (2, 0), (1, 2)]):
        flipped = draws.permutation(255)[: MOST - 2 + place]
        test[place, other] = pool[2 * place, one] ^ (odd if place % 2 else 0)
        test[place, other, flipped] ^= 1

    expected = []
    for j, theirs in enumerate(test):
        for i, ours in enumerate(pool):
            distances = [
                (ours[a] != (theirs[b] ^ flip)).sum()
                for a, b in ((0, 0), (0, 1), (1, 0), (0, 2), (2, 0))
                for flip in (0, odd)
            ]
            if min(distances) <= MOST:
                expected.append((i, j, min(distances)))
    assert [found[:2] for found in expected] == [(0, 0), (2, 1), (4, 2)]  # the others differ in more bits

    def packed(bits: np.ndarray) -> np.ndarray:
        return picture_hash.words(np.packbits(bits, axis=-1).tobytes())

    assert list(candidates(packed(pool), packed(test))) == expected


@pytest.mark.parametrize("quality", [95, 40])
def test_changed_copies_are_found_and_strangers_are_not(tmp_path: Path, quality: int) -> None:
    pool = {f"stranger{i}.jpg": _picture(i) for i in range(20)}
    for i, (name, change) in enumerate(CHANGES.items()):
        pool[f"{name}.jpg"] = change(_picture(100 + i))
    test = {f"{name}.png": _picture(100 + i) for i, name in enumerate(CHANGES)}
    test |= {f"other{i}.png": _picture(200 + i) for i in range(5)}
    records = _save(tmp_path / "pool", pool, quality=quality), _save(tmp_path / "test", test)
    assert near_copies(*records).in_test == {f"{name}.png": (f"{name}.jpg",) for name in CHANGES}

    found = near_copies(*records)
    assert found.in_pool == {f"{name}.jpg": (f"{name}.png",) for name in CHANGES}
    assert {pair.test for pair in found.pairs if pair.mirrored} == {"mirrored.png", "all.png"}
    same = next(pair for pair in found.pairs if pair.test == "same.png")
    assert same.distance < 15
    assert same.similarity > 0.98
    assert found.unseen == ()


def test_a_test_picture_that_is_a_crop_is_found(tmp_path: Path) -> None:
    pool = _save(tmp_path / "pool", {f"{i}.png": _picture(i) for i in range(5)})
    crops = {"1.jpg": CHANGES["middle square"](_picture(1)), "2.jpg": CHANGES["without rim"](_picture(2))}
    assert near_copies(pool, _save(tmp_path / "test", crops)).in_test == {"1.jpg": ("1.png",), "2.jpg": ("2.png",)}


def test_meadows_below_skies_are_no_copies(tmp_path: Path) -> None:
    y = np.linspace(0, 1, 96)[:, None, None]

    def meadow(seed: int) -> Image.Image:
        draws = np.random.default_rng(seed)
        ground = np.where(y < draws.uniform(0.45, 0.55), [150, 190, 250 - 60 * y[0, 0, 0]], [60, 130, 40]) - 40 * y
        grain = np.asarray(Image.fromarray(draws.normal(0, 8, (24, 32)).astype(np.float32)).resize((128, 96)))
        return Image.fromarray((ground + grain[..., None]).clip(0, 255).astype(np.uint8))

    pool = _save(tmp_path / "pool", {f"{i}.png": meadow(i) for i in range(30)})
    test = _save(tmp_path / "test", {f"{i}.png": meadow(100 + i) for i in range(10)})
    assert near_copies(pool, test).in_test == {}


def test_pictures_that_cannot_be_compared_are_named(tmp_path: Path) -> None:
    flat = Image.new("RGB", (70, 70), "white")
    pool = _save(tmp_path / "pool", {"white.png": flat, "a.png": _picture(0)})
    test = _save(tmp_path / "test", {"white too.png": flat})
    (tmp_path / "test" / "broken.jpg").write_bytes(b"nothing")
    found = near_copies(pool, [*test, Record("broken.jpg", tmp_path / "test" / "broken.jpg")])
    assert found.pairs == ()
    assert [name for name, _ in found.unseen] == ["white.png", "white too.png", "broken.jpg"]
    assert "broken.jpg" in found.unseen[2][1]
    assert (
        found.not_compared == f"3 could not be compared ({tmp_path / 'pool' / 'white.png'}: hardly more than one grey)"
    )
    assert near_copies(pool[1:], pool[1:]).not_compared == ""


def test_looks_are_kept_and_taken_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = _save(tmp_path / "pool", {f"{i}.png": _picture(i) for i in range(3)})
    test = _save(tmp_path / "test", {"copy.png": _picture(1), "other.png": _picture(9)})
    first, second = tmp_path / "first.tsv", tmp_path / "second.tsv"
    near_copies(pool, [], cache=first)

    from pretint.data import looking

    opened: list[Path] = []
    read_rgb = looking.read_rgb
    monkeypatch.setattr(looking, "read_rgb", lambda path, at_least: (opened.append(path), read_rgb(path, at_least))[1])
    assert near_copies(pool, test, cache=second, earlier=[first]).in_test == {"copy.png": ("1.png",)}
    assert opened == [record.path for record in test]
    assert near_copies(pool, test, cache=second).in_test == {"copy.png": ("1.png",)}
    assert len(opened) == 2


def test_lists_that_share_a_file_are_refused(tmp_path: Path) -> None:
    pictures = _save(tmp_path / "a", {f"{i}.png": Image.new("RGB", (4, 4)) for i in range(4)})
    (tmp_path / "link").symlink_to(tmp_path / "a")
    linked = Record("1.png", tmp_path / "link" / "1.png")
    others = _save(tmp_path / "b", {"0.png": Image.new("RGB", (4, 4))})  # an id that the other folder has too
    assert overlapping(pictures[:2], [*others, linked]) == (pictures[1],)
    refuse_overlap("train", pictures[:2], "test", [*pictures[2:], *others])
    with pytest.raises(DataError, match=r"'train' \(2 pictures\) and 'test' \(3\) share 1 .*1\.png"):
        refuse_overlap("train", pictures[:2], "test", [*pictures[2:], linked])


@pytest.mark.long
def test_ten_planted_copies_are_found_among_a_thousand_strangers(tmp_path: Path) -> None:
    test = _save(tmp_path / "test", {f"{i}.png": _picture(i) for i in range(60)})
    pool = {f"stranger{i}.jpg": _picture(1000 + i) for i in range(1000)}
    pool |= {f"copy{i}.jpg": _picture(i).resize((60 + 10 * i, 100)) for i in range(10)}
    found = near_copies(_save(tmp_path / "pool", pool, quality=60), test, workers=2).in_test
    assert found == {f"{i}.png": (f"copy{i}.jpg",) for i in range(10)}


def test_imagehash_agrees_on_what_is_near() -> None:
    imagehash = pytest.importorskip("imagehash")
    one, copy, other = _picture(0), CHANGES["squashed"](_picture(0)), _picture(1)
    theirs = [imagehash.phash(picture, hash_size=16) for picture in (one, copy, other)]
    ours = [picture_hash.words(picture_hash.hashes(np.array(picture)))[0, 0] for picture in (one, copy, other)]
    for place, near in ((1, True), (2, False)):
        assert (theirs[0] - theirs[place] <= MOST) == near
        assert (np.bitwise_count(ours[0] ^ ours[place]).sum() <= MOST) == near
