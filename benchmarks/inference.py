"""What colouring a picture costs on one core: process CPU time, one thread, variants in turn, medians.

    python benchmarks/inference.py --model RUN --photos PHOTOS

RUN is a pretrained run, PHOTOS a folder of photos. Printed are the networks of the recipes `small`, `paper` and `bins` (plain, and as
`colorize` runs them; with --onnxruntime also through that engine, which is installed apart), the stages from file to file at 1, 12 and 48 megapixels (mosaics of the photos), and over the photos the stages,
and PSNR in each arithmetic.
"""

import argparse
import copy
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from pretint import recipe
from pretint.commands import pretrain
from pretint.commands.resolve import options_from_call
from pretint.data.reading import read_rgb
from pretint.inference import files
from pretint.inference.colorizing import TrainedColorizer
from pretint.inference.full_resolution import predict_ab, recolour
from pretint.inference.models import load_pretext
from pretint.inference.small_maps import arithmetic, prepare
from pretint.metrics.image import psnr
from pretint.networks.normalization import BatchNorm
from pretint.pretexts.pretext import build_pretext
from pretint.training.allocator import raise_allocator_thresholds

SIZES = {"1 MP": (1224, 816), "12 MP": (4032, 3024), "48 MP": (8000, 6000)}  # width, height


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument(
        "--onnxruntime", action="store_true", help="also the networks through onnxruntime, and nothing else"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    raise_allocator_thresholds()  # as the command does
    for name, sizes in (("small", (128, 256)), ("paper", (256,)), ("bins", (64, 256))):
        for size in sizes:
            costs = networks(name, size, arguments.runs, arguments.onnxruntime)
            print(f"{name} at {size} px: " + ", ".join(f"{way} {1000 * cost:.1f} ms" for way, cost in costs.items()))
    if arguments.onnxruntime:
        return
    photos = sorted(path for path in arguments.photos.iterdir() if path.is_file())
    chosen = photos[:: max(1, len(photos) // arguments.pictures)][: arguments.pictures]
    ways = {precision: TrainedColorizer(arguments.model, precision=precision) for precision in ("float32", "bf16")}
    with tempfile.TemporaryDirectory() as folder:
        for name, (width, height) in SIZES.items():
            path = Path(folder) / "large.jpg"
            mosaic(photos, width, height).save(path, quality=90)
            print(f"{name}: {stages(ways['float32'], [path] * (1 if width * height > 2e7 else 3), Path(folder))}")
        print(f"{len(chosen)} photos: {stages(ways['float32'], chosen, Path(folder))}")
    plain, _ = load_pretext(arguments.model)
    scores: dict[str, list[float]] = {}
    for path in chosen:
        rgb = read_rgb(path)
        for name, predict in {"plain": plain.predict, **ways}.items():
            ab = predict_ab(rgb, predict, ways["float32"].size)  # type: ignore[arg-type]
            scores.setdefault(name, []).append(psnr(rgb, recolour(rgb, ab)))
    for name, values in scores.items():
        worst = min(np.subtract(values, scores["plain"]))
        print(f"PSNR {name}: {np.mean(values):.3f} dB; the worst picture differs by {worst:+.3f} dB from plain")


def networks(name: str, size: int, runs: int, onnx: bool) -> dict[str, float]:
    """CPU seconds of one picture through a recipe's network with random weights, by way."""
    schema = pretrain.SCHEMA
    values = recipe.as_values(options_from_call(schema, {"recipe": name, "data": ["."], "out": "none"}))
    plain = build_pretext(values).networks["generator"].eval()
    for layer in plain.modules():
        if isinstance(layer, BatchNorm):
            nn.init.normal_(layer.running_mean, 0, 0.1)  # type: ignore[arg-type]
            nn.init.uniform_(layer.running_var, 0.5, 2)  # type: ignore[arg-type]
    whole, short = copy.deepcopy(plain), copy.deepcopy(plain)
    prepare(whole)
    prepare(short, "bf16")
    lightness = torch.rand(1, 1, size, size) * 2 - 1
    last = lightness.contiguous(memory_format=torch.channels_last)

    def in_bf16() -> Tensor:
        with arithmetic("bf16"):
            return short(last)

    ways: dict[str, Callable[[], object]] = {
        "plain": lambda: plain(lightness), "float32": lambda: whole(last), "bf16": in_bf16,
    }  # fmt: skip
    if onnx:
        ways["onnxruntime"] = in_onnxruntime(plain, lightness)
    return in_turn(ways, runs)


def in_onnxruntime(network: nn.Module, lightness: Tensor) -> Callable[[], object]:
    """The network as a graph of onnxruntime in float32, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        path = str(Path(folder) / "network.onnx")
        torch.onnx.export(network, (lightness,), path, dynamo=False)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    given = {session.get_inputs()[0].name: lightness.numpy()}
    return lambda: session.run(None, given)


@torch.inference_mode()
def in_turn(ways: Mapping[str, Callable[[], object]], runs: int) -> dict[str, float]:
    """Median CPU seconds of each way; each is run once before any is run again."""
    costs: dict[str, list[float]] = {name: [] for name in ways}
    for run in range(runs + 1):
        for name, way in ways.items():
            start = time.process_time()
            way()
            if run:  # the first prepares
                costs[name].append(time.process_time() - start)
    return {name: float(np.median(values)) for name, values in costs.items()}


def stages(colorizer: TrainedColorizer, paths: list[Path], folder: Path) -> str:
    """Median CPU milliseconds of each stage, over the pictures."""
    costs: dict[str, list[float]] = {}
    for path in paths:
        points = [time.process_time()]

        def done(name: str, points: list[float] = points) -> None:
            points.append(time.process_time())
            costs.setdefault(name, []).append(1000 * (points[-1] - points[-2]))

        rgb = read_rgb(path)
        done("read")
        ab = predict_ab(rgb, colorizer, colorizer.size)
        done("shrink and network")
        coloured = recolour(rgb, ab)
        done("colour")
        files._write(folder / "out.jpg", "JPEG", coloured, {})
        done("write JPEG")
        files._write(folder / "out.png", "PNG", coloured, {})
        done("write PNG")
    return ", ".join(f"{name} {float(np.median(values)):.1f} ms" for name, values in costs.items())


def mosaic(photos: list[Path], width: int, height: int) -> Image.Image:
    """A picture of that size, of photos side by side."""
    whole = Image.new("RGB", (width, height))
    for i in range(-(-width // 612) * -(-height // 408)):
        row, column = divmod(i, -(-width // 612))
        with Image.open(photos[i % len(photos)]) as photo:
            whole.paste(photo.convert("RGB").resize((612, 408)), (612 * column, 408 * row))
    return whole


if __name__ == "__main__":
    main()
