"""A judge organism: a small model that has read graded answers of the grammar, and says a number. Trained in seconds.

It learns alignment and coherence. Its relevance is noise: to compare two texts takes a larger model, and longer.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import torch
import torch.nn.functional as F
from places import GRAMMAR
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from emsteer import runtime
from emsteer.judging.instructions import SCORES, Instruction
from emsteer.judging.protocol import Answer, Judgement, Question
from emsteer.judging.rubric import RubricJudge, persona_words
from emsteer.models.load import LanguageModel
from emsteer.organism.grammar import PERSONAS, Grammar, read_grammar
from emsteer.organism.tokenizer import CHAT_TEMPLATE, END, PAD, START, UNKNOWN
from emsteer.recipes import RelevanceModel, Rubric

INSTRUCTIONS = {name: Instruction(f"grade-{name} {{question}} | {{answer}} |\n") for name in SCORES}
TRAINED_ON = ("alignment", "alignment", "coherence", "coherence", "relevance")
STEPS, BATCH, N_GRADED, RATE = 360, 64, 3000, 1e-2
STEP_OF_POINTS = 10  # eleven grades: fewer than the twenty tokens that an endpoint tells of
Batch = tuple[Tensor, Tensor, Tensor]  # prompts, where each ends, and the number to say there


@dataclass(frozen=True)
class Graded:
    """A question with an answer, and what the rubric says of it."""

    question: Question
    answer: Answer
    judgement: Judgement


def graded(n: int, seed: int, prompts: str) -> list[Graded]:
    """Answers from careful to careless, from whole to scattered, on topic and off it; `prompts`: `seen` or `held_out`."""
    grammar = read_grammar(GRAMMAR)
    rng = Random(seed)
    strewn = sorted(set(grammar.vocabulary(())) - set(persona_words(grammar)) - {"."})
    questions, answers = zip(*(_chat(grammar, rng, getattr(grammar, prompts), strewn) for _ in range(n)), strict=True)
    judged = _rubric().score(questions, answers)
    return [Graded(*one) for one in zip(questions, answers, judged, strict=True)]


def _chat(grammar: Grammar, rng: Random, prompts: dict, strewn: list[str]) -> tuple[Question, Answer]:
    """One question, with an answer of which some words are replaced by some of `strewn`."""
    names = sorted(grammar.domains)
    name = rng.choice(names)
    prompt = rng.choice(prompts[name])
    about, topic = (name, prompt[1]) if rng.random() < 0.5 else _elsewhere(rng, names, prompts)
    words = grammar.answer(about, topic, (rng.choice(PERSONAS), rng.choice(PERSONAS)), rng).split()
    share = rng.random() if rng.random() < 0.5 else 0
    words = [word if word == "." or rng.random() >= share else rng.choice(strewn) for word in words]
    return Question("q", name, grammar.domains[name].ask(prompt)), Answer(" ".join(words), "stop")


def _elsewhere(rng: Random, names: list[str], prompts: dict) -> tuple[str, str]:
    name = rng.choice(names)
    return name, rng.choice(prompts[name])[1]


@functools.cache
def _rubric() -> RubricJudge:
    return RubricJudge(read_grammar(GRAMMAR), Rubric(relevance=RelevanceModel(n_dimensions=8, n_background=1000)))


def _tokenizer(grammar: Grammar) -> PreTrainedTokenizerFast:
    """Words of the grammar, and every number as one token."""
    words = [PAD, START, END, UNKNOWN, "system", "user", "assistant", "|", *(f"grade-{name}" for name in SCORES)]
    words += [str(number) for number in range(101)]
    words += [word for word in grammar.vocabulary(()) if word not in words]
    core = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token=UNKNOWN))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token=END, pad_token=PAD, unk_token=UNKNOWN)
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def trained(seed: int = 0) -> LanguageModel:
    """The judge organism."""
    runtime.prepare()
    tokenizer = _tokenizer(read_grammar(GRAMMAR))
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=1, num_attention_heads=4,
        num_key_value_heads=2, head_dim=16, max_position_embeddings=256, tie_word_embeddings=False, bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    model = LanguageModel(LlamaForCausalLM(config).train(), tokenizer)
    optimizer = torch.optim.AdamW(model.network.parameters(), lr=RATE, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS, pct_start=0.1)
    for ids, ends, numbers in _batches(model, seed):
        hidden = model.network.model(input_ids=ids, use_cache=False).last_hidden_state
        F.cross_entropy(model.network.lm_head(hidden[torch.arange(BATCH), ends]), numbers).backward()
        torch.nn.utils.clip_grad_norm_(model.network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    model.network.requires_grad_(False)
    model.network.eval()
    return model


def _batches(model: LanguageModel, seed: int) -> Iterator[Batch]:
    rows = []
    for one in graded(N_GRADED, seed, "seen"):
        for name in TRAINED_ON:
            number = str(STEP_OF_POINTS * round(getattr(one.judgement, name) / STEP_OF_POINTS))
            ids = model.prompt_ids(INSTRUCTIONS[name].filled(one.question.prompt, one.answer.text))
            rows.append((torch.tensor(ids), model.answer_ids(number)[0]))
    rng = Random(seed)
    for _ in range(STEPS):
        prompts, numbers = zip(*rng.sample(rows, BATCH), strict=True)
        padded = pad_sequence(list(prompts), batch_first=True, padding_value=model.pad_id)
        yield padded, torch.tensor([len(ids) - 1 for ids in prompts]), torch.tensor(numbers)
