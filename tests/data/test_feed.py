"""Batches are addressed: any start, any workers, any ranks give the same bits."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pretint.color import rgb_to_planes, standardize_rgb
from pretint.data import feed
from pretint.data.feed import Batch, Feed, once
from pretint.data.record import Record
from pretint.data.views import ViewOptions
from pretint.errors import DataError, OptionError, ResourceError

RNG = np.random.default_rng(0)
CLASSES = ("cat", "dog")
MASK_MAP = {0: 0, 1: 1, 2: 255}


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    folder = tmp_path_factory.mktemp("pictures")
    made = []
    for i in range(11):
        pixels = RNG.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
        Image.fromarray(pixels[..., 0] % 3).save(folder / f"{i}_mask.png")
        made.append(Record(f"{i}", folder / f"{i}.png", CLASSES[: i % 3], folder / f"{i}_mask.png"))
    return made


def _feed(records: Sequence[Record], **options: object) -> Feed:
    values = {"size": 8, "view": ViewOptions(), "batch_size": 4, "seed": 3} | options
    return Feed(records, **values)  # type: ignore[arg-type]


def _same(one: Batch, other: Batch) -> bool:
    return (
        one.ids == other.ids
        and one.epoch == other.epoch
        and torch.equal(one.rgb, other.rgb)
        and torch.equal(one.flips, other.flips)
        and torch.equal(one.numbers, other.numbers)
        and (one.mask is other.mask is None or torch.equal(one.mask, other.mask))  # type: ignore[arg-type]
    )


def _all_same(ones: Sequence[Batch], others: Sequence[Batch]) -> bool:
    return len(ones) == len(others) and all(map(_same, ones, others))


def test_any_start_and_any_workers_give_the_same_bits(records: list[Record]) -> None:
    feed = _feed(records)
    assert feed.steps_per_epoch == 2
    whole = list(feed.batches(0, 6))
    assert _all_same(whole[3:], list(feed.batches(3, 6)))
    assert _all_same(whole, list(_feed(records, workers=2).batches(0, 6)))
    assert [batch.epoch for batch in whole] == [0, 0, 1, 1, 2, 2]
    assert whole[0].rgb.shape == (4, 3, 8, 8)
    assert whole[0].rgb.dtype == torch.uint8


def test_the_loader_leaves_torchs_own_stream_alone(records: list[Record]) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    list(_feed(records).batches(0, 1))
    assert torch.equal(torch.get_rng_state(), before)


def test_ranks_and_parts_make_up_the_batch(records: list[Record]) -> None:
    whole = list(_feed(records).batches(0, 4))
    ranks = [list(_feed(records, rank=rank, world=2).batches(0, 4)) for rank in range(2)]
    for batch, *parts in zip(whole, *ranks, strict=True):
        assert torch.equal(batch.rgb, torch.cat([part.rgb for part in parts]))
        assert batch.ids == sum((part.ids for part in parts), ())
    micros = list(_feed(records, micro=2).batches(0, 4))
    assert len(micros) == 8
    assert torch.equal(whole[1].rgb, torch.cat([micros[2].rgb, micros[3].rgb]))
    with pytest.raises(OptionError, match="--batch-size 4"):
        _feed(records, world=3)


def test_an_epoch_is_a_permutation_and_the_next_another(records: list[Record]) -> None:
    feed = _feed(records, batch_size=11)
    first, second = (batch.ids for batch in feed.batches(0, 2))
    assert sorted(first) == sorted(second) == sorted(r.id for r in records)
    assert first != second
    same = _feed(records, batch_size=11, order="same")
    first, second = same.batches(0, 2)
    assert first.ids == second.ids
    assert not torch.equal(first.rgb, second.rgb)  # the views still differ


def test_a_pictures_view_depends_on_its_number_and_the_epoch_alone(records: list[Record]) -> None:
    whole = {name: (rgb, flip) for b in _feed(records, batch_size=11).batches(0, 1) for name, rgb, flip in _rows(b)}
    part = records[3:9]
    for batch in _feed(part, batch_size=2, numbers=range(3, 9)).batches(0, 3):
        for name, rgb, flip in _rows(batch):
            assert torch.equal(rgb, whole[name][0])
            assert flip == whole[name][1]


def _rows(batch: Batch) -> list[tuple[str, torch.Tensor, torch.Tensor]]:
    return list(zip(batch.ids, batch.rgb, batch.flips, strict=True))


def test_pictures_that_fill_no_batch_wait_for_another_epoch(records: list[Record]) -> None:
    batches = list(_feed(records).batches(0, 6))
    assert [(batch.epoch, len(batch)) for batch in batches] == [(0, 4), (0, 4), (1, 4), (1, 4), (2, 4), (2, 4)]
    with pytest.raises(OptionError, match="11 pictures"):
        _feed(records, batch_size=32)


def test_flips_happen_on_the_device_for_picture_and_mask(records: list[Record]) -> None:
    feed = _feed(records, target="mask", mask_map=MASK_MAP, batch_size=11, view=ViewOptions(resize="nearest"))
    batch = next(feed.batches(0, 1))
    assert 0 < batch.flips.sum() < 11
    moved = batch.to("cpu")
    assert batch.mask is not None
    assert moved.mask is not None
    for i, flip in enumerate(batch.flips):
        assert torch.equal(moved.rgb[i], batch.rgb[i].flip(-1) if flip else batch.rgb[i])
        assert torch.equal(moved.mask[i], batch.mask[i].flip(-1) if flip else batch.mask[i])
    assert not moved.flips.any()
    red = moved.rgb[:, 0] % 3
    assert torch.equal(moved.mask, torch.where(red == 2, 255, red).long())
    assert torch.equal(moved.to("cpu").rgb, moved.rgb)


def test_planes(records: list[Record]) -> None:
    batch = next(_feed(records).batches(0, 1)).to("cpu")
    lab = rgb_to_planes(batch.rgb)
    assert torch.equal(batch.planes("Lab"), lab)
    assert torch.equal(torch.cat([batch.planes("L"), batch.planes("ab")], 1), lab)
    assert torch.equal(batch.lightness, lab[:, :1])
    assert torch.equal(batch.planes("RGB"), standardize_rgb(batch.rgb.float() / 255))
    with pytest.raises(ValueError, match="planes"):
        batch.planes("HSV")


def test_keyed_draws_belong_to_the_picture(records: list[Record]) -> None:
    draws = {}
    for batch in _feed(records, batch_size=11).batches(0, 2):
        draws |= {(batch.epoch, i): g.random() for i, g in zip(batch.ids, batch.generators(), strict=True)}
    assert len(set(draws.values())) == 22
    (batch,) = _feed(records[5:7], batch_size=2, numbers=[5, 6]).batches(0, 1)
    assert {i: g.random() for i, g in zip(batch.ids, batch.generators(), strict=True)} == {
        i: draws[0, i] for i in ("5", "6")
    }


def test_once_gives_every_picture_in_order_without_chance(records: list[Record]) -> None:
    options = {"size": 8, "view": ViewOptions(), "batch_size": 4, "target": "labels", "classes": CLASSES}
    batches = list(once(records, **options))  # type: ignore[arg-type]
    assert [name for batch in batches for name in batch.ids] == [r.id for r in records]
    assert [len(batch) for batch in batches] == [4, 4, 3]
    assert not any(batch.flips.any() for batch in batches)
    labels = torch.cat([batch.labels for batch in batches if batch.labels is not None])
    assert labels.tolist() == [[float(i % 3 > 0), float(i % 3 > 1)] for i in range(11)]


@pytest.mark.parametrize("workers", [0, 1])
def test_faults_of_pictures_name_the_file(records: list[Record], tmp_path: Path, workers: int) -> None:
    (tmp_path / "broken.png").write_bytes(b"nothing")
    feed = _feed([*records[:3], Record("broken", tmp_path / "broken.png")], workers=workers)
    with pytest.raises(DataError, match=r"broken\.png") as caught:
        list(feed.batches(0, 1))
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_fault_of_ours_keeps_its_words(records: list[Record], workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's words for it have those of a process that was killed in them."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(feed, "read_picture", broken)
    with pytest.raises(RuntimeError, match="a fault of ours"):
        list(once(records, size=16, view=ViewOptions(), batch_size=4, workers=workers))


@pytest.mark.parametrize("how", [signal.SIGKILL, None])
def test_a_reader_that_ends_is_told_of(
    records: list[Record], how: signal.Signals | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(*_: object, **__: object) -> None:
        os.kill(os.getpid(), how) if how else os._exit(1)

    monkeypatch.setattr(feed, "read_picture", end)
    with pytest.raises(ResourceError, match="a process that reads pictures was killed"):
        list(once(records, size=16, view=ViewOptions(), batch_size=4, workers=1))


def test_missing_targets_are_told_at_once(records: list[Record]) -> None:
    bare = [Record(r.id, r.path) for r in records]
    with pytest.raises(DataError, match="no mask"):
        _feed(bare, target="mask", mask_map=MASK_MAP)
    with pytest.raises(DataError, match="which classes"):
        _feed(bare, target="labels", classes=CLASSES)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_epoch_may_have_a_size_of_its_own(records: list[Record], workers: int) -> None:
    """Order and mirroring are those of any size, and where the size is the same, so are the pixels."""
    sizes = {0: 8, 1: 16, 2: 24}
    feed = _feed(records, workers=workers, size_at=sizes.__getitem__)
    plain = _feed(records, size=16)
    batches = list(feed.batches(0, 6))
    assert [batch.rgb.shape[-1] for batch in batches] == [8, 8, 16, 16, 24, 24]
    for batch, other in zip(batches, plain.batches(0, 6), strict=True):
        assert batch.ids == other.ids
        assert torch.equal(batch.flips, other.flips)
        assert (batch.rgb.shape != other.rgb.shape) or torch.equal(batch.rgb, other.rgb)
    assert _all_same(batches[3:], list(feed.batches(3, 6)))


def test_crops_of_a_smaller_size_are_of_the_same_place(tmp_path: Path) -> None:
    slope = np.stack(
        [np.tile(np.arange(256), (256, 1)), np.arange(256)[:, None].repeat(256, 1), np.zeros((256, 256))], 2
    )
    Image.fromarray(slope.astype(np.uint8)).save(tmp_path / "slope.png")
    (large,), (small,) = (
        list(_feed([Record("slope", tmp_path / "slope.png")], batch_size=1, size=side).batches(3, 4))
        for side in (64, 16)
    )
    means = [batch.rgb.double().mean(dim=(0, 2, 3)) for batch in (large, small)]
    assert torch.allclose(*means, atol=1)
