"""Colouring, timed: one large photo from file to file, and a folder of small ones against the network alone.

The weights are random: how long a network takes does not depend on what it has learned.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from pretint.data.reading import read_rgb
from pretint.inference.colorizing import TrainedColorizer, colorize_files
from pretint.inference.files import colorize_file
from pretint.inference.full_resolution import predict_ab, recolour
from pretint.pretexts.pretext import build_pretext
from pretint.speed.clock import Clock
from pretint.speed.photos import write
from pretint.speed.plain_networks import PlainUNet

STAGES = ("read", "network", "colours", "write")


def weights(values: dict[str, Any], path: Path) -> Path:
    """A weights' file of an untrained pretext, as a training leaves it."""
    torch.manual_seed(0)
    description = {"kind": "pretrain", "options": values, "mean_colour": [0.0, 0.0]}
    save_file(build_pretext(values).state_dict(), path, {"pretint": json.dumps(description)})
    return path


def serve(case: dict[str, Any], clock: Clock, requests: Iterator[dict[str, Any]], answer: Callable[..., None]) -> None:
    """One ``photo``: answers ``{"stage": "all"}``, which is ``colorize`` itself, and ``{"stage": "stages"}``."""
    photo = Path(case["photo"])
    colorizer = TrainedColorizer(weights(case["values"], photo.with_suffix(".safetensors")))
    target = photo.with_stem(f"{photo.stem}-coloured")
    answer()
    for request in requests:
        if request["stage"] == "all":
            clock.start()
            colorize_file(photo, target, colorizer, colorizer.size)
            answer(sample=clock.stop())
            continue
        clock.start()
        rgb = read_rgb(photo)
        read = clock.stop()
        clock.start()
        ab = predict_ab(rgb, colorizer, colorizer.size)
        network = clock.stop()
        clock.start()
        recolour(rgb, ab)
        answer(stages={"read": read.seconds, "network": network.seconds, "colours": clock.stop().seconds})


def serve_folder(
    case: dict[str, Any], clock: Clock, requests: Iterator[dict[str, Any]], answer: Callable[..., None]
) -> None:
    """Pictures of the network's own size: answers ``{"way": "folder" | "alike" | "network" | "plain", "least": seconds}``.

    Seconds a picture: of ``colorize`` on the folder; of the network alone, one picture at a time, in the arithmetic that
    ``colorize`` takes there, and in float32; and of the same network written from torch's own layers, in float32.
    """
    folder, values = Path(case["folder"]), case["values"]
    size = values["size"]
    pictures = write(folder / "small-pictures", case["pictures"], (size, size))
    model = weights(values, folder / "weights-folder.safetensors")
    colorizer, alike = TrainedColorizer(model), TrainedColorizer(model, precision="auto")
    plain = PlainUNet(size, values["unet"]["width"]).to(clock.device).eval()
    lightness = torch.rand(1, 1, size, size) * 2 - 1
    there = lightness.to(clock.device)

    @torch.inference_mode()
    def forward() -> object:
        return plain(there)

    def coloured() -> object:
        return colorize_files([pictures], folder / "coloured", model, overwrite=True)

    works = {"plain": forward, "network": lambda: colorizer(lightness), "alike": lambda: alike(lightness)}
    answer()
    coloured()
    for request in requests:
        if request["way"] == "folder":
            clock.start()
            coloured()
            answer(sample=clock.stop(case["pictures"]))
        else:
            answer(sample=clock.sample(works[request["way"]], request["least"]))
