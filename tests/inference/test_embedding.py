"""Features of pictures against the encoder run by hand; broken pictures, and networks that must be left as they were."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import rgb2lab

import pretint
from pretint.cli import main
from pretint.data.layouts import open_source
from pretint.data.views import ViewOptions
from pretint.errors import OptionError, PretintError, WeightsError
from pretint.inference import embedding
from pretint.inference.embedding import embed_records
from pretint.inference.models import load_pretext
from pretint.networks.residual import Options as ResidualOptions
from pretint.networks.residual import ResidualEncoder
from pretint.networks.unet import Options, UNetEncoder
from tests.conftest import paint


@torch.no_grad()
def by_hand(encoder: torch.nn.Module, path: Path) -> list[np.ndarray]:
    """Means of each level for one picture that is squashed and taken to Lab without pretint."""
    with Image.open(path) as image:
        small = np.asarray(image.resize((16, 16), Image.Resampling.BILINEAR))
    lightness = torch.from_numpy(rgb2lab(small)[None, None, ..., 0] / 50 - 1).float()
    return [level[0].flatten(1).mean(1).numpy() for level in encoder(lightness)]


def names(out: Path) -> list[str]:
    with (out / "files.csv").open(newline="") as file:
        head, *rows = csv.reader(file)
    assert head == ["file"]
    return [name for (name,) in rows]


def test_every_row_is_its_pictures_features(coloring_run: Path, labelled: Path, tmp_path: Path) -> None:
    result = pretint.embed(coloring_run, labelled, out=tmp_path / "out")
    encoder = load_pretext(coloring_run)[0].backbone
    assert tuple(result.features) == (2, 4, 8, 16)
    assert (
        names(tmp_path / "out") == [str(labelled / f"{i:02d}.png") for i in range(16)] == list(map(str, result.files))
    )
    tables = [np.load(tmp_path / "out" / f"features-{s}.npy", allow_pickle=False) for s in (2, 4, 8, 16)]
    for table, channels in zip(tables, encoder.channels, strict=True):
        assert (table.dtype, table.shape) == (np.float32, (16, channels))
    for row, name in enumerate(names(tmp_path / "out")):
        for table, expected in zip(tables, by_hand(encoder, Path(name)), strict=True):
            np.testing.assert_allclose(table[row], expected, rtol=1e-3, atol=1e-4)
    assert sorted(result.written) == sorted((tmp_path / "out").iterdir())


def test_one_depth_of_a_fine_tuned_run(multilabel_run: Path, labelled: Path, tmp_path: Path) -> None:
    result = pretint.embed(multilabel_run, [labelled / "03.png", labelled, labelled / "00.png"], out=tmp_path, depth=8)
    assert [path.name for path in result.files] == ["03.png"] + [f"{i:02d}.png" for i in range(16) if i != 3]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["features-8.npy", "files.csv"]
    whole = pretint.embed(multilabel_run, labelled / "00.png", out=tmp_path / "one").features
    np.testing.assert_allclose(result.features[8][1], whole[8][0], rtol=1e-5, atol=1e-6)


def test_broken_pictures_are_named_and_left_out(
    coloring_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for i in range(70):
        Image.fromarray(paint(i)[0]).save(data / f"{i:02d}.png")
    bad = [0, 31, 33, 34, 69]
    for i in bad:
        (data / f"{i:02d}.png").write_bytes(b"no picture")
    assert main(["embed", str(coloring_run), str(data), "--out", str(tmp_path / "out"), "--depth", "4"]) == 2
    out, errors = capsys.readouterr()
    assert [line for line in errors.splitlines() if line.startswith("left out: ")] == [
        f"left out: {data}/{i:02d}.png: this is no picture that can be read; remove or replace it" for i in bad
    ]
    assert out.startswith(f"features of 65 pictures in {tmp_path / 'out'}: ")
    good = [i for i in range(70) if i not in bad]
    assert [Path(name).stem for name in names(tmp_path / "out")] == [f"{i:02d}" for i in good]
    encoder = load_pretext(coloring_run)[0].backbone
    table = np.load(tmp_path / "out" / "features-4.npy")
    for row, i in list(enumerate(good))[::9]:
        np.testing.assert_allclose(table[row], by_hand(encoder, data / f"{i:02d}.png")[1], rtol=1e-3, atol=1e-4)
    with pytest.raises(PretintError, match=r"00\.png: this is no picture"):
        pretint.embed(coloring_run, data / "00.png", out=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_workers_change_nothing(labelled: Path) -> None:
    encoder = ResidualEncoder(ResidualOptions(width=8, blocks=(1, 1), planes="RGB"))
    records = open_source(labelled).split("all")
    one, two = (embed_records(encoder, records, view=ViewOptions(), size=24, batch_size=5, workers=w) for w in (0, 2))
    assert tuple(one.features) == (2, 4)
    assert all(np.array_equal(one.features[s], two.features[s]) for s in (2, 4))


def test_a_picture_has_the_same_features_in_any_company(labelled: Path) -> None:
    """Also where the network normalises by the batch it is in."""
    encoder = UNetEncoder(16, Options(width=0.1, normalization="batch-always"))
    records = open_source(labelled).split("all")
    together = embed_records(encoder, records, view=ViewOptions(), size=16)
    alone = embed_records(encoder, records[5:6], view=ViewOptions(), size=16)
    for stride, table in alone.features.items():
        np.testing.assert_allclose(together.features[stride][5:6], table, rtol=1e-5, atol=1e-6)


def test_the_network_is_left_as_it_was(labelled: Path) -> None:
    encoder = UNetEncoder(16, Options(width=0.1))
    encoder.train()
    encoder.e2.eval()  # type: ignore[operator]
    modes = [module.training for module in encoder.modules()]
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    state = torch.get_rng_state()
    embed_records(encoder, open_source(labelled).split("all"), view=ViewOptions(crop="random"), size=16)
    assert [module.training for module in encoder.modules()] == modes
    assert all(torch.equal(before[name], tensor) for name, tensor in encoder.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in encoder.parameters())
    assert torch.equal(torch.get_rng_state(), state)


def test_weights_that_went_astray(labelled: Path) -> None:
    encoder = UNetEncoder(16, Options(width=0.1))
    with torch.no_grad():
        encoder.b.conv.bias.fill_(float("nan"))  # type: ignore[union-attr]
    with pytest.raises(WeightsError, match="features at stride 16 are not finite"):
        embed_records(encoder, open_source(labelled).split("all"), view=ViewOptions(), size=16)


def test_what_is_refused(coloring_run: Path, labelled: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"--depth 5: this backbone has the strides 2, 4, 8, 16; name one"):
        pretint.embed(coloring_run, labelled, out=tmp_path / "out", depth=5)
    with pytest.raises(OptionError, match="--depth deep: is a stride"):
        pretint.embed(coloring_run, labelled, out=tmp_path / "out", depth="deep")
    with pytest.raises(OptionError, match="name at least one picture"):
        pretint.embed(coloring_run, [], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    shutil.copytree(labelled, tmp_path / "data")
    pretint.embed(coloring_run, tmp_path / "data" / "00.png", out=tmp_path / "data")  # beside other files
    with pytest.raises(OptionError, match=r"--out .*data: holds features-16\.npy already"):
        pretint.embed(coloring_run, tmp_path / "data", out=tmp_path / "data")


@pytest.mark.parametrize("where", ["a picture", "files.csv"])
def test_a_stop_leaves_nothing_and_says_so(
    where: str, coloring_run: Path, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the midst of the pictures or of what is written; then the same call works."""
    out = tmp_path / "out"

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(embedding, "_means" if where == "a picture" else "write_atomically", stop)
        with pytest.raises(KeyboardInterrupt) as stopped:
            pretint.embed(coloring_run, labelled, out=out)
    if where == "a picture":
        assert f"none are in {out}, and the same command begins anew" in str(stopped.value)
    assert not list(tmp_path.rglob("*.*"))
    assert len(pretint.embed(coloring_run, labelled, out=out).files) == 16
