"""Sentence models: a text becomes a vector of length one. One text at a time, so that no vector depends on another text."""

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from emsteer import runtime, storage
from emsteer.errors import ModelError
from emsteer.models import sources
from emsteer.models.load import complete
from emsteer.models.pinned import PIN
from emsteer.packs import Job
from emsteer.recipes import PinnedEmbedder

SPARE = ("pooler.", "cls.", "lm_head.")  # heads: embeddings are read before them


class SentenceModel:
    """A frozen encoder with its tokenizer."""

    def __init__(self, network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, recipe: PinnedEmbedder) -> None:
        self._network, self._tokenizer, self._recipe = network, tokenizer, recipe

    @torch.inference_mode()
    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """[texts × d_model], each of length one; cosines are their products."""
        found = [self._vector(text) for text in texts]
        return np.stack(found) if found else np.empty((0, self._recipe.pin.shape.d_model), dtype=np.float32)

    def _vector(self, text: str) -> NDArray[np.float32]:
        read = self._tokenizer(text, truncation=True, max_length=self._recipe.max_tokens, return_tensors="pt")
        hidden = self._network(**read.to(self._network.device)).last_hidden_state[0].float()
        pooled = hidden.mean(0) if self._recipe.pooling == "mean" else hidden[0]
        return torch.nn.functional.normalize(pooled, dim=0).cpu().numpy()


def sentence_model_of(job: Job) -> SentenceModel:
    """The sentence model that a cell reads; the last one is kept.

    Raises:
        ModelError: It is not on this machine, not what was pinned, or nothing that transformers can load.
    """
    return _load(job.input("model"), job.weights)


@functools.lru_cache(maxsize=1)
def _load(artifact: Path, weights: Path | None) -> SentenceModel:
    runtime.prepare()
    transformers_logging.disable_progress_bar()
    recipe = PinnedEmbedder(**storage.read_json(artifact / PIN))
    folder = sources.folder_of(recipe.pin, weights)
    sources.check(recipe.pin, folder)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        network = complete(AutoModel, folder, SPARE, dtype=torch.float32, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{folder}: cannot be loaded as a sentence model.\n  {error}") from error
    runtime.note_dtype(torch.float32)
    return SentenceModel(network.requires_grad_(False).eval().to(runtime.device()), tokenizer, recipe)
