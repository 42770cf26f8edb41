"""`emsteer plan --cost`: the bill of a study as a person reads it, and what to leave out for a budget."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from emsteer.plan.bill import ASSUMED, Bill, bill_of
from emsteer.plan.cells import KINDS
from emsteer.plan.pace import Device, device_of
from emsteer.plan.packing import Plan
from emsteer.plan.resolve import resolve
from emsteer.study import Study

HOUR = 3600.0


class Taken(NamedTuple):
    """What cells have taken, as their run records have it.

    Attributes:
        n: Cells that it is known of.
        cpu_s: Of processors. [s]
    """

    n: int
    cpu_s: float


def screen(study: Study, plan: Plan, on: str | None, budget_h: float | None, taken: Mapping[str, Taken]) -> str:
    """The bill, and with a budget [hours] which sweeps to leave out.

    Args:
        study: Whose sweeps may be left out.
        plan: Of it.
        on: As of `device_of`.
        budget_h: On cards; on cores, where there are no cards.
        taken: Kind of artifact → what its cells have taken.
    """
    device = device_of(study.execution, on)
    bill = bill_of(plan, device)
    lines = [*_stages(plan, bill, taken), "", *_models(bill), "", *_rest(bill), "", *_assumed(device)]
    if budget_h is not None:
        lines += ["", *_for_budget(study, bill, device, budget_h)]
    return "\n".join(lines)


def _stages(plan: Plan, bill: Bill, taken: Mapping[str, Taken]) -> Iterator[str]:
    columns = ("cells", "read [M tokens]", "said [M tokens]", "card hours", "core hours", "taken: core hours", "of cells")
    yield f"{'stage':<14}{columns[0]:>8}" + "".join(f"{column:>18}" for column in columns[1:])
    of_all = Taken(sum(of.n for of in taken.values()), sum(of.cpu_s for of in taken.values()))
    rows = [(kind, len(plan.of(kind)), bill.by_stage[kind], taken.get(kind)) for kind in KINDS if plan.of(kind)]
    for name, n, item, of in [*rows, ("all", len(plan.all()), bill.total, of_all)]:
        numbers = [_mega(item.read), _mega(item.said), _hours(item.card_s), _hours(item.core_s)]
        numbers += [_hours(of.cpu_s), f"{of.n:,}"] if of and of.n else ["-", "-"]
        yield f"{name:<14}{n:>8,}" + "".join(f"{number:>18}" for number in numbers)


def _models(bill: Bill) -> Iterator[str]:
    yield f"{'model':<32}{'cards a job':>12}{'memory a job [GB]':>20}{'card hours':>12}{'core hours':>12}"
    for name, item in bill.by_model.items():
        hours = f"{_hours(item.card_s):>12}{_hours(item.core_s):>12}"
        yield f"{name:<32}{bill.cards[name] or '-':>12}{bill.memory[name] / 1e9:>20.1f}{hours}"


def _rest(bill: Bill) -> Iterator[str]:
    total = bill.total
    for judge, (item, usd) in bill.by_judge.items():
        price = f"{usd:,.0f} USD at list price" if usd is not None else "no price is known"
        yield f"judge {judge}: {item.requests:,.0f} requests, {_mega(item.judged)} M tokens to read; {price}"
    yield f"disk: {bill.downloads / 1e9:,.1f} GB of models to fetch, {total.stored / 1e9:,.1f} GB of results"


def _assumed(device: Device) -> Iterator[str]:
    yield f"on {device.name}"
    yield "hours of a model on several cards: times their number; hours of stages hold the starting of jobs, those of models do not"
    yield "assumed: " + ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in ASSUMED.items())


def _for_budget(study: Study, bill: Bill, device: Device, budget_h: float) -> Iterator[str]:
    """Sweeps by what they alone cost; the dearest are left out first."""
    there = _spent_h(bill, device)
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
    return _spent_h(bill_of(resolve(study.model_copy(update={"sweeps": kept})), device), device)


def _spent_h(bill: Bill, device: Device) -> float:
    """Of what is short: cards, or else cores. [h]"""
    return (bill.total.card_s if device.card_bytes else bill.total.core_s) / HOUR


def _mega(n_tokens: float) -> str:
    return f"{n_tokens / 1e6:,.2f}" if n_tokens else "-"


def _hours(seconds: float) -> str:
    return f"{seconds / HOUR:,.2f}" if seconds else "-"
