"""`emsteer plan --cost`: the bill of a study as a person reads it, and what to leave out for a budget."""

from collections.abc import Iterator
from dataclasses import dataclass

from emsteer.plan.bill import ASSUMED, DEVICES, Bill, Speed, bill_of
from emsteer.plan.cells import KINDS
from emsteer.plan.packing import Plan
from emsteer.plan.resolve import resolve
from emsteer.study import Study

HOUR = 3600.0


@dataclass(frozen=True)
class Device:
    """What a study is billed for.

    Attributes:
        name: As the screen calls it.
        speed: Sustained.
        card_bytes: Memory of a card; 0: there are none. [bytes]
    """

    name: str
    speed: Speed
    card_bytes: float


def device_of(study: Study, card: str | None) -> Device:
    """A card by its name; or else what the study file says of its machine, where weights are read in no time."""
    if card:
        tflops, gb_per_s, gb = DEVICES[card]
        name = f"{card} ({tflops} TFLOP/s, {gb_per_s:,} GB/s, {gb} GB)"
        return Device(name, Speed.of(card), gb * 1e9)
    said = study.execution
    name = f"{said.gflop_per_s:,.0f} GFLOP/s (execution.gflop_per_s; reading weights takes no time)"
    return Device(name, Speed(said.gflop_per_s * 1e9, float("inf")), said.gpu_memory_gb * 1e9)


def screen(study: Study, plan: Plan, card: str | None, budget_h: float | None) -> str:
    """The bill, and with a budget [hours on cards] which sweeps to leave out."""
    device = device_of(study, card)
    bill = bill_of(plan, device.speed, device.card_bytes)
    lines = [*_stages(plan, bill), "", *_models(bill), "", *_rest(bill), "", *_assumed(device)]
    if budget_h is not None:
        lines += ["", *_for_budget(study, bill, device, budget_h)]
    return "\n".join(lines)


def _stages(plan: Plan, bill: Bill) -> Iterator[str]:
    yield f"{'stage':<14}{'cells':>8}{'read [M tokens]':>18}{'said [M tokens]':>18}{'hours':>12}"
    for kind in KINDS:
        if plan.of(kind):
            item = bill.by_stage[kind]
            yield f"{kind:<14}{len(plan.of(kind)):>8,}{_mega(item.read):>18}{_mega(item.said):>18}{_hours(item.card_s):>12}"
    total = bill.total
    yield f"{'all':<14}{len(plan.all()):>8,}{_mega(total.read):>18}{_mega(total.said):>18}{_hours(total.card_s):>12}"


def _models(bill: Bill) -> Iterator[str]:
    yield f"{'model':<32}{'cards a job':>12}{'memory a job [GB]':>20}{'hours':>12}"
    for name, item in bill.by_model.items():
        yield f"{name:<32}{bill.cards[name] or '-':>12}{bill.memory[name] / 1e9:>20.1f}{_hours(item.card_s):>12}"


def _rest(bill: Bill) -> Iterator[str]:
    total = bill.total
    for judge, (item, usd) in bill.by_judge.items():
        price = f"{usd:,.0f} USD at list price" if usd is not None else "no price is known"
        yield f"judge {judge}: {item.requests:,.0f} requests, {_mega(item.judged)} M tokens to read; {price}"
    yield f"disk: {bill.downloads / 1e9:,.1f} GB of models to fetch, {total.stored / 1e9:,.1f} GB of results"


def _assumed(device: Device) -> Iterator[str]:
    yield f"on {device.name}; hours are of a card: of a model on several, times their number"
    yield "assumed: " + ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in ASSUMED.items())


def _for_budget(study: Study, bill: Bill, device: Device, budget_h: float) -> Iterator[str]:
    """Sweeps by what they alone cost; the dearest are left out first."""
    there = bill.total.card_s / HOUR
    if there <= budget_h:
        yield f"within a budget of {budget_h:g} hours"
        return
    yield f"{there - budget_h:,.1f} hours over a budget of {budget_h:g}. What each sweep alone costs [hours]:"
    alone = {name: there - _left(study, {name}, device) for name in study.sweeps}
    dearest = sorted(alone, key=lambda name: -alone[name])
    yield from (f"  {alone[name]:>10,.1f}  {name}" for name in dearest)
    for n in range(1, len(dearest) + 1):
        left = _left(study, {*dearest[:n]}, device)
        if left <= budget_h:
            yield f"without {', '.join(dearest[:n])}: {left:,.1f} hours"
            return
    yield f"without any sweep: {left:,.1f} hours. Ask fewer questions, or sample fewer answers (answers.samples_per_question)."


def _left(study: Study, dropped: set[str], device: Device) -> float:
    kept = {name: sweep for name, sweep in study.sweeps.items() if name not in dropped}
    plan = resolve(study.model_copy(update={"sweeps": kept}))
    return bill_of(plan, device.speed, device.card_bytes).total.card_s / HOUR


def _mega(n_tokens: float) -> str:
    return f"{n_tokens / 1e6:,.2f}" if n_tokens else "-"


def _hours(seconds: float) -> str:
    return f"{seconds / HOUR:,.2f}" if seconds else "-"
