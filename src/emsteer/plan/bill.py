"""What a study costs before it starts: tokens, hours on cards, memory, disk, a judge's requests and money. Nothing is computed.

Other than `plan.costs`, which asks a scheduler for enough, this says what is likely. A pass that computes is bound by operations,
one that says an answer token by token by reading the weights (`plan.pace`). Every number that is assumed stands in `ASSUMED` and is
printed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from emsteer.plan import costs
from emsteer.plan.cells import KINDS, Cell, Raw
from emsteer.plan.pace import Device
from emsteer.plan.packing import Plan
from emsteer.recipes import (
    Answers,
    Asked,
    Construction,
    EqualKl,
    Judged,
    Likeness,
    LocalJudge,
    Lora,
    ModelShape,
    Organism,
    PinnedModel,
    ResidualNorms,
    Rubric,
)
from emsteer.study.jsonl import facts_of

ASSUMED = {
    "tokens_of_a_template": 20,  # around a prompt
    "characters_a_token": 4,
    "tokens_of_a_prompt": 60,  # in its chat; this and the next where no file of prompts is at hand
    "tokens_of_a_reference": 120,  # of an answer that is trained on or read
    "tokens_of_a_grammars_prompt": 23,  # these three measured on the default study
    "tokens_of_a_grammars_reference": 19,
    "tokens_of_a_grammars_chat": 85,  # that an organism is pretrained on
    "share_of_longest": 0.6,  # of `max_new_tokens` that an answer has
    "share_coherent": 0.8,  # of answers that a judge is asked about more than coherence, if it is asked that first
    "tokens_of_a_rubric": 400,  # around question and answer
    "tokens_of_a_reply": 3,
    "bytes_of_a_token": 12,  # of an answers file: text and id
    "texts_to_find_a_dose_in_kl": 350,  # this and those below: measured on the default study
    "models_of_three_that_a_likeness_reads": 1.5,  # cells share what base and finetuned model say
    "s_to_start_a_job": 1,
    "s_to_start_a_job_with_a_model": 3.5,
    "gb_a_second_of_weights_loaded": 1,  # beside that; a guess
    "answers_a_second_by_rubric": 3000,
    "ms_of_tables_an_answer": 0.5,
    "s_of_a_figure": 1.2,
}
LAST_OF_A_RUN = ("epochs", "steps")  # snapshots of one training share it


@dataclass(frozen=True)
class Item:
    """Of one cell, or of several.

    Attributes:
        read: Tokens that pass through a model, each pass counted.
        said: Tokens that a model says.
        card_s: Of cards, where there are any: seconds times the cards that the model needs. [s]
        core_s: Of processor cores, while none of these waits for a card. [s]
        requests: To a judge behind an endpoint.
        judged: Tokens that it reads.
        stored: What is kept. [bytes]
    """

    read: float = 0
    said: float = 0
    card_s: float = 0
    core_s: float = 0
    requests: float = 0
    judged: float = 0
    stored: float = 0

    def __add__(self, other: "Item") -> "Item":
        """Of both."""
        return Item(*(getattr(self, name) + getattr(other, name) for name in Item.__dataclass_fields__))


NOTHING = Item()


@dataclass
class Bill:
    """Of a plan.

    Attributes:
        by_stage: Kind of artifact → its sum.
        by_model: Name → its sum, of what runs it.
        cards: Model → cards that it takes at most.
        memory: Model → what a job with it holds at most. [bytes]
        downloads: Of models of the hub. [bytes]
        by_judge: Model behind an endpoint → what it is asked, and its price; None where no price is known. [USD]
    """

    by_stage: dict[str, Item] = field(default_factory=dict)
    by_model: dict[str, Item] = field(default_factory=dict)
    cards: dict[str, int] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    downloads: float = 0
    by_judge: dict[str, tuple[Item, Decimal | None]] = field(default_factory=dict)

    @property
    def total(self) -> Item:
        """Of all stages."""
        return sum(self.by_stage.values(), NOTHING)


def bill_of(plan: Plan, device: Device) -> Bill:
    """What the cells of a plan cost, those that exist already too."""
    bill = Bill()
    asked: dict[tuple[str, str], Item] = {}
    for cell in _each_run_once(plan):
        item = item_of(cell, device)
        bill.by_stage[cell.kind] = bill.by_stage.get(cell.kind, NOTHING) + item
        if isinstance(cell.recipe, Asked) and cell.service:
            judge = cell.recipe.model, cell.service.base_url
            asked[judge] = asked.get(judge, NOTHING) + item
        if isinstance(cell.recipe, PinnedModel) and cell.recipe.pin.kind == "huggingface":
            bill.downloads += cell.recipe.pin.n_bytes
        if name := _model_of(cell):
            bill.by_model[name] = bill.by_model.get(name, NOTHING) + item
            bill.memory[name] = max(bill.memory.get(name, 0), costs.memory_bytes(cell))
            bill.cards[name] = max(bill.cards.get(name, 0), _cards(cell, device))
    for kind in bill.by_stage:
        bill.by_stage[kind] += _starting(plan, kind, device)
    bill.by_judge = {model: (item, _price(model, url, item)) for (model, url), item in asked.items()}
    return bill


def item_of(cell: Cell, device: Device) -> Item:
    """Of one cell, without what starting its job takes."""
    if isinstance(cell.recipe, Asked) and cell.service:
        return _judging(cell)
    shape = costs.model_shape(cell)
    if shape is None:
        return Item(core_s=_reckoning_s(cell))
    texts, length, said = _texts(cell), _length(cell), _said(cell)
    pace = device.pace(shape, costs.bytes_of_number(cell))
    of_each = {operations: pace.adapting if isinstance(cell.recipe, Lora) else pace.of(operations) for operations in texts}
    seconds = sum(of_each[operations] * n * length for operations, n in texts.items()) + pace.said * said
    return Item(read=sum(texts.values()) * length, said=said, stored=_stored(cell, shape, said)) + _spent(seconds, cell, device)


def _texts(cell: Cell) -> dict[int, float]:
    """As of `costs.texts`, but for what is reckoned with at most there."""
    if isinstance(cell.recipe, EqualKl):
        return {costs.FORWARD: ASSUMED["texts_to_find_a_dose_in_kl"]}
    share = ASSUMED["models_of_three_that_a_likeness_reads"] / 3 if isinstance(cell.recipe, Likeness) else 1
    return {operations: share * n for operations, n in costs.texts(cell).items()}


def _spent(seconds: float, cell: Cell, device: Device) -> Item:
    """Of what runs the model of a cell: on cards, where there are any."""
    return Item(card_s=seconds * _cards(cell, device)) if device.card_bytes else Item(core_s=seconds)


def _starting(plan: Plan, kind: str, device: Device) -> Item:
    """Of the jobs of a stage: interpreter, libraries, weights."""
    found = NOTHING
    for pack in plan.packs(kind):
        largest = max(pack.cells, key=costs.memory_bytes)
        shape = costs.model_shape(largest)
        n_bytes = shape.n_parameters * costs.bytes_of_number(largest) if shape else 0
        seconds = ASSUMED["s_to_start_a_job_with_a_model" if shape else "s_to_start_a_job"]
        seconds += n_bytes / (ASSUMED["gb_a_second_of_weights_loaded"] * 1e9)
        found += _spent(seconds, largest, device) if shape else Item(core_s=seconds)
    return found


def _reckoning_s(cell: Cell) -> float:
    """Of what runs no model: judging by a rubric, tables, figures. [s]"""
    if isinstance(cell.recipe, Rubric):
        return costs.n_judged(cell) / ASSUMED["answers_a_second_by_rubric"]
    if isinstance(cell.recipe, Judged):
        return (
            sum(costs.n_judged(of) for of in cell.inputs["scores"] if isinstance(of, Cell))
            * ASSUMED["ms_of_tables_an_answer"]
            / 1e3
        )
    return ASSUMED["s_of_a_figure"] if cell.kind in ("figures", "report") else 0.0


def _length(cell: Cell) -> float:
    """Of a text that the model reads. [tokens]"""
    if isinstance(cell.recipe, Organism):
        return ASSUMED["tokens_of_a_grammars_chat"]
    if isinstance(cell.recipe, LocalJudge):
        return _judging(cell).judged / sum(costs.texts(cell).values())
    prompt, reference = _lengths(cell)
    return prompt if isinstance(cell.recipe, ResidualNorms | Answers) else prompt + reference


def _lengths(cell: Cell) -> tuple[float, float]:
    """Of a prompt in its chat and of an answer that is trained on or read; as in their file, where it is at hand. [tokens]"""
    if isinstance(cell.inputs["model"][0].recipe, Organism):  # type: ignore[union-attr]
        return ASSUMED["tokens_of_a_grammars_prompt"], ASSUMED["tokens_of_a_grammars_reference"]
    texts = [of for role in ("task", "benchmark") for of in cell.inputs.get(role, ()) if isinstance(of, Cell)]
    files = [of for text in texts for of in text.inputs.get("file", ()) if isinstance(of, Raw)]
    facts = facts_of(files[0].path) if files else None
    if not facts or not facts.n_chars:
        return ASSUMED["tokens_of_a_prompt"], ASSUMED["tokens_of_a_reference"]
    prompt, reference = (n / ASSUMED["characters_a_token"] for n in facts.n_chars)
    return ASSUMED["tokens_of_a_template"] + prompt, reference


def _said(cell: Cell) -> float:
    """Tokens of the answers of a cell."""
    if not isinstance(cell.recipe, Answers):
        return 0.0
    return sum(costs.texts(cell).values()) * cell.recipe.sampling.max_new_tokens * ASSUMED["share_of_longest"]


def _judging(cell: Cell) -> Item:
    """Of a language model that judges: three requests an answer, or one where it is not coherent and that is asked first."""
    recipe: Any = cell.inputs["answers"][0].recipe  # type: ignore[union-attr]
    n = costs.n_judged(cell)
    of_an_answer = 1 + 2 * (ASSUMED["share_coherent"] if cell.recipe.coherence_first is not None else 1)  # type: ignore[attr-defined]
    longest = recipe.sampling.max_new_tokens if hasattr(recipe, "sampling") else ASSUMED["tokens_of_a_reference"]
    text = ASSUMED["tokens_of_a_rubric"] + ASSUMED["tokens_of_a_prompt"] + longest * ASSUMED["share_of_longest"]
    return Item(requests=n * of_an_answer, judged=n * of_an_answer * text)


def _stored(cell: Cell, shape: ModelShape, said: float) -> float:
    """What is kept of a cell that runs a model. [bytes]"""
    if isinstance(cell.recipe, Lora):
        inner = shape.d_head * (shape.n_heads + shape.n_kv_heads)
        return 4.0 * cell.recipe.rank * shape.n_layers * (4 * shape.d_model + 2 * inner + 3 * (shape.d_model + shape.d_mlp))
    if isinstance(cell.recipe, Construction):
        return 4.0 * shape.d_model * (1 if "layer" in type(cell.recipe).model_fields else shape.n_layers)
    return 4.0 * shape.n_parameters if isinstance(cell.recipe, Organism) else said * ASSUMED["bytes_of_a_token"]


def _each_run_once(plan: Plan) -> Iterator[Cell]:
    """Cells, snapshots of one training by their last alone."""
    last: dict[object, Cell] = {}
    for kind in KINDS:
        for cell in plan.of(kind):
            varied = [name for name in LAST_OF_A_RUN if kind in ("vectors", "adapters") and name in type(cell.recipe).model_fields]
            if not varied:
                yield cell
                continue
            said = cell.recipe.model_dump(exclude=set(varied))
            run = (
                cell.recipe.module,
                repr(said),
                repr({role: [of.address for of in group] for role, group in cell.inputs.items()}),
            )
            if run not in last or getattr(cell.recipe, varied[0]) > getattr(last[run].recipe, varied[0]):
                last[run] = cell
    yield from last.values()


def _cards(cell: Cell, device: Device) -> int:
    return -int(-costs.memory_bytes(cell) // device.card_bytes) if device.card_bytes else 0


def _model_of(cell: Cell) -> str | None:
    read = cell.inputs.get("model", (cell,) if isinstance(cell.recipe, Organism) else ())
    return read[0].address.partition("--")[0] if read and costs.model_shape(cell) else None


def _price(model: str, url: str, item: Item) -> Decimal | None:
    from genai_prices import Usage, calc_price  # a table of prices, which other commands do without

    try:
        usage = Usage(input_tokens=int(item.judged), output_tokens=int(item.requests * ASSUMED["tokens_of_a_reply"]))
        return calc_price(usage, model, provider_api_url=url).total_price
    except LookupError:
        return None
