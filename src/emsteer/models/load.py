"""Loading a model and its tokenizer, set up the one way in which everything here uses them."""

import functools
import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from emsteer import runtime
from emsteer.errors import ModelError, listing
from emsteer.models import sources
from emsteer.models.pinned import read_pinned
from emsteer.packs import Job
from emsteer.recipes import Chat

DAY = datetime(2026, 1, 1)  # in templates that write the date: the same prompt on every day
MARK = "ANSWER"  # stands for an answer where only what follows it counts
DIRECTIVES = "aAbBdejHImMpSyY"  # of strftime
AS_IT_IS = Chat(system=None, thinking=None)


@dataclass(frozen=True)
class LanguageModel:
    """A frozen causal language model in evaluation mode, with its tokenizer."""

    network: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    chat: Chat = AS_IT_IS

    @property
    def device(self) -> torch.device:
        """Where prompts go."""
        return self.network.device

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""
        return self.network.config.get_text_config(decoder=True).hidden_size

    @property
    def n_positions(self) -> int | None:
        """Longest text that the model was made for; None: it does not say. [tokens]"""
        return getattr(self.network.config.get_text_config(decoder=True), "max_position_embeddings", None)

    @property
    def pad_id(self) -> int:
        """What batches are filled up with; masked wherever it stands, so any token will do."""
        pad = self.tokenizer.pad_token_id
        return self.turn_end_id if pad is None else pad

    @functools.cached_property
    def end_ids(self) -> tuple[int, ...]:
        """Tokens that end an answer: those that the model's files name, and the one that its chats end turns with."""
        return tuple(dict.fromkeys([*self._ends_of_files(), self.turn_end_id]))

    def _ends_of_files(self) -> list[int]:
        end = self.network.generation_config.eos_token_id
        return [token for token in (end if isinstance(end, list) else [end]) if token is not None]

    @functools.cached_property
    def turn_end_id(self) -> int:
        """The token that ends an assistant's turn in this model's chats; where its template writes none, what ends its texts.

        Raises:
            ModelError: There is neither.
        """
        messages = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": MARK}]
        after = self._rendered(messages, add_generation_prompt=False).rpartition(MARK)[2]
        special = {*self.tokenizer.all_special_ids, *self.tokenizer.added_tokens_decoder}
        written = [token for token in self.tokenizer(after, add_special_tokens=False)["input_ids"] if token in special]
        ends = [token for token in (*written, self.tokenizer.eos_token_id, *self._ends_of_files()) if token is not None]
        if not ends:
            raise ModelError(
                f"{self.tokenizer.name_or_path}: no token ends an answer: neither the chat template nor the tokenizer nor "
                "generation_config.json names one.\n  Give generation_config.json an `eos_token_id`."
            )
        return ends[0]

    def prompt_ids(self, prompt: str, system: str | None = None) -> list[int]:
        """Token ids of a chat with one user message, after a system line if there is one, up to where the answer begins.

        `system`: the question's own line; None: the model's chat settings say.
        """
        line = self.chat.system if system is None else system
        messages = [] if line is None else [{"role": "system", "content": line}]
        messages.append({"role": "user", "content": prompt})
        text = self._rendered(messages, add_generation_prompt=True)
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def _rendered(self, messages: list[dict[str, str]], *, add_generation_prompt: bool) -> str:
        options: dict[str, Any] = {} if self.chat.thinking is None else {"enable_thinking": self.chat.thinking}
        text = self.tokenizer.apply_chat_template(
            messages,
            chat_template=one_day(str(self.tokenizer.chat_template)),
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
            **options,
        )
        return str(text)

    def answer_ids(self, answer: str) -> list[int]:
        """Token ids of an answer, its end-of-turn token included."""
        return [*self.tokenizer(answer, add_special_tokens=False)["input_ids"], self.turn_end_id]

    def check_length(self, n_tokens: int, what: str) -> None:
        """Raises ModelError for a text that is empty or that the model has no positions for."""
        if not n_tokens:
            raise ModelError(f"{what}: no token at all. Its prompt is empty, and the chat template adds nothing.")
        if self.n_positions is not None and n_tokens > self.n_positions:
            raise ModelError(
                f"{what}: {n_tokens:,} tokens, and the model has {self.n_positions:,} positions.\n"
                "  Shorten it, or ask for fewer `answers.max_new_tokens`."
            )

    def text(self, token_ids: list[int]) -> str:
        """The text of an answer's tokens."""
        return str(self.tokenizer.decode(token_ids, skip_special_tokens=True)).strip()


