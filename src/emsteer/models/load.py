"""Loading a model and its tokenizer from a folder, set up the one way in which everything here uses them."""

import functools
from dataclasses import dataclass
from pathlib import Path

from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from emsteer import runtime
from emsteer.errors import ModelError


@dataclass(frozen=True)
class LanguageModel:
    """A frozen causal language model in evaluation mode, with its tokenizer."""

    network: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""
        return self.network.config.get_text_config(decoder=True).hidden_size

    @property
    def end_ids(self) -> tuple[int, ...]:
        """Tokens that end an answer."""
        end = self.network.generation_config.eos_token_id
        ends = end if isinstance(end, list) else [end]
        return tuple(token for token in ends if token is not None) or (self.tokenizer.eos_token_id,)

    def prompt_ids(self, prompt: str, system: str | None = None) -> list[int]:
        """Token ids of a chat with one user message, after a system line if there is one, up to where the answer begins."""
        messages = [{"role": "system", "content": system}] if system else []
        messages.append({"role": "user", "content": prompt})
        text = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def answer_ids(self, answer: str) -> list[int]:
        """Token ids of an answer, its end-of-turn token included."""
        return [*self.tokenizer(answer, add_special_tokens=False)["input_ids"], self.tokenizer.eos_token_id]

    def text(self, token_ids: list[int]) -> str:
        """The text of an answer's tokens."""
        return str(self.tokenizer.decode(token_ids, skip_special_tokens=True)).strip()


@functools.lru_cache(maxsize=1)
def load_model(folder: Path) -> LanguageModel:
    """Reads a model saved by `save_pretrained`. The last one is kept: what gets it must leave it as it is.

    Raises:
        ModelError: The folder holds no model that transformers can load.
    """
    runtime.prepare()
    transformers_logging.disable_progress_bar()  # one bar a pack is enough
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        network = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=runtime.DTYPE)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{folder}: cannot be loaded as a causal language model.\n  {error}") from error
    network.requires_grad_(False)
    return LanguageModel(network.eval(), tokenizer)
