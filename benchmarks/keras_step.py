"""The authors' training step in Keras beside ours, in turn, on one machine.

    python -m venv keras && keras/bin/pip install tensorflow-cpu tf_keras
    python benchmarks/keras_step.py --keras-python keras/bin/python

Each variant is a process of its own that makes one step when asked, on the same made pictures; they are asked in turn, so that a busy
neighbour meets all alike. Printed are medians over the rounds: seconds and process CPU seconds of a step, pictures a second, and the
ratio to the first variant. Wall seconds tell nothing on a busy machine; with --threads 1 the CPU seconds do.

    keras                   the step as described in docs/reproduction.md: generator predicts, the discriminator trains on real and then on
                            predicted pictures, the combined model trains the generator; Adam, the discriminator's convolutions held
    keras, thresholds       the same with glibc told to keep large blocks, as pretint's commands do for themselves
    pretint float32         recipe paper in this program's loop, as a command runs it
    pretint bf16            the same in bf16 autocast, where the machine has it

Networks, losses and optimizer follow the paper's method (Treneska et al. 2022) at any --size that is a power of two, --width and --batch.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ONE_GIB = str(1 << 30)
THRESHOLDS = {"MALLOC_MMAP_THRESHOLD_": ONE_GIB, "MALLOC_TRIM_THRESHOLD_": ONE_GIB}
VARIANTS: dict[str, tuple[str, dict[str, str]]] = {
    "keras": ("keras", {}),
    "keras, thresholds": ("keras", THRESHOLDS),
    "pretint float32": ("float32", {}),
    "pretint bf16": ("bf16", {}),
}


def main() -> None:
    """Print a table, or with --step be one of the processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--keras-python", type=Path, required=True, help="Python of an environment with TensorFlow and tf_keras"
    )
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="0 leaves it to the libraries")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--step", choices=["keras", "float32", "bf16"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        answer(arguments)
        return
    found = race(arguments)
    rows = summary(found, arguments.batch)
    if arguments.json:
        print(json.dumps({"variants": rows, "steps": found}, indent=1))
        return
    print(
        f"{arguments.size} px, width {arguments.width}, batch {arguments.batch}, threads {arguments.threads or 'free'}"
    )
    print(
        f"{'':<20}{'s a step':>10}{'CPU s':>10}{'(least, most)':>18}{'pictures/s':>12}{'by CPU':>9}{'x first':>9}{'by CPU':>9}"
    )
    for row in rows:
        print(
            f"{row['variant']:<20}{row['seconds']:>10.2f}{row['cpu']:>10.2f}{row['least']:>10.2f}{row['most']:>8.2f}"
            f"{row['speed']:>12.2f}{row['cpu_speed']:>9.2f}{row['ratio']:>9.2f}{row['cpu_ratio']:>9.2f}"
        )


