"""Sampling whose noise belongs to a row: Gumbel-max with noise keyed by (row seed, step, token).

The largest of (logit / temperature + Gumbel noise) is a draw from the softmax. The noise comes from an integer hash, so it
depends on nothing but its key: not on the batch, not on the device, not on what was drawn before. Rounding differences
between batches move a draw only where two candidates are within rounding of each other.
"""

import functools
import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

WORD = 0xFFFFFFFF
MOST_REMEMBERED = 4096  # tokens: rows of larger vocabularies are not worth their memory
MULTIPLIERS = (0x7FEB352D, 0x846CA68B)  # of the 32-bit finaliser with the least known bias, C. Wellons' hash prospector


def row_seed(study_seed: int, question_id: str, sample: int) -> str:
    """Sixteen hex digits. Never of the cell: the same question and sample has the same noise in every arm."""
    return hashlib.blake2b(f"{study_seed}\0{question_id}\0{sample}".encode(), digest_size=8).hexdigest()


def gumbel_noise(seeds: Sequence[str], step: int, n_tokens: int) -> Tensor:
    """Standard Gumbel noise. [rows × tokens], float32"""
    noise = _remembered if n_tokens <= MOST_REMEMBERED else _row_noise
    return torch.stack([noise(seed, step, n_tokens) for seed in seeds])


def _row_noise(seed: str, step: int, n_tokens: int) -> Tensor:
    key = hashlib.blake2b(f"{seed}\0{step}".encode(), digest_size=8).digest()
    low, high = (int.from_bytes(half, "little") for half in (key[:4], key[4:]))
    words = _mix(_mix(torch.arange(n_tokens, device="cpu") ^ low) ^ high)
    uniform = (words.double() + 0.5) / 2**32  # inside (0, 1); float32 would round the largest up to 1, whose noise is infinite
    return -torch.log(-torch.log(uniform)).float()


_remembered = functools.lru_cache(maxsize=2**14)(_row_noise)  # every setting asks for the same noise


def _mix(words: Tensor) -> Tensor:
    """A bijection of 32-bit words, held in int64: products wrap, and their low 32 bits are right all the same."""
    words = words ^ (words >> 16)
    words = (words * MULTIPLIERS[0]) & WORD
    words = words ^ (words >> 15)
    words = (words * MULTIPLIERS[1]) & WORD
    return words ^ (words >> 16)


def pick(logits: Tensor, seeds: Sequence[str], step: int, temperature: float) -> Tensor:
    """The next token of every row. [rows × tokens] → [rows]; temperature 0 is greedy."""
    logits = logits.float()
    if temperature == 0:
        return logits.argmax(-1)
    noise = gumbel_noise(seeds, step, logits.shape[-1]).to(logits.device)
    return (logits / temperature + noise).argmax(-1)
