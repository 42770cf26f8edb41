"""CPU kernels are pinned in every process that imports the package, and a process in which they are not says so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from emsteer import kernels

SHOW = "import emsteer, os; print(*(os.environ[name] for name in emsteer.kernels.PINNED))"
TORCH_FIRST = """
import torch
torch.ones(64, 64) @ torch.ones(64, 64)
from emsteer import runtime
runtime.prepare()
runtime.prepare()
"""


def run(program: str, **environment: str) -> str:
    unset = {name: value for name, value in os.environ.items() if name not in kernels.PINNED}
    answer = subprocess.run(
        [sys.executable, "-c", program], env={**unset, **environment}, capture_output=True, text=True, check=True
    )
    return answer.stdout + answer.stderr


def test_importing_the_package_pins_the_kernels_of_its_process_and_a_value_of_your_own_is_left() -> None:
    assert run(SHOW).split() == list(kernels.PINNED.values())
    assert run(SHOW, MKL_CBWR="AVX512").split() == ["avx2", "AVX2", "AVX512"]


def test_the_kernels_that_compute_here_are_the_pinned_ones() -> None:
    assert torch.backends.cpu.get_cpu_capability() in ("AVX2", "DEFAULT", "NO AVX"), "and none that newer processors have"
    assert all(os.environ[name] == value for name, value in kernels.PINNED.items())


def test_a_process_that_computed_before_the_kernels_were_pinned_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    kernels.check(kernels.PINNED)
    assert not caplog.records
    kernels.check({**kernels.PINNED, "MKL_CBWR": "AVX512"}, capability="AVX512")
    (said,) = (record.getMessage() for record in caplog.records)
    assert "MKL_CBWR=AVX512 (expected AVX2,STRICT)" in said and "already chose AVX512" in said
    if torch.backends.cpu.get_cpu_capability() == "AVX2" and "avx512f" in _processor():
        assert run(TORCH_FIRST).count("already chose AVX512") == 1


def test_a_product_of_a_row_does_not_depend_on_how_many_rows_there_are() -> None:
    generator = torch.Generator().manual_seed(0)
    for n_in, n_out in ((128, 384), (384, 128), (128, 700), (576, 576)):
        rows, weight = torch.randn(320, n_in, generator=generator), torch.randn(n_out, n_in, generator=generator)
        whole = torch.nn.functional.linear(rows, weight)
        widths = (16, 17, 31, 48, 63, 96, 200, 300)
        assert all(torch.equal(torch.nn.functional.linear(rows[:width], weight), whole[:width]) for width in widths)


def _processor() -> str:
    found = Path("/proc/cpuinfo")
    return found.read_text() if found.exists() else ""