def race(arguments: argparse.Namespace) -> dict[str, list[dict[str, float]]]:
    """Seconds, CPU seconds and losses of each step of each variant."""
    processes = {}
    for name in arguments.variants:
        step, environment = VARIANTS[name]
        python = str(arguments.keras_python) if step == "keras" else sys.executable
        threads = {"OMP_NUM_THREADS": str(arguments.threads)} if arguments.threads else {}
        # -P: files of this folder are not taken for modules of the library (one is called statistics).
        processes[name] = subprocess.Popen(
            [python, "-P", __file__, *sys.argv[1:], "--step", step],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", **threads, **environment},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
    found: dict[str, list[dict[str, float]]] = {name: [] for name in processes}
    for turn in range(arguments.rounds + 2):
        for name, process in processes.items():
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("step\n")
            process.stdin.flush()
            line = process.stdout.readline()
            if not line:
                raise SystemExit(f"{name}: ended with an error, see above")
            if turn >= 2:  # the first two warm up: graphs are traced, memory is taken
                found[name].append(json.loads(line))
    for process in processes.values():
        process.communicate()
    return found


def summary(found: dict[str, list[dict[str, float]]], batch: int) -> list[dict[str, Any]]:
    """Medians a variant."""
    rows: list[dict[str, Any]] = []
    for name, steps in found.items():
        seconds, cpu = (median([step[key] for step in steps]) for key in ("seconds", "cpu"))
        spread = [step["cpu"] for step in steps]
        first = rows[0] if rows else {"seconds": seconds, "cpu": cpu}
        rows.append({
            "variant": name, "seconds": seconds, "cpu": cpu, "least": min(spread), "most": max(spread),
            "speed": batch / seconds, "cpu_speed": batch / cpu,
            "ratio": first["seconds"] / seconds, "cpu_ratio": first["cpu"] / cpu,
        })  # fmt: skip
    return rows


def median(values: list[float]) -> float:
    """Of an odd or even number of values."""
    ordered = sorted(values)
    return (ordered[len(values) // 2] + ordered[(len(values) - 1) // 2]) / 2


# One of the processes


def answer(arguments: argparse.Namespace) -> None:
    """Make a step for each line on stdin; say what it took on stdout."""
    if arguments.step == "keras":
        step = keras_step(arguments)
        for begun in asked():
            step()
            told(begun)
        return
    run_pretint(arguments)


def asked() -> Iterator[tuple[float, float]]:
    """The clocks at each line on stdin."""
    for _ in sys.stdin:
        yield time.perf_counter(), time.process_time()


def told(begun: tuple[float, float]) -> None:
    """Say on stdout what has passed since."""
    seconds, cpu = time.perf_counter() - begun[0], time.process_time() - begun[1]
    print(json.dumps({"seconds": seconds, "cpu": cpu}), flush=True)


def run_pretint(arguments: argparse.Namespace) -> None:
    """Recipe paper in the training loop, fed one batch a question."""
    import torch

    from pretint.data.feed import Batch
    from pretint.speed.product_steps import train
    from pretint.speed.work import values_of
    from pretint.training.allocator import raise_allocator_thresholds

    raise_allocator_thresholds()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    count, width = arguments.batch, arguments.width
    values = values_of("paper", size=arguments.size, unet={"width": width}, cgan={"critic_width": width})

    def batches() -> Iterator[Batch]:
        rgb = torch.from_numpy(made_pictures(count, arguments.size)).permute(0, 3, 1, 2)
        for begun in asked():
            ids = tuple(map(str, range(count)))
            yield Batch(rgb, ids, torch.arange(count), torch.zeros(count, dtype=torch.bool))
            told(begun)

    with tempfile.TemporaryDirectory() as folder:
        train({"values": values, "batch": count, "precision": arguments.step, "folder": folder}, batches)


def made_pictures(count: int, size: int) -> Any:
    """uint8 (count, size, size, 3): smooth colours with noise."""
    import numpy as np

    draws = np.random.default_rng(0)
    coarse = draws.integers(0, 256, (count, 8, 8, 3)).repeat(size // 8, axis=1).repeat(size // 8, axis=2)
    return (0.8 * coarse + draws.integers(0, 52, coarse.shape)).astype(np.uint8)


def keras_step(arguments: argparse.Namespace) -> Callable[[], None]:
    """The three models and the step on them.

    The discriminator is compiled while all of it learns. Its layers but the norms are held after that, and the combined model
    is compiled then; the legacy Keras 2 lets each model train what it could when it was compiled. That is checked.
    """
    import numpy as np
    import tensorflow as tf

    try:
        import tf_keras as keras
    except ImportError:
        raise SystemExit("--keras-python: has no tf_keras; install it there beside TensorFlow") from None
    if arguments.threads:
        tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
        tf.config.threading.set_inter_op_parallelism_threads(arguments.threads)
    generator = keras_generator(keras, arguments.size, arguments.width)
    critic = keras_critic(keras, arguments.size, arguments.width)
    critic.compile(loss="binary_crossentropy", optimizer=keras.optimizers.Adam(2e-4, beta_1=0.5), loss_weights=[0.5])
    for layer in critic.layers:
        if not isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    grey = keras.Input((arguments.size, arguments.size, 1))
    coloured = generator(grey)
    combined = keras.Model(grey, [critic([grey, coloured]), coloured])
    adam = keras.optimizers.Adam(2e-4, beta_1=0.5)
    combined.compile(loss=["binary_crossentropy", "mae"], optimizer=adam, loss_weights=[1, 100])

    planes = (
        made_pictures(arguments.batch, arguments.size).astype(np.float32) / 127.5 - 1
    )  # stands for L, a, b: none is converted here
    lightness, ab = planes[..., :1], 0.5 * planes[..., 1:]
    shape = (arguments.batch, *critic.output_shape[1:])
    ones, zeros = np.ones(shape, np.float32), np.zeros(shape, np.float32)

    def step() -> None:
        predicted = generator.predict(lightness, batch_size=arguments.batch, verbose=0)
        critic.train_on_batch([lightness, ab], ones)
        critic.train_on_batch([lightness, predicted], zeros)
        combined.train_on_batch(lightness, [ones, ab])

    kernel = next(layer for layer in critic.layers if isinstance(layer, keras.layers.Conv2D)).kernel
    states = [kernel.numpy()]
    critic.train_on_batch([lightness, ab], ones)
    states.append(kernel.numpy())
    combined.train_on_batch(lightness, [ones, ab])
    states.append(kernel.numpy())
    if np.array_equal(states[0], states[1]) or not np.array_equal(states[1], states[2]):
        raise SystemExit(
            "this Keras does not hold the discriminator as the authors' did: it must learn in its own steps alone"
        )
    return step


def keras_generator(keras: Any, size: int, width: float) -> Any:
    """The paper's U-Net: norms by the batch and dropout on in every call."""
    layers = keras.layers
    levels = size.bit_length() - 1
    channels = [max(1, round(min(64 * 2**i, 512) * width)) for i in range(levels)]
    values = entrance = keras.Input((size, size, 1))
    skips = []
    for i, count in enumerate(channels):
        values = convolution(keras, layers.Conv2D, count)(values)
        if i == levels - 1:
            values = layers.ReLU()(values)
            break
        if i:
            values = layers.BatchNormalization()(values, training=True)
        values = layers.LeakyReLU(0.2)(values)
        skips.append(values)
    for i, skip in enumerate(reversed(skips)):
        values = convolution(keras, layers.Conv2DTranspose, skip.shape[-1])(values)
        values = layers.BatchNormalization()(values, training=True)
        if i < 3:
            values = layers.Dropout(0.5)(values, training=True)
        values = layers.ReLU()(layers.Concatenate()([values, skip]))
    values = convolution(keras, layers.Conv2DTranspose, 2)(values)
    return keras.Model(entrance, layers.Activation("tanh")(values))


def keras_critic(keras: Any, size: int, width: float) -> Any:
    """The discriminator that sees 142 pixels; probabilities."""
    layers = keras.layers
    grey, colour = keras.Input((size, size, 1)), keras.Input((size, size, 2))
    values = layers.Concatenate()([grey, colour])
    for i, count in enumerate((64, 128, 256, 512, 512)):
        values = convolution(keras, layers.Conv2D, max(1, round(count * width)), 2 if i < 4 else 1)(values)
        if i:
            values = layers.BatchNormalization()(values)
        values = layers.LeakyReLU(0.2)(values)
    values = convolution(keras, layers.Conv2D, 1, 1)(values)
    return keras.Model([grey, colour], layers.Activation("sigmoid")(values))


def convolution(keras: Any, kind: Any, channels: int, stride: int = 2) -> Any:
    """4x4, weights N(0, 0.02), bias 0."""
    start = keras.initializers.RandomNormal(stddev=0.02)
    return kind(channels, 4, strides=stride, padding="same", kernel_initializer=start)


if __name__ == "__main__":
    main()
