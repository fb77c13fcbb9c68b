"""Memory of a long training: large blocks are kept instead of being handed back to the kernel after every layer."""

import ctypes
import sys


def raise_allocator_thresholds() -> None:
    """Let glibc keep large blocks instead of handing them back to the kernel after every layer.

    Measured on a 2-core machine this saves up to a second of system time a step. For commands only: a library must
    not change the allocator of the program that imports it.
    """
    if sys.platform != "linux":
        return
    mmap_threshold, trim_threshold, one_gib = -3, -1, 1 << 30
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(mmap_threshold, one_gib)
        libc.mallopt(trim_threshold, one_gib)
