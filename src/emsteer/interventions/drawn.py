"""What directions that are drawn have in common."""

import hashlib

import torch
from torch import Tensor


def generator(what: str, *numbers: int) -> torch.Generator:
    """Of the noise of one draw: the same on every machine, and another for every name and number."""
    text = "\0".join([what, *map(str, numbers)])
    key = hashlib.blake2b(text.encode(), digest_size=7).digest()
    return torch.Generator(device="cpu").manual_seed(int.from_bytes(key, "little"))


def of_norm(direction: Tensor, like: Tensor) -> Tensor:
    """A direction with the norm of another, and its dtype; one that is zero stays so. [d_model]"""
    norm = direction.norm()
    return (direction * (like.to(direction).norm() / norm) if norm else direction).to(like.dtype)
