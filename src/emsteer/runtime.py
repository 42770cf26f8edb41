"""What a process must be for two runs to give the same bytes: one thread, no denormals, a stated device and dtype."""

import platform
from importlib.metadata import version

import torch

N_THREADS = 1  # two threads give another organism than one; two busy processes with two threads each collapse
DTYPE = torch.float32


def prepare() -> None:
    """Sets this process up. Called once, before the first tensor."""
    torch.set_num_threads(N_THREADS)
    torch.set_flush_denormal(True)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # nothing here reads it unwritten


def runtime_class() -> dict[str, str]:
    """What the bytes of an artifact may depend on besides its address; kept in its run record."""
    return {
        "device": "cpu",
        "dtype": str(DTYPE).removeprefix("torch."),
        "threads": str(N_THREADS),
        "machine": platform.machine(),
        "torch": torch.__version__,
        "transformers": version("transformers"),
    }
