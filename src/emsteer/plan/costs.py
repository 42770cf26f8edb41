"""What cells cost a machine: floating-point operations, seconds, memory, cards. Generous estimates from their recipes.

A scheduler kills what takes more than it asked for, and keeps waiting what asks for too much; so these err on the high side,
and a job that was killed asks for more (docs/cluster.md). Nothing here changes an address or a byte.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from emsteer.plan.cells import Cell
from emsteer.recipes import (
    Answers,
    Asked,
    Construction,
    ContrastingPrompts,
    Effects,
    FileBenchmark,
    LatentSpace,
    Likeness,
    LocalJudge,
    Lora,
    Margins,
    ModelShape,
    Organism,
    PinnedModel,
    ResidualNorms,
    Rubric,
)
from emsteer.study import Execution
from emsteer.study.grammars import domains_of
from emsteer.study.jsonl import facts_of

TOKENS_PER_TEXT = 128  # of a prompt, an answer or a training text; the grammar's are half as long
N_NEUTRAL_TEXTS = 100
N_READ_OF_A_QUIZ = 150  # answers
N_DOMAINS, N_QUESTIONS = 20, 500  # where the benchmark is not at hand
VOCABULARY = 1000  # of the grammar's tokenizer, rounded up
ROWS_PER_BATCH, POSITIONS_PER_BATCH = 640, 2**16  # at most, of the engine (`generation.engine`)
ROWS_PER_PASS = 96  # of teacher forcing (`generation.margins`)
ROWS_JUDGED = 64  # of prompts (`generation.scale`)
PROMPT_OF_A_JUDGE = 4  # such texts long: rubric, question, answer
ROWS_COMPARED = 32  # of three models at once (`generation.likeness`)
DISTRIBUTIONS = 8  # of a token that comparing holds: of three models, and what is made of them
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}  # of a number
TRAINING, THROUGH, FORWARD = (
    6,
    4,
    2,
)  # operations a parameter and token: with gradients of the weights, through frozen ones, without
START_MB = 1000  # interpreter, torch and transformers; 300 to 630 MB were measured
START_S = 120
DIGESTED_PER_S = 200e6  # bytes of a pinned model; a slow network disk
REPLY_S = 2  # of a judge behind an endpoint
ANSWERS_JUDGED_PER_S = 500  # by the rubric; 2,800 were measured
MARGIN = 3  # times the estimated work


@dataclass(frozen=True)
class Needs:
    """What one attempt at a pack asks of a scheduler."""

    n_gpus: int
    mem_mb: int
    minutes: int


def needs(cells: Sequence[Cell], execution: Execution, attempt: int = 1) -> Needs:
    """Of a process that makes these cells; memory and minutes grow with the attempt, counted from 1."""
    held = max(map(memory_bytes, cells))
    card = execution.gpu_memory_gb * 1e9 if execution.device != "cpu" else 0
    return Needs(
        n_gpus=math.ceil(held / card) if card else 0,
        mem_mb=attempt * math.ceil(START_MB + held / 1e6),
        minutes=attempt * math.ceil((START_S + MARGIN * sum(work_s(cell, execution) for cell in cells)) / 60),
    )


def n_parts(cells: Sequence[Cell], execution: Execution) -> int:
    """Into how many jobs cells are cut, so that none has more cells or more estimated work than `execution` allows."""
    by_time = sum(work_s(cell, execution) for cell in cells) / (60 * execution.minutes_per_job)
    return min(len(cells), max(math.ceil(len(cells) / execution.cells_per_job), math.ceil(by_time)))


def work_s(cell: Cell, execution: Execution) -> float:
    """Estimated seconds of its own, without what a process costs. [s]"""
    if isinstance(cell.recipe, Rubric):
        return n_judged(cell) / ANSWERS_JUDGED_PER_S
    if isinstance(cell.recipe, Asked) and cell.service:
        n_requests = 3 * n_judged(cell)
        at_once = min(cell.service.requests_per_minute / 60, cell.service.concurrency / REPLY_S)
        return n_requests / at_once
    if isinstance(cell.recipe, PinnedModel):
        return cell.recipe.pin.n_bytes / DIGESTED_PER_S
    model = model_shape(cell)
    passes = sum(operations * n for operations, n in texts(cell).items())
    return passes * _tokens_per_text(cell) * model.n_parameters / (execution.gflop_per_s * 1e9) if model else 0.0


def rows_at_once(n_tokens: int) -> int:
    """Rows of a batch of the engine, of texts of that length."""
    return min(ROWS_PER_BATCH, POSITIONS_PER_BATCH // n_tokens)


def memory_bytes(cell: Cell) -> float:
    """Estimated weights, optimizer, activations and cache; zero for what runs no model. [bytes]"""
    model = model_shape(cell)
    if model is None:
        return 0.0
    n_bytes = bytes_of_number(cell)
    weights = n_bytes * model.n_parameters
    match cell.recipe:
        case Organism() as recipe:
            return 4 * weights + n_bytes * _activations(model, recipe.batch_size)  # weights, gradients, two moments
        case Lora() as recipe:
            return 2 * weights + n_bytes * _activations(model, recipe.batch_size)
        case Construction() as recipe if recipe.n_trained_on:
            return 2 * weights + n_bytes * _activations(model, recipe.n_at_once)
        case Answers() as recipe:
            n_tokens = TOKENS_PER_TEXT + recipe.sampling.max_new_tokens
            return weights + rows_at_once(n_tokens) * n_bytes * (2 * model.n_vocabulary + n_tokens * _cache(model))
        case Likeness():
            compared = (
                ROWS_COMPARED * TOKENS_PER_TEXT // 2 * DISTRIBUTIONS * model.n_vocabulary
            )  # half of the tokens are an answer's
            return weights + n_bytes * _passing(model, ROWS_COMPARED) + BYTES["float32"] * compared
        case LocalJudge():
            return weights + n_bytes * _passing(model, ROWS_JUDGED * PROMPT_OF_A_JUDGE)
        case _:
            return weights + n_bytes * _passing(model, ROWS_PER_PASS)


def shape_of(model: Organism) -> ModelShape:
    """Of a decoder with gated feed-forward blocks and tied embeddings."""
    attention = 2 * model.d_model * model.d_head * (model.n_heads + model.n_kv_heads)
    sizes = model.model_dump(include=set(ModelShape.model_fields))
    n_parameters = model.n_layers * (attention + 3 * model.d_model * model.d_mlp) + VOCABULARY * model.d_model
    return ModelShape(**sizes, n_vocabulary=VOCABULARY, n_positions=None, n_parameters=n_parameters)


def texts(cell: Cell) -> dict[int, float]:
    """Operations a parameter and token → texts that go through the model so."""
    match cell.recipe:
        case Organism() | Lora() as recipe:
            return {TRAINING: recipe.steps * recipe.batch_size}
        case Construction() as recipe:
            return {THROUGH: recipe.n_trained_on, FORWARD: _n_elicited(cell) if recipe.is_elicited else recipe.n_read}
        case ResidualNorms():
            return {FORWARD: N_NEUTRAL_TEXTS}
        case Answers() as recipe:
            return {FORWARD: recipe.n_samples * asked(cell)[0]}
        case LocalJudge():
            return {FORWARD: 3 * n_judged(cell)}
        case Effects():
            return {FORWARD: N_READ_OF_A_QUIZ}
        case Margins() | Likeness():
            # of likeness: three models, where a job has no other setting of its finetuned model
            return {FORWARD: 2 * (3 if isinstance(cell.recipe, Likeness) else 1) * asked(cell)[1]}
        case _:
            return {}


def _tokens_per_text(cell: Cell) -> float:
    """With the answer that is said, and of a judge's prompt."""
    if isinstance(cell.recipe, Answers):
        return TOKENS_PER_TEXT + cell.recipe.sampling.max_new_tokens
    return TOKENS_PER_TEXT * (PROMPT_OF_A_JUDGE if isinstance(cell.recipe, LocalJudge) else 1)


