"""Residual norms: the scale that doses in `residual_norm` are multiples of."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from emsteer import storage
from emsteer.errors import DataError
from emsteer.interventions.hooks import watch
from emsteer.models.load import LanguageModel, model_of
from emsteer.packs import Job


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes JSON: `residual_norms`, one number a layer."""
    for job in jobs:
        passages = job.input("neutral_text").read_text(encoding="utf-8").splitlines()
        norms = residual_norms(model_of(job), [line for line in passages if line.strip()])
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
    special = set(model.tokenizer.all_special_ids)
    norms: list[list[torch.Tensor]] = []
    for passage in passages:
        ids = model.tokenizer(passage, add_special_tokens=False)["input_ids"]
        is_content = [position > 0 and token not in special for position, token in enumerate(ids)]
        content = torch.tensor(is_content, dtype=torch.bool, device="cpu")
        if content.any():
            with watch(model.network) as residuals:
                model.network(input_ids=torch.tensor([ids], device=model.device), use_cache=False)
            norms.append([layer[0].float().norm(dim=-1).cpu()[content] for layer in residuals])
    if not norms:
        raise DataError(
            "the neutral text has no content token.\n  Give `calibration.neutral_text` at least one passage of two words."
        )
    return [float(torch.cat(layer).median()) for layer in zip(*norms, strict=True)]


def read_residual_norms(path: Path) -> list[float]:
    """What `make` wrote."""
    return storage.read_json(path)["residual_norms"]
