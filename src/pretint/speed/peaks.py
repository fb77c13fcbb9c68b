"""What the machine can do at the best: large matmuls in each arithmetic, and copying memory.

A matmul's size is doubled for as long as the next one would stay short, since an arithmetic that the processor lacks may
be hundreds of times slower (float16 on many CPUs runs one number at a time).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from pretint.speed.clock import Clock
from pretint.speed.samples import Sample

COPY = "copy"
_TYPES = {
    "float32": torch.float32,
    "TF32": torch.float32,
    "bf16": torch.bfloat16,
    "float16": torch.float16,
    "float64": torch.float64,
    "int8": torch.int8,
}


def kinds(device: torch.device) -> tuple[str, ...]:
    """Names of what can be measured on a device, the copy last."""
    if device.type == "cuda":
        tf32 = torch.cuda.get_device_capability(device) >= (8, 0)
        return ("float32", *(["TF32"] if tf32 else []), "bf16", "float16", COPY)
    return ("float32", "bf16", "float16", COPY) if device.type == "mps" else (*_cpu_kinds(), COPY)


def _cpu_kinds() -> tuple[str, ...]:
    return ("float32", "bf16", "float64", "float16", "int8")


class Peaks:
    """Matmuls and copies of one process; each is set up when it is first asked for.

    Args:
        clock: times them.
        longest: seconds that one matmul may be expected to take when its size is doubled.
        largest: side of the largest matmul.
        copied: bytes of the array that is copied.
    """

    def __init__(self, clock: Clock, longest: float, largest: int, copied: int) -> None:
        self.clock, self.longest, self.largest, self.copied = clock, longest, largest, copied
        self._ready: dict[str, tuple[Callable[[], object], float, int, float]] = {}

    def measure(self, kind: str, least: float) -> tuple[Sample, float, int]:
        """A timing, the operations (matmul) or bytes (copy: read and written) of one repetition, and the side or size."""
        if kind not in self._ready:
            self._ready[kind] = self._copy() if kind == COPY else self._matmul(kind)
        work, amount, size, guess = self._ready[kind]
        with _arithmetic(kind):
            return self.clock.sample(work, least, guess), amount, size

    def _copy(self) -> tuple[Callable[[], object], float, int, float]:
        source = torch.ones(self.copied // 4, device=self.clock.device)
        target = torch.zeros_like(source)  # touched, so that no page is made while it is timed

        def copy() -> Tensor:
            return target.copy_(source)

        return copy, 2.0 * self.copied, self.copied, self.clock.sample(copy, 0).seconds

    def _matmul(self, kind: str) -> tuple[Callable[[], object], float, int, float]:
        side = min(256, self.largest)
        with _arithmetic(kind):
            while True:
                multiply = _multiplication(kind, side, self.clock.device)
                taken = self.clock.sample(multiply, 0).seconds
                # The smallest ones are held up by their start, so that they foretell too long a time.
                if 2 * side > self.largest or (8 * taken > self.longest and side >= 512) or 4 * taken > self.longest:
                    return multiply, 2.0 * side**3, side, taken
                side *= 2


def _multiplication(kind: str, side: int, device: torch.device) -> Callable[[], object]:
    if kind == "int8":
        left, right = (torch.randint(-8, 8, (side, side), dtype=torch.int8, device=device) for _ in range(2))
        return lambda: torch._int_mm(left, right)
    first, second = (torch.randn(side, side, device=device).to(_TYPES[kind]) for _ in range(2))
    product = torch.empty_like(first)
    return lambda: torch.mm(first, second, out=product)


@contextmanager
def _arithmetic(kind: str) -> Iterator[None]:
    """Whether a GPU may cut float32 to TF32 within a matmul."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if kind == "TF32" else "highest")
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def serve(case: dict[str, Any], clock: Clock, requests: Iterator[dict[str, Any]], answer: Callable[..., None]) -> None:
    """Answer each request ``{"kind": ..., "least": seconds}``."""
    peaks = Peaks(clock, case["longest"], case["largest"], case["copied"])
    answer(kinds=kinds(clock.device))
    for request in requests:
        try:
            sample, amount, size = peaks.measure(request["kind"], request["least"])
        except RuntimeError as error:  # an arithmetic that this build of torch has no matmul for
            answer(missing=str(error).splitlines()[0])
            continue
        answer(sample=sample, amount=amount, size=size)
