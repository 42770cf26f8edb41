"""Sampling whose noise belongs to a row: Gumbel-max with noise keyed by (row seed, step, token).

The largest of (logit / temperature + Gumbel noise) is a draw from the softmax. The noise comes from an integer hash, so it
depends on nothing but its key: not on the batch, not on the device, not on what was drawn before. Rounding differences
between batches move a draw only where two candidates are within rounding of each other.
"""

import functools
import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

MOST_REMEMBERED = 4096  # tokens: rows of larger vocabularies are not worth their memory
MULTIPLIERS = np.uint32(0x7FEB352D), np.uint32(0x846CA68B)  # least known bias of a 32-bit finaliser: C. Wellons' hash prospector
S15, S16 = np.uint32(15), np.uint32(16)


def row_seed(study_seed: int, question_id: str, sample: int) -> str:
    """Sixteen hex digits. Never of the cell: the same question and sample has the same noise in every arm."""
    return hashlib.blake2b(f"{study_seed}\0{question_id}\0{sample}".encode(), digest_size=8).hexdigest()


def gumbel_noise(seeds: Sequence[str], step: int, n_tokens: int) -> Tensor:
    """Standard Gumbel noise. [rows × tokens], float32"""
    noise = _remembered if n_tokens <= MOST_REMEMBERED else _row_noise
    return torch.stack([noise(seed, step, n_tokens) for seed in seeds])


def _row_noise(seed: str, step: int, n_tokens: int) -> Tensor:
    """Integers in numpy, which has unsigned ones; logarithms in torch, whose bits are pinned (`emsteer.kernels`)."""
    key = hashlib.blake2b(f"{seed}\0{step}".encode(), digest_size=8).digest()
    words = np.arange(n_tokens, dtype=np.uint32)
    for half in (key[:4], key[4:]):
        words ^= np.uint32(int.from_bytes(half, "little"))
        _mix(words)
    noise = torch.from_numpy(words.astype(np.float64))
    noise.add_(0.5).div_(2**32)  # inside (0, 1); float32 would round the largest up to 1, whose noise is infinite
    return noise.log_().neg_().log_().neg_().float()


_remembered = functools.lru_cache(maxsize=2**14)(_row_noise)  # every setting asks for the same noise


def _mix(words: np.ndarray) -> None:
    """A bijection of 32-bit words, in place; products wrap."""
    words ^= words >> S16
    words *= MULTIPLIERS[0]
    words ^= words >> S15
    words *= MULTIPLIERS[1]
    words ^= words >> S16


def pick(logits: Tensor, seeds: Sequence[str], step: int, temperature: float) -> Tensor:
    """The next token of every row. [rows × tokens] → [rows]; temperature 0 is greedy."""
    logits = logits.float()
    if temperature == 0:
        return logits.argmax(-1)
    noise = gumbel_noise(seeds, step, logits.shape[-1]).to(logits.device)
    return (logits / temperature + noise).argmax(-1)
