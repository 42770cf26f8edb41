"""Which CPU kernels torch may use: those that are meant to give the same bytes on every x86-64 processor with AVX2.

By default torch picks kernels by processor, and their sums round differently: a model pretrained on another CPU has other
bytes. `STRICT` also makes a row's product independent of how many rows there are. Measured in docs/performance.md. The
libraries read these variables once, when torch first computes, so they are set when the package is imported, in every
process: rules, commands and tests. Elsewhere (other processors, accelerators) they mean nothing.
"""

import logging
import os
from collections.abc import Mapping

PINNED = {"ATEN_CPU_CAPABILITY": "avx2", "DNNL_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "AVX2,STRICT"}
log = logging.getLogger("emsteer")


def pin() -> None:
    """Sets what is not set. Somebody who sets a variable to another value gets it, and is told so by `check`."""
    for name, value in PINNED.items():
        os.environ.setdefault(name, value)


def check(found: Mapping[str, str] = os.environ, capability: str = "AVX2") -> None:
    """Says which kernels are not the pinned ones.

    Args:
        found: Environment variables.
        capability: Of the kernels that torch has chosen, as `torch.backends.cpu.get_cpu_capability` calls them.
    """
    others = [f"{name}={found.get(name, '')} (expected {value})" for name, value in PINNED.items() if found.get(name) != value]
    if capability.startswith("AVX") and capability != "AVX2":
        others.append(f"torch already chose {capability}: it computed before emsteer was imported")
    if others:
        log.warning("other CPU kernels than the study's: %s. Bytes may differ from those of other machines.", "; ".join(others))


pin()
