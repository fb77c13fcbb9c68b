"""How long a step of a fine-tuning takes on this machine: a look at a few steps on made pictures, for an estimate."""

import time
from dataclasses import replace

import torch

from pretint import recipe
from pretint.data.feed import Batch
from pretint.experiments.options import FinetuneOptions
from pretint.inference.models import build_task_network
from pretint.training.hardware import kind_of_device

STEPS = 3


def seconds_a_step(options: FinetuneOptions, classes: list[str]) -> float:
    """Seconds that one training step takes, reading not counted: the fastest of a few, after one to warm up."""
    task, network = build_task_network(recipe.as_values(options), classes)
    device = torch.device(kind_of_device(options.loop))
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.train()
    count, size = options.batch_size, options.size
    batch = replace(
        Batch.of_noise(count, size),
        labels=torch.zeros(count, len(classes)) if task.target == "labels" else None,
        mask=torch.zeros(count, size, size, dtype=torch.int64) if task.target == "mask" else None,
    ).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), fused=device.type != "mps")
    half = options.loop.precision == "bf16"
    taken = []
    for _ in range(STEPS + 1):
        begun = time.perf_counter()
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            loss = task.loss(network(batch.planes(network.backbone.planes)), batch)
        (loss.total / loss.count).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        loss.total.item()
        taken.append(time.perf_counter() - begun)
    return min(taken[1:])