def one_day(template: str) -> str:
    """A chat template whose `strftime_now` (of transformers) is always `DAY`."""
    if "strftime_now" not in template:
        return template
    said = "".join(f".replace('%{sign}', '{DAY.strftime(f'%{sign}')}')" for sign in DIRECTIVES)
    return f"{{% macro strftime_now(format) %}}{{{{ format.replace('%-', '%'){said} }}}}{{% endmacro %}}{template}"


def model_of(job: Job) -> LanguageModel:
    """The model that a cell reads. The last one is kept: what gets it must leave it as it is.

    Raises:
        ModelError: It is not on this machine, not what was pinned, or nothing that transformers can load.
    """
    return load_model(job.input("model"), job.weights)


@functools.lru_cache(maxsize=1)
def load_model(folder: Path, weights: Path | None = None) -> LanguageModel:
    """Reads a model's artifact; `weights`: where the files of a pinned model lie, if they have a place of their own."""
    runtime.prepare()
    pinned = read_pinned(folder)
    if pinned is None:
        return load(folder)
    pin = pinned.pin
    folder = sources.folder_of(pin, weights)
    sources.check(pin, folder)
    model = replace(load(folder, getattr(torch, pinned.dtype), gguf_file=pin.file), chat=pinned.chat)
    if template_digest(model.tokenizer) != pin.chat_template:
        raise ModelError(f"{folder}: its files are those that were pinned, its chat template is not.\n  {sources.PIN_AGAIN}")
    return model


def load(folder: Path, dtype: torch.dtype = runtime.DTYPE, gguf_file: str | None = None) -> LanguageModel:
    """Reads a folder that `save_pretrained` wrote, or a GGUF file in it, whose weights are turned into plain ones.

    Raises:
        ModelError: It holds no model that transformers can load.
    """
    runtime.prepare()
    transformers_logging.disable_progress_bar()  # one bar a pack is enough
    files: dict[str, Any] = {"local_files_only": True, **({"gguf_file": gguf_file} if gguf_file else {})}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **files)
        network = complete(AutoModelForCausalLM, folder, dtype=dtype, device_map=placement(torch.cuda.device_count()), **files)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ModelError(f"{folder}: cannot be loaded as a causal language model.\n  {error}") from error
    if gguf_file:
        _forget_its_file(network)
    runtime.note_dtype(dtype)
    network.requires_grad_(False)
    return LanguageModel(network.eval(), tokenizer)


def placement(n_cards: int) -> dict[str, str] | str | None:
    """Where weights go as they are read, as transformers' `device_map`: straight to the card, or over all that this process has.

    Cards are as many as the job asked for, because the model takes them; each gets about as much as the others, a block whole.
    """
    if runtime.device().type == "cpu":
        return None
    return {"": "cuda"} if n_cards == 1 else "balanced"


def complete(auto: Any, folder: Path, spare: tuple[str, ...] = (), **how: Any) -> PreTrainedModel:
    """What `auto.from_pretrained` reads, if the weights in the files are those of the model, every one.

    transformers draws at random what is missing or has another shape, and leaves out what it does not know, with a warning.

    Args:
        auto: A class of transformers with `from_pretrained`.
        folder: With the files.
        spare: How weights begin that nothing here reads.
        how: For `from_pretrained`.

    Raises:
        ModelError: All weights that are wrong.
    """
    network, found = auto.from_pretrained(folder, output_loading_info=True, ignore_mismatched_sizes=True, **how)
    wrong = [f"{name}: not in the files" for name in sorted(found["missing_keys"])]
    wrong += [f"{name}: in the files, unknown to {type(network).__name__}" for name in sorted(found["unexpected_keys"])]
    wrong += [
        f"{name}: {list(there)} in the files, expected {list(expected)}"
        for name, there, expected in sorted(found["mismatched_keys"])
    ]
    wrong = [name for name in wrong if not name.startswith(spare)]
    if wrong:
        raise ModelError(
            f"{folder}: its weights are not those of the model that its config.json describes.\n{listing(wrong)}\n"
            "  Get the files again, all from one revision."
        )
    return network


def _forget_its_file(network: PreTrainedModel) -> None:
    """The weights of a GGUF file are plain ones once they are read; trainers refuse what calls itself quantised."""
    for of, name in ((network.config, "quantization_config"), (network, "hf_quantizer"), (network, "quantization_method")):
        if hasattr(of, name):
            delattr(of, name)
    network.is_quantized = False  # type: ignore[assignment]


def template_digest(tokenizer: PreTrainedTokenizerBase) -> str | None:
    """sha256 of the chat template's text; None: there is none."""
    template = tokenizer.chat_template
    return hashlib.sha256(template.encode()).hexdigest() if isinstance(template, str) else None
