"""What a recipe or a run is, without training: its networks, their cost, its steps, its files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pretint import recipe
from pretint.errors import WeightsError
from pretint.inference.models import build_task_network
from pretint.networks.backbone import PLANE_COUNT
from pretint.networks.build import build_backbone, build_decoder
from pretint.networks.counting import cost
from pretint.networks.patchgan import PatchDiscriminator
from pretint.pretexts.pretext import build_pretext
from pretint.run_folder import RunFolder, read_description
from pretint.tasks.task import build_task

PAPER_LABELS = {"multilabel": 20, "segmentation": 21}
"""Classes of the paper's tasks on Pascal VOC, background included for segmentation."""


def describe_recipe(values: Mapping[str, Any], pictures: int | None) -> dict[str, Any]:
    """Networks of a pretraining recipe, with the downstream networks that it would transfer to.

    Args:
        values: complete options of the recipe.
        pictures: number of training pictures, for the count of steps; None leaves it out.
    """
    with torch.device("meta"):
        pretext = build_pretext(values)
        networks = {name: _cost(network, values) for name, network in pretext.networks.items()}
        transfer = _transfer(values)
        for name, task in (("classifier", "multilabel"), ("segmenter", "segmentation")):
            classes = [str(k) for k in range(PAPER_LABELS[task])]
            built = build_task({"task": task, task: transfer.get(task, {})}, classes)
            backbone = build_backbone(values)
            decoder = build_decoder(values, backbone) if built.target == "mask" else None
            networks[name] = _cost(built.network(backbone, decoder, values["size"]), values)
    description: dict[str, Any] = {"recipe": values["recipe"], "options": dict(values), "networks": networks}
    if pictures:
        description["steps"] = _steps(pictures, values)
    return description


def _transfer(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The shipped fine-tuning recipe made for these networks: of the same backbone, size and width; else none, so defaults."""

    def networks(of: Mapping[str, Any]) -> tuple[Any, ...]:
        return of["backbone"], of["size"], of.get(of["backbone"], {}).get("width")

    recipes = (recipe.read("finetune", name) for name in recipe.shipped("finetune"))
    return next((found for found in recipes if networks(found) == networks(values)), {})


def describe_run(run: RunFolder) -> dict[str, Any]:
    """A run's networks, progress and files."""
    manifest = run.manifest
    values = manifest["options"]
    networks = {}
    with torch.device("meta"):
        if manifest["kind"] == "pretrain":
            networks = {name: _cost(network, values) for name, network in build_pretext(values).networks.items()}
        elif "classes" in manifest:
            networks = {"network": _cost(build_task_network(values, manifest["classes"])[1], values)}
    last, best = run.pointer("last"), run.pointer("best")
    data = manifest.get("data")  # a run that failed at its pictures has none, and no steps
    return {
        "run": str(run.path),
        "kind": manifest["kind"],
        "state": manifest["state"],
        "options": values,
        "networks": networks,
        "steps": _steps(data["training"], values) if data else None,
        "done": last["step"] if last else 0,
        "best": best,
        "files": {
            str(path.relative_to(run.path)): path.stat().st_size
            for path in sorted(run.path.rglob("*"))
            if path.is_file()
        },
    }


def describe_weights(path: Path) -> dict[str, Any]:
    """A weights' file: its networks, the training's options and steps, and under ``weights`` what else it says of itself.

    Raises:
        WeightsError: the file is missing, or does not say what it holds.
    """
    description = read_description(path)
    if description is None:
        raise WeightsError(f"{path}: is no weights' file of pretint, so nothing is known of it; check the path")
    values = description["options"]
    data = description.get("data")
    told = {name: value for name, value in description.items() if name not in ("kind", "options", "settings")}
    told["settings"] = {
        name: {**one, "decoding": {k: v for k, v in one["decoding"].items() if k != "marginal"}}
        for name, one in description.get("settings", {}).items()
    }
    told |= {"backbone": values["backbone"], "size": values["size"], "bytes": path.stat().st_size}
    told["planes"] = values[values["backbone"]].get("planes", "L")
    return {
        "file": path.name,
        "kind": description["kind"],
        "options": values,
        "networks": networks_of_description(description),
        "steps": _steps(data["training"], values) if data else None,
        "weights": told,
    }


def networks_of_description(description: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Cost of the networks that a weights' file holds."""
    values, dropped = description["options"], description.get("dropped", ())
    with torch.device("meta"):
        if description["kind"] == "pretrain":
            return {n: _cost(m, values) for n, m in build_pretext(values).networks.items() if n not in dropped}
        return {"network": _cost(build_task_network(values, description["classes"])[1], values)}


def _cost(network: nn.Module, values: Mapping[str, Any]) -> dict[str, int]:
    size = values["size"]
    if isinstance(network, PatchDiscriminator):
        found = cost(network, (1, size, size), (2, size, size))
    else:
        found = cost(network, (PLANE_COUNT[values[values["backbone"]]["planes"]], size, size))
    return {"trainable": found.trainable, "total": found.total, "multiply_adds": found.multiply_adds}


def _steps(pictures: int, values: Mapping[str, Any]) -> dict[str, int]:
    epoch = max(1, pictures // values["batch_size"])  # fewer pictures than a batch are one
    return {"pictures": pictures, "per_epoch": epoch, "total": epoch * values["epochs"]}


def is_run(source: str) -> bool:
    """Whether this is the folder of a run."""
    return (Path(source) / "run.json").is_file()
