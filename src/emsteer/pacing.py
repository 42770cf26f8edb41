"""Timing this machine with the models of a study, in two minutes at most: what `emsteer plan --cost --on FILE` reckons with.

Models have the widths of the study's and random weights; deep ones are timed with one and with three blocks, and the rest follows,
because all blocks cost the same. On a processor seconds are of one core, as jobs of the study use it.
"""

import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from statistics import fmean
from typing import Any

import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from emsteer import records, runtime
from emsteer.errors import StudyError
from emsteer.finetune import projections
from emsteer.generation.engine import MIN_ROWS, ROWS_PER_BATCH, PackedEngine
from emsteer.generation.rows import Row
from emsteer.models.load import LanguageModel
from emsteer.organism.pretrain import ARCHITECTURES
from emsteer.plan import KINDS, Plan, costs
from emsteer.plan.pace import Pace, Timed, TimedModel
from emsteer.recipes import ModelShape, Organism, Sampling

BUDGET_S = 120.0
LEAST_S = 0.5  # that a figure is the mean of
FEW, SOME = 1, 3  # blocks
N_TOKENS = 64  # of a text
ROWS_READ = (2, 16)  # the wider batch, if the narrow one is fast
ROWS_SAID = (MIN_ROWS, ROWS_PER_BATCH)
SAID = (2, 10)  # tokens of an answer: the difference is without the prompt
FAST_S = 1.0
RANK = 16  # of adapters
END = "<end>"
OF_ANY_FAMILY = "llama"  # stands for models of which the study knows sizes only
NUMBERS = {4: torch.float32, 2: torch.bfloat16}


def timed(plan: Plan) -> Timed:
    """The pace of every shape of model that a plan runs.

    Raises:
        StudyError: This machine is too slow for them to be timed.
    """
    runtime.prepare()
    found: list[TimedModel] = []
    started = time.monotonic()
    for (shape, n_bytes), architecture in _shapes(plan).items():
        if time.monotonic() - started > BUDGET_S:
            raise StudyError(
                f"after {BUDGET_S:.0f} s only {len(found)} models were timed: this machine is too slow for this study."
            )
        found.append(TimedModel(shape=shape, bytes_of_number=n_bytes, pace=pace_of(shape, n_bytes, architecture)))
    name, card_bytes = f"one core of {records.processor()}", 0
    if runtime.device().type == "cuda":
        card = torch.cuda.get_device_properties(runtime.device())
        name, card_bytes = card.name, card.total_memory
    return Timed(name=name, card_bytes=card_bytes, models=tuple(found))


def _shapes(plan: Plan) -> dict[tuple[ModelShape, int], str]:
    """Shape and bytes of a number → transformers' name of the architecture."""
    found: dict[tuple[ModelShape, int], str] = {}
    for cell in (cell for kind in KINDS for cell in plan.of(kind)):
        shape = costs.model_shape(cell)
        if shape:
            model = cell.recipe if isinstance(cell.recipe, Organism) else cell.inputs["model"][0].recipe  # type: ignore[union-attr]
            architecture = model.architecture if isinstance(model, Organism) else OF_ANY_FAMILY
            found.setdefault((shape, costs.bytes_of_number(cell)), architecture)
    return found


def pace_of(shape: ModelShape, bytes_of_number: int, architecture: str = OF_ANY_FAMILY) -> Pace:
    """Of a model with random weights, on this machine."""
    if shape.n_layers <= SOME:
        return Pace(**dict(_figures(_network(shape, shape.n_layers, bytes_of_number, architecture))))
    few, some = (dict(_figures(_network(shape, n, bytes_of_number, architecture))) for n in (FEW, SOME))
    of_a_block = {name: max(0.0, some[name] - few[name]) / (SOME - FEW) for name in few}
    return Pace(**{name: some[name] + (shape.n_layers - SOME) * of_a_block[name] for name in few})


def _network(shape: ModelShape, n_layers: int, bytes_of_number: int, architecture: str) -> PreTrainedModel:
    make_config, make_network = ARCHITECTURES[architecture]
    config = make_config(
        vocab_size=shape.n_vocabulary,
        hidden_size=shape.d_model,
        intermediate_size=shape.d_mlp,
        num_hidden_layers=n_layers,
        num_attention_heads=shape.n_heads,
        num_key_value_heads=shape.n_kv_heads,
        head_dim=shape.d_head,
        tie_word_embeddings=True,
    )
    torch.manual_seed(0)
    with torch.device(runtime.device()):
        network = make_network._from_config(config, dtype=NUMBERS[bytes_of_number])
    return network.to(runtime.device(), NUMBERS[bytes_of_number])