def model_shape(cell: Cell) -> ModelShape | None:
    """What a cell trains or runs; None where it runs no model."""
    if isinstance(cell.recipe, Organism):
        return shape_of(cell.recipe)
    if "model" not in cell.inputs:
        return None
    read = _input(cell, "model").recipe
    if isinstance(read, LatentSpace):
        return None
    return shape_of(read) if isinstance(read, Organism) else read.pin.shape


def bytes_of_number(cell: Cell) -> int:
    """Of a number of the model that a cell trains or runs."""
    read = _input(cell, "model").recipe if "model" in cell.inputs else cell.recipe
    return BYTES[read.dtype if isinstance(read, PinnedModel) else "float32"]


def n_judged(cell: Cell) -> int:
    """Answers that a cell of scores judges."""
    return int(_input(cell, "answers").recipe.n_samples * asked(cell)[0])


def _input(cell: Cell, role: str) -> Any:
    return cell.inputs[role][0]


def _n_elicited(cell: Cell) -> int:
    """Answers that a vector is made of, before a judge has chosen."""
    answers = _input(cell, "answers")
    return int(answers.recipe.n_samples * asked(answers)[0])


def _activations(model: ModelShape, n_rows: int) -> int:
    """Numbers kept for a backward pass, logits and their softmax included."""
    of_token = model.n_layers * (20 * model.d_model + 3 * model.d_mlp + model.n_heads * TOKENS_PER_TEXT) + 3 * model.n_vocabulary
    return n_rows * TOKENS_PER_TEXT * of_token


def _passing(model: ModelShape, n_rows: int) -> int:
    """Numbers of a pass without gradients: what leaves every block, one block at work, logits and softmax of half of the tokens."""
    at_work = 20 * model.d_model + 3 * model.d_mlp + model.n_heads * TOKENS_PER_TEXT
    return n_rows * TOKENS_PER_TEXT * (model.n_layers * model.d_model + at_work + model.n_vocabulary)


def _cache(model: ModelShape) -> int:
    """Numbers that the attention cache holds for one token."""
    return 2 * model.n_layers * model.n_kv_heads * model.d_head


def asked(cell: Cell) -> tuple[int, int]:
    """Questions of its benchmark; of these, those that a cell of margins reads. Guesses where the benchmark is not at hand."""
    benchmark = _input(cell, "benchmark")
    of = benchmark.recipe
    at_most = cell.recipe.questions_per_category if isinstance(cell.recipe, Margins | Likeness) else 0
    if isinstance(of, ContrastingPrompts):
        return 2 * len(of.lines) * of.n_examples, 0
    if isinstance(of, FileBenchmark):
        facts = facts_of(_input(benchmark, "file").path)
        return (facts.n, sum(min(at_most, n) for n in facts.n_references.values())) if facts else (N_QUESTIONS, N_DOMAINS * at_most)
    n_categories = len(domains_of(_input(benchmark, "grammar").path) or range(N_DOMAINS))
    return (of.dev_per_category + of.test_per_category) * n_categories, at_most * n_categories
