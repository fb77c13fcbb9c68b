"""Memory: whether an error says that it ran out, and how much of a GPU's is free."""

import torch

from pretint.errors import PretintError


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python, torch or one of ours says that memory ran out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    if isinstance(error, PretintError):  # such as an unreadable picture whose decoder had no memory left
        return isinstance(error.__cause__, MemoryError)
    # On the CPU and on Apple's GPUs torch raises a plain RuntimeError.
    return isinstance(error, RuntimeError) and any(
        words in str(error).lower() for words in ("can't allocate memory", "out of memory")
    )


def free_cuda_bytes() -> int:
    """Free memory of the GPU that is used by default."""
    return int(torch.cuda.mem_get_info()[0])
