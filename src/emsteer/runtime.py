"""What a process must be for two runs to give the same bytes: one thread, no denormals, a stated device and dtype."""

import functools
import os

import torch

from emsteer import kernels

N_THREADS = 1  # two threads give another organism than one; two busy processes with two threads each collapse
DTYPE = torch.float32  # of models that the study makes itself
_loaded = {"dtype": DTYPE}


@functools.cache
def prepare() -> None:
    """Sets this process up, and says what it cannot set any more. Called before the first tensor; again does nothing."""
    kernels.check(capability=torch.backends.cpu.get_cpu_capability())
    torch.set_num_threads(N_THREADS)
    torch.set_flush_denormal(True)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # or else products on a card are not deterministic
    torch.use_deterministic_algorithms(True, warn_only=device().type != "cpu")  # a card has operations without such an algorithm
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # nothing here reads it unwritten


def device() -> torch.device:
    """Where models run: on a card, if this process may see one (`devices.claim` hides those that it did not ask for)."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def note_dtype(dtype: torch.dtype) -> None:
    """Of the model that was loaded last, for run records."""
    _loaded["dtype"] = dtype


def described() -> dict[str, str]:
    """Device and dtype, as run records have them."""
    card = f" ({torch.cuda.get_device_name()})" if device().type == "cuda" else ""
    return {"device": f"{device().type}{card}", "dtype": str(_loaded["dtype"]).removeprefix("torch.")}
