"""Residual norms: the scale that doses in `residual_norm` are multiples of."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from emsteer import storage
from emsteer.interventions.hooks import watch
from emsteer.interventions.neutral import content, passages_at
from emsteer.models.load import LanguageModel, model_of
from emsteer.packs import Job


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes JSON: `residual_norms`, one number a layer."""
    for job in jobs:
        norms = residual_norms(model_of(job), passages_at(job.input("neutral_text")))
        storage.write_json({"residual_norms": norms, "passport": job.passport}, job.out)
        yield job


@torch.inference_mode()
def residual_norms(model: LanguageModel, passages: Sequence[str]) -> list[float]:
    """Median over tokens of ‖h‖ at every layer (the lower one of an even number).

    Each passage's first token and all special tokens are left out.

    Source: Rogue Scalpel, arXiv 2509.22067, doses directions in multiples of the mean norm; the median is ours, since one
    attention-sink token can carry most of a mean.

    Raises:
        DataError: No token is left.
    """
    norms: list[list[torch.Tensor]] = []
    for ids, is_content in content(model, passages):
        with watch(model.network) as residuals:
            model.network(input_ids=torch.tensor([ids], device=model.device), use_cache=False)
        mask = torch.tensor(is_content, dtype=torch.bool, device="cpu")
        norms.append([layer[0].float().norm(dim=-1).cpu()[mask] for layer in residuals])
    return [float(torch.cat(layer).median()) for layer in zip(*norms, strict=True)]


def read_residual_norms(path: Path) -> list[float]:
    """What `make` wrote."""
    return storage.read_json(path)["residual_norms"]