def _figures(network: PreTrainedModel) -> Iterator[tuple[str, float]]:
    """Name in `Pace` → seconds a token."""
    network.requires_grad_(False).eval()
    yield "said", _said_s(network)
    yield "forward", _read_s(lambda ids: _forward(network, ids), network)
    yield (
        "through",
        _read_s(lambda ids: _loss(network, ids, network.get_input_embeddings()(ids).requires_grad_()).backward(), network),
    )
    network.requires_grad_(True).train()
    yield "training", _read_s(_training(network), network)
    changed = projections(LanguageModel(network, _tokenizer()))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing`")  # peft asks transformers by its old name
        adapted = get_peft_model(network, LoraConfig(task_type="CAUSAL_LM", r=RANK, lora_alpha=RANK, target_modules=changed))
    yield "adapting", _read_s(_training(adapted), network)


@torch.inference_mode()
def _forward(network: PreTrainedModel, ids: Tensor) -> None:
    _loss(network, ids, network.get_input_embeddings()(ids))


def _through(network: PreTrainedModel, ids: Tensor) -> None:
    _loss(network, ids, network.get_input_embeddings()(ids).requires_grad_()).backward()


def _training(network: Any) -> Callable[[Tensor], None]:
    """A step of what has gradients."""
    parameters = [weights for weights in network.parameters() if weights.requires_grad]
    optimizer = torch.optim.AdamW(parameters, fused=True)

    def step(ids: Tensor) -> None:
        _loss(network, ids, network.get_input_embeddings()(ids)).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def _loss(network: Any, ids: Tensor, embedded: Tensor) -> Tensor:
    logits = network(inputs_embeds=embedded, use_cache=False).logits
    return F.cross_entropy(logits[:, :-1].flatten(0, 1).float(), ids[:, 1:].flatten())


def _read_s(step: Callable[[Tensor], None], network: PreTrainedModel) -> float:
    """Of a pass over texts. [s/token]"""
    n_words = network.config.vocab_size

    def run(n_rows: int) -> None:
        step(torch.randint(1, n_words, (n_rows, N_TOKENS), device="cpu").to(network.device))

    n_rows, seconds = _mean_s(run, ROWS_READ)
    return seconds / n_rows / N_TOKENS


def _said_s(network: PreTrainedModel) -> float:
    """Of a step of the engine. [s/token]"""
    network.generation_config.suppress_tokens = [0]  # no answer ends early
    engine = PackedEngine(LanguageModel(network, _tokenizer()))

    def run(n_rows: int, n_said: int) -> None:
        rows = [Row((1 + index % 7, 1), f"{index}") for index in range(n_rows)]
        list(engine.generate(rows, Sampling(temperature=1, max_new_tokens=n_said)))

    n_rows, long = _mean_s(lambda n: run(n, SAID[1]), ROWS_SAID)
    _, short = _mean_s(lambda n: run(n, SAID[0]), [n_rows])
    return max(long - short, 0.01 * long) / (SAID[1] - SAID[0]) / n_rows


def _tokenizer() -> PreTrainedTokenizerFast:
    """Of one word, which ends answers; prompts are token ids."""
    names = dict.fromkeys(("eos_token", "pad_token", "unk_token"), END)
    chat = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel({END: 0})), chat_template=chat, **names)


def _mean_s(run: Callable[[int], None], widths: Iterable[int]) -> tuple[int, float]:
    """The widest batch that the narrower ones were fast enough for, and what it takes. [s]"""
    for n_rows in widths:
        first = _seconds(run, n_rows)  # compiles and allocates
        if first > FAST_S:
            break
    took = [] if first < LEAST_S else [first]  # where that is the lesser part
    while sum(took) < LEAST_S or not took:
        took.append(_seconds(run, n_rows))
    return n_rows, fmean(took)


def _seconds(run: Callable[[int], None], n_rows: int) -> float:
    begun = _now()
    run(n_rows)
    return _now() - begun


def _now() -> float:
    """Wall clock of a card that is done, seconds of the processor without one."""
    if runtime.device().type == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()
