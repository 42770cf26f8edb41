"""What a study costs before it starts: tokens, hours on cards, memory, disk, a judge's requests and money. Nothing is computed.

Other than `plan.costs`, which asks a scheduler for enough, this says what is likely. A pass that computes is bound by operations,
one that says an answer token by token by reading the weights. Every number that is assumed stands in `ASSUMED` and is printed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from emsteer.plan import costs
from emsteer.plan.cells import KINDS, Cell
from emsteer.plan.packing import Plan
from emsteer.recipes import (
    Answers,
    Asked,
    Construction,
    LocalJudge,
    Lora,
    ModelShape,
    Organism,
    PinnedModel,
    ResidualNorms,
)

DEVICES = {  # dense bfloat16 [TFLOP/s], memory [GB/s], [GB]: as NVIDIA's data sheets have them
    "A100": (312, 2039, 80),
    "H100": (989, 3350, 80),
    "H200": (989, 4800, 141),
    "L40S": (362, 864, 48),
}
ASSUMED = {
    "share_of_flops": 0.4,  # of the data sheet's, in large products
    "share_of_bandwidth": 0.5,  # of the data sheet's, in reading weights
    "ms_a_block": 1.5,  # of a step of the engine on a card, beside these: two models on an H200 (docs/performance.md)
    "tokens_of_a_prompt": 60,  # with what the chat template writes
    "tokens_of_a_reference": 120,  # of an answer that is trained on or read
    "tokens_of_a_grammars_prompt": 23,  # these three measured on the default study
    "tokens_of_a_grammars_reference": 19,
    "tokens_of_a_grammars_chat": 85,  # that an organism is pretrained on
    "share_of_longest": 0.6,  # of `max_new_tokens` that an answer has
    "rows_at_once": 320,  # of the engine
    "share_coherent": 0.8,  # of answers that a judge is asked about more than coherence, if it is asked that first
    "tokens_of_a_rubric": 400,  # around question and answer
    "tokens_of_a_reply": 3,
    "bytes_of_a_token": 12,  # of an answers file: text and id
}
LAST_OF_A_RUN = ("epochs", "steps")  # snapshots of one training share it


@dataclass(frozen=True)
class Speed:
    """Of one device, sustained.

    Attributes:
        flops: In large products. [operations/s]
        bandwidth: In reading weights. [bytes/s]
        block_s: What a block of the model takes in a step of the engine, beside its weights. [s]
    """

    flops: float
    bandwidth: float
    block_s: float = 0.0

    @classmethod
    def of(cls, device: str) -> "Speed":
        """Of a card in `DEVICES`."""
        tflops, gb_per_s, _ = DEVICES[device]
        flops, bandwidth = tflops * 1e12 * ASSUMED["share_of_flops"], gb_per_s * 1e9 * ASSUMED["share_of_bandwidth"]
        return cls(flops, bandwidth, ASSUMED["ms_a_block"] / 1e3)


@dataclass(frozen=True)
class Item:
    """Of one cell, or of several.

    Attributes:
        read: Tokens that pass through a model, each pass counted.
        said: Tokens that a model says.
        card_s: Seconds, times the cards that the model needs. [s]
        requests: To a judge behind an endpoint.
        judged: Tokens that it reads.
        stored: What is kept. [bytes]
    """

    read: float = 0
    said: float = 0
    card_s: float = 0
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


def bill_of(plan: Plan, speed: Speed, card_bytes: float) -> Bill:
    """What the cells of a plan cost, those that exist already too.

    Args:
        plan: Of a study.
        speed: Of a device.
        card_bytes: Memory of a card; 0: there are none. [bytes]
    """
    bill = Bill()
    asked: dict[tuple[str, str], Item] = {}
    for cell in _each_run_once(plan):
        item = item_of(cell, speed, card_bytes)
        bill.by_stage[cell.kind] = bill.by_stage.get(cell.kind, NOTHING) + item
        if isinstance(cell.recipe, Asked) and cell.service:
            judge = cell.recipe.model, cell.service.base_url
            asked[judge] = asked.get(judge, NOTHING) + item
        if isinstance(cell.recipe, PinnedModel) and cell.recipe.pin.kind == "huggingface":
            bill.downloads += cell.recipe.pin.n_bytes
        if name := _model_of(cell):
            bill.by_model[name] = bill.by_model.get(name, NOTHING) + item
            bill.memory[name] = max(bill.memory.get(name, 0), costs.memory_bytes(cell))
            bill.cards[name] = max(bill.cards.get(name, 0), _cards(cell, card_bytes))
    bill.by_judge = {model: (item, _price(model, url, item)) for (model, url), item in asked.items()}
    return bill


def item_of(cell: Cell, speed: Speed, card_bytes: float) -> Item:
    """Of one cell."""
    if isinstance(cell.recipe, Asked) and cell.service:
        return _judging(cell)
    shape = costs.model_shape(cell)
    if shape is None:
        return Item()
    texts, length = costs.texts(cell), _length(cell)
    operations = sum(of_each * n for of_each, n in texts.items()) * length * shape.n_parameters
    said = _said(cell)
    seconds = (operations / speed.flops + _saying(cell, said, shape, speed)) * max(1, _cards(cell, card_bytes))
    return Item(read=sum(texts.values()) * length, said=said, card_s=seconds, stored=_stored(cell, shape, said))


def _length(cell: Cell) -> float:
    """Of a text that the model reads. [tokens]"""
    of = "grammars_" if isinstance(cell.inputs.get("model", (cell,))[0].recipe, Organism) else ""  # type: ignore[union-attr]
    prompt, reference = ASSUMED[f"tokens_of_a_{of}prompt"], ASSUMED[f"tokens_of_a_{of}reference"]
    match cell.recipe:
        case Organism():
            return ASSUMED["tokens_of_a_grammars_chat"]
        case ResidualNorms() | Answers():
            return prompt
        case LocalJudge():
            return _judging(cell).judged / sum(costs.texts(cell).values())
        case _:
            return prompt + reference


def _said(cell: Cell) -> float:
    """Tokens of the answers of a cell."""
    if not isinstance(cell.recipe, Answers):
        return 0.0
    return sum(costs.texts(cell).values()) * cell.recipe.sampling.max_new_tokens * ASSUMED["share_of_longest"]


def _saying(cell: Cell, said: float, shape: ModelShape, speed: Speed) -> float:
    """Every token of a batch takes a pass through the blocks and their weights, which rows share. [s]"""
    computing = costs.FORWARD * said * shape.n_parameters / speed.flops
    reading = costs.bytes_of_number(cell) * shape.n_parameters / speed.bandwidth
    return max(computing, said / ASSUMED["rows_at_once"] * (reading + shape.n_layers * speed.block_s))


def _judging(cell: Cell) -> Item:
    """Of a language model that judges: three requests an answer, or one where it is not coherent and that is asked first."""
    answers = cell.inputs["answers"][0]
    recipe: Any = answers.recipe  # type: ignore[union-attr]
    n = recipe.n_samples * costs.asked(cell)[0]
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


def _cards(cell: Cell, card_bytes: float) -> int:
    return -int(-costs.memory_bytes(cell) // card_bytes) if card_bytes else 0


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
