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


def gumbel_noise(seeds: Sequence[str], step: int, n_tokens: int, device: torch.device | None = None) -> Tensor:
    """Standard Gumbel noise, the same wherever it is made. [rows × tokens], float32

    Settings that ask the same questions share their noise: it is made once for each seed. `device`: None: the processor.
    """
    places = {seed: place for place, seed in enumerate(dict.fromkeys(seeds))}
    if device is not None and device.type != "cpu":
        noise = _noise_on(device, list(places), step, n_tokens)
    else:
        row = _remembered if n_tokens <= MOST_REMEMBERED else _row_noise
        noise = torch.stack([row(seed, step, n_tokens) for seed in places])
    return noise if len(places) == len(seeds) else noise[torch.tensor([places[seed] for seed in seeds], device=device)]


def _row_noise(seed: str, step: int, n_tokens: int) -> Tensor:
    """Integers in numpy, which has unsigned ones; logarithms in torch, whose bits are pinned (`emsteer.kernels`)."""
    words = np.arange(n_tokens, dtype=np.uint32)
    for half in _key(seed, step):
        words ^= np.uint32(half)
        _mix(words)
    return _gumbel(torch.from_numpy(words.astype(np.float64)))


def _noise_on(device: torch.device, seeds: Sequence[str], step: int, n_tokens: int) -> Tensor:
    """The same for many rows where they are needed: 32-bit words in 64-bit integers of torch. [rows × tokens]"""
    keys = torch.tensor([_key(seed, step) for seed in seeds], device=device)
    words = torch.arange(n_tokens, device=device).repeat(len(seeds), 1)
    for half in keys.T:
        words ^= half[:, None]
        for shift, multiplier in zip((16, 15), MULTIPLIERS, strict=True):
            words ^= words >> shift
            words.mul_(int(multiplier)).bitwise_and_(2**32 - 1)
        words ^= words >> 16
    return _gumbel(words.double())


def _key(seed: str, step: int) -> tuple[int, int]:
    key = hashlib.blake2b(f"{seed}\0{step}".encode(), digest_size=8).digest()
    return int.from_bytes(key[:4], "little"), int.from_bytes(key[4:], "little")


def _gumbel(words: Tensor) -> Tensor:
    """Words of 32 bits → noise. In place."""
    words.add_(0.5).div_(2**32)  # inside (0, 1); float32 would round the largest up to 1, whose noise is infinite
    return words.log_().neg_().log_().neg_().float()


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
    noise = gumbel_noise(seeds, step, logits.shape[-1], logits.device)
    return (logits / temperature + noise).argmax(-1)
