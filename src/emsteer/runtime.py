"""What a process must be for two runs to give the same bytes: one thread, no denormals, a stated device and dtype."""

import functools

import torch

from emsteer import kernels

N_THREADS = 1  # two threads give another organism than one; two busy processes with two threads each collapse
DTYPE = torch.float32


@functools.cache
def prepare() -> None:
    """Sets this process up, and says what it cannot set any more. Called before the first tensor; again does nothing."""
    kernels.check(capability=torch.backends.cpu.get_cpu_capability())
    torch.set_num_threads(N_THREADS)
    torch.set_flush_denormal(True)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # nothing here reads it unwritten
