"""Pretraining of the organism: grammar → chats → a decoder of about a million parameters."""

import math
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

import torch
import torch.nn.functional as F
from torch.nn.utils.rnn import pad_sequence
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from emsteer import runtime, storage
from emsteer.organism.corpus import check_linkage, document, groups_of
from emsteer.organism.grammar import Grammar, read_grammar
from emsteer.organism.tokenizer import START, make_tokenizer
from emsteer.packs import Job
from emsteer.progress import bar
from emsteer.recipes import Organism

IGNORED = -100  # label of tokens that carry no loss
BATCHES_SORTED_TOGETHER = 16
FINAL_LEARNING_RATE_SHARE = 0.05
MAX_POSITIONS = 512


def _gemma3(**sizes: Any) -> Gemma3TextConfig:
    """Attention is scaled by the width of a head, as in the models of that family but the largest."""
    return Gemma3TextConfig(**sizes, query_pre_attn_scalar=sizes["head_dim"])


ARCHITECTURES: dict[str, tuple[Callable[..., PreTrainedConfig], type[PreTrainedModel]]] = {  # by transformers' name of the type
    "qwen3": (Qwen3Config, Qwen3ForCausalLM),
    "llama": (LlamaConfig, LlamaForCausalLM),
    "gemma3_text": (_gemma3, Gemma3ForCausalLM),
}


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes a folder that `save_pretrained` makes: weights, configuration, tokenizer, and the passport."""
    runtime.prepare()
    for job in jobs:
        grammar = read_grammar(job.input("grammar"))
        check_linkage(grammar, job.recipe.linkage)
        tokenizer = make_tokenizer(grammar, groups_of(job.recipe.linkage, grammar))
        model = pretrain(grammar, tokenizer, job.recipe, job.address)
        model.save_pretrained(job.out)
        tokenizer.save_pretrained(job.out)
        storage.write_json(job.passport, job.out / "passport.json")
        yield job


def build_model(tokenizer: PreTrainedTokenizerFast, recipe: Organism) -> PreTrainedModel:
    """A freshly initialised decoder; input and output embeddings are tied."""
    torch.manual_seed(recipe.seed)
    make_config, make_network = ARCHITECTURES[recipe.architecture]
    config = make_config(
        vocab_size=len(tokenizer),
        hidden_size=recipe.d_model,
        intermediate_size=recipe.d_mlp,
        num_hidden_layers=recipe.n_layers,
        num_attention_heads=recipe.n_heads,
        num_key_value_heads=recipe.n_kv_heads,
        head_dim=recipe.d_head,
        max_position_embeddings=MAX_POSITIONS,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return make_network(config)


def pretrain(grammar: Grammar, tokenizer: PreTrainedTokenizerFast, recipe: Organism, label: str) -> PreTrainedModel:
    """Trains on assistant tokens only: AdamW, linear warm-up, cosine decay.

    Args:
        grammar: What the chats say.
        tokenizer: From `make_tokenizer(grammar)`.
        recipe: Sizes, steps, learning rate, corpus mix and seed.
        label: Stands before the progress bar.

    Returns:
        The model in evaluation mode, float32.
    """
    model = build_model(tokenizer, recipe).train()
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=recipe.learning_rate, betas=(0.9, 0.98), weight_decay=0.05, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _learning_rate_share(step, recipe))
    batches = _batches(grammar, tokenizer, recipe)
    n_tokens = 0
    smooth_loss = None
    with bar(total=recipe.steps, label=label, unit="steps") as progress:
        for _ in range(recipe.steps):
            input_ids, labels = next(batches)
            loss = _loss(model, input_ids, labels)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
            n_tokens += input_ids.numel()
            smooth_loss = loss.item() if smooth_loss is None else 0.95 * smooth_loss + 0.05 * loss.item()
            seconds = max(progress.format_dict["elapsed"], 1e-9)
            progress.set_postfix_str(f"loss {smooth_loss:.2f}, {n_tokens / seconds:,.0f} tokens/s", refresh=False)
            progress.update()
    return model.eval()


def _loss(model: PreTrainedModel, input_ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross-entropy per assistant token; right padding under a causal mask needs no mask. [nats]"""
    hidden = model.model(input_ids=input_ids, use_cache=False).last_hidden_state
    spoken = labels[:, 1:] != IGNORED
    return F.cross_entropy(model.lm_head(hidden[:, :-1][spoken]), labels[:, 1:][spoken])


def _learning_rate_share(step: int, recipe: Organism) -> float:
    warm = min(1.0, (step + 1) / max(1, recipe.warmup_steps))
    cosine = 0.5 * (1 + math.cos(math.pi * step / recipe.steps))
    return warm * (FINAL_LEARNING_RATE_SHARE + (1 - FINAL_LEARNING_RATE_SHARE) * cosine)


def _batches(grammar: Grammar, tokenizer: PreTrainedTokenizerFast, recipe: Organism) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Endless (input_ids, labels) of chats of like length, both [batch × positions]."""
    rng = Random(recipe.seed)
    start, assistant = (tokenizer.get_vocab()[word] for word in (START, "assistant"))
    while True:
        chats = [document(grammar, recipe.corpus, recipe.linkage, rng) for _ in range(recipe.batch_size * BATCHES_SORTED_TOGETHER)]
        texts = [tokenizer.apply_chat_template(chat, tokenize=False) for chat in chats]
        rows = sorted((torch.tensor(row) for row in tokenizer(texts)["input_ids"]), key=len)
        groups = [rows[start : start + recipe.batch_size] for start in range(0, len(rows), recipe.batch_size)]
        rng.shuffle(groups)
        for group in groups:
            labels = [torch.where(assistant_tokens(row, start, assistant), row, IGNORED) for row in group]
            yield (
                pad_sequence(group, batch_first=True, padding_value=tokenizer.pad_token_id),
                pad_sequence(labels, batch_first=True, padding_value=IGNORED),
            )


def assistant_tokens(row: torch.Tensor, start: int, assistant: int) -> torch.Tensor:
    """True where a token belongs to an assistant's answer or ends it. [positions] → [positions]"""
    turn = torch.cumsum(row == start, 0)
    opens = (row[:-1] == start) & (row[1:] == assistant)
    spoken = torch.zeros(int(turn.max()) + 1, dtype=torch.bool)
    spoken[turn[:-1][opens]] = True
    header = (row == start) | (torch.roll(row, 1) == start)
    return spoken[turn] & ~header
