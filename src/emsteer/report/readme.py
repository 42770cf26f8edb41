"""Numbers of README.md, docs/claims.md and docs/performance.md: tables between marks, written from what was published."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from emsteer import declarations, storage
from emsteer.errors import StudyError
from emsteer.recipes import NOT_SHOWN, VERDICTS

README = Path("README.md")
METRICS = Path("reports/metrics.json")
DECLARATIONS = "declarations.json"  # beside them
REAL = Path("published/smollm/tables/rates.csv")  # kept of the study in params/smollm.yaml
BEGIN, END = "<!-- numbers: `make docs` -->", "<!-- end of numbers -->"
CLAIMS_PAGE, CLAIMS = Path("docs/claims.md"), Path("reports/tables/claims.csv")
CLAIMS_BEGIN, CLAIMS_END = "<!-- verdicts: `make docs` -->", "<!-- end of verdicts -->"
REAL_BEGIN, REAL_END = "<!-- a real model: `make docs` -->", "<!-- end of a real model -->"
COST_PAGE, COST = Path("docs/performance.md"), Path("reports/cost.csv")
COST_BEGIN, COST_END = "<!-- cost: `make docs` -->", "<!-- end of cost -->"
COLUMNS = ("inside / outside the block", "coherence", "random directions below")
JUDGED = ("harmful", "coverage", "em", "on_topic_em")
Numbers = Mapping[str, Any]


def rewrite_all() -> list[Path]:
    """All three pages; returns those that changed."""
    done = ((README, rewrite()), (CLAIMS_PAGE, rewrite_claims()), (COST_PAGE, rewrite_cost()))
    return [page for page, has_changed in done if has_changed]


def rewrite(readme: Path = README, metrics: Path = METRICS, real: Path = REAL) -> bool:
    """Puts the published numbers into the README. Returns whether it changed."""
    old = readme.read_text(encoding="utf-8")
    new = _written(old, metrics, real)
    if new != old:
        storage.write_text(readme, new)
    return new != old


def check(readme: Path = README, metrics: Path = METRICS, real: Path = REAL) -> None:
    """Raises StudyError where the README's numbers are not the published ones."""
    text = readme.read_text(encoding="utf-8")
    if _written(text, metrics, real) != text:
        raise StudyError(f"{readme}: its numbers are not those of {metrics} and {real}.\n  Run `make docs`.")


def rewrite_claims(page: Path = CLAIMS_PAGE, claims: Path = CLAIMS) -> bool:
    """Puts the published verdicts into the page of claims. Returns whether it changed."""
    with claims.open(encoding="utf-8", newline="") as stream:
        return _rewrite(page, CLAIMS_BEGIN, CLAIMS_END, verdicts_by_source(list(csv.DictReader(stream))))


def rewrite_cost(page: Path = COST_PAGE, cost: Path = COST) -> bool:
    """Puts what the study took, beside its estimate, into the page of costs, where it is known. Returns whether that changed."""
    if not cost.exists():
        return False
    with cost.open(encoding="utf-8", newline="") as stream:
        return _rewrite(page, COST_BEGIN, COST_END, costs_by_stage(list(csv.DictReader(stream))))


def _rewrite(page: Path, begin: str, end: str, lines: Iterable[str]) -> bool:
    old = page.read_text(encoding="utf-8")
    new = between(old, begin, end, "\n".join(lines), page)
    if new != old:
        storage.write_text(page, new)
    return new != old


def costs_by_stage(rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """A Markdown table; the last row is of all stages."""
    numbers = {row["stage"]: [float(row[name]) for name in ("cells", "estimated_core_s", "taken_core_s")] for row in rows}
    total = [sum(column) for column in zip(*numbers.values(), strict=True)]
    yield "| stage | cells | estimated [CPU-s] | taken [CPU-s] |"
    yield "|---|---|---|---|"
    for stage, (cells, estimated, taken) in [*numbers.items(), ("all", total)]:
        yield f"| {stage} | {cells:,.0f} | {estimated:,.0f} | {taken:,.0f} |"


def verdicts_by_source(rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """A Markdown table: claims beside what they say, by source; of how many subjects each verdict was."""
    sources = sorted({row["source"] for row in rows}, key=lambda source: (not source, source))
    yield "| source | claim | says | verdicts |"
    yield "|---|---|---|---|"
    for source in sources:
        of_source = [row for row in rows if row["source"] == source]
        for claim in dict.fromkeys(row["claim"] for row in of_source):
            own = [row for row in of_source if row["claim"] == claim]
            counted = Counter(row["verdict"] for row in own)
            said = ", ".join(f"{verdict} {counted[verdict]}" for verdict in VERDICTS if counted[verdict])
            yield f"| {source or 'ours'} | `{claim}` | {own[0]['says']} | {said} |"


def _written(text: str, metrics: Path, real: Path) -> str:
    """With the numbers of the study here; and of the real model's, where they were kept."""
    late = declarations.said(declarations.known(metrics.with_name(DECLARATIONS)))
    numbers = tables(storage.read_json(metrics))
    text = between(text, BEGIN, END, f"{numbers}\n\n*{late}*" if late else numbers)
    if not real.exists():
        return text
    with real.open(encoding="utf-8", newline="") as stream:
        return between(text, REAL_BEGIN, REAL_END, "\n".join(labelled(csv.DictReader(stream))))


def between(text: str, begin: str, end: str, content: str, page: Path = README) -> str:
    """The text with what stands between two marks written anew.

    Raises:
        StudyError: The marks are not there once each, in order.
    """
    before, first, rest = text.partition(begin)
    _, last, after = rest.partition(end)
    if not (first and last) or begin in rest or end in after:
        raise StudyError(f"{page}: expected the lines `{begin}` and `{end}` once each, in this order.\n  Put them back.")
    return f"{before}{begin}\n{content}\n{end}{after}"


def labelled(rates: Iterable[Mapping[str, str]]) -> Iterator[str]:
    """A Markdown table: the settings whose answers to off-domain test questions somebody has read.

    Base stands among the rates once for each target task; here it stands once.
    """
    told: set[str] = set()
    yield "| setting | answers read | careless | coherent | careless and coherent (EM) | and on topic | margin [nats/token] |"
    yield f"|{'---|' * (len(JUDGED) + 3)}"
    for row in rates:
        if row["split"] == "test" and row["group"] == "off_domain" and int(row["em_n"]) and row["setting"] not in told:
            told.add(row["setting"])
            shares = [f"{100 * float(row[name]):.0f} % {_range(row, name)}" for name in JUDGED]
            yield f"| `{row['setting']}` | {int(row['em_n'])} | {' | '.join(shares)} | {float(row['margin']):+.2f} |"


def _range(row: Mapping[str, str], name: str) -> str:
    return f"[{100 * float(row[f'{name}_low']):.0f}, {100 * float(row[f'{name}_high']):.0f}]"


def tables(metrics: Numbers) -> str:
    """Two Markdown tables: each arm at its chosen setting, target task of the base point; and the verdicts, counted."""
    return "\n".join([*_chosen(metrics), "", *_verdicts(metrics["claims"])])


def _chosen(metrics: Numbers) -> Iterator[str]:
    base_point = metrics["base_point"]
    task = base_point["task"]
    names = ("organism", f"target {task}", "EM in-domain", "on-topic EM off-domain", *COLUMNS)
    yield f"| {' | '.join(names)} |"
    yield f"|{'---|' * len(names)}"
    models = sorted(metrics["chosen"], key=lambda model: model != base_point["model"])
    for model in models:
        of_model = metrics["chosen"][model].get(task, {})
        for treatment in ("none", base_point["adapter"], base_point["vector"]):
            points = of_model.get(treatment, {})
            found = points.get("base") or points.get("chosen")
            if found:
                yield f"| {model} | {_arm(treatment, found)} | {' | '.join(_cells(found))} |"
            elif treatment != "none":
                yield f"| {model} | {treatment} | no dose was coherent and did harm in-domain | | | | |"


def _arm(treatment: str, found: Numbers) -> str:
    return "base" if treatment == "none" else f"`{found['setting']}`"


def _cells(found: Numbers) -> Iterator[str]:
    yield _percent(found["in_domain"]["em"])
    headline = found["off_domain"]["on_topic_em"]
    yield f"{_percent(headline)} [{100 * headline['low']:.0f}, {100 * headline['high']:.0f}]"
    sides = [found.get(side, {}).get("on_topic_em") for side in ("linked", "unlinked")]
    yield " / ".join(_percent(side) if side else "–" for side in sides)
    yield f"{found['off_domain']['coherence']['value']:.0f}"
    yield f"{headline['random_below']} of {headline['random_draws']}" if "random_draws" in headline else ""


def _percent(number: Numbers) -> str:
    return f"{100 * number['value']:.0f} %"


def _verdicts(claims: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    found = {verdict for of in claims.values() for verdict in of.values()}
    verdicts = [name for name in VERDICTS if name in found or name != NOT_SHOWN]
    yield f"| claim | {' | '.join(verdicts)} |"
    yield f"|{'---|' * (len(verdicts) + 1)}"
    for claim, subjects in claims.items():
        counted = Counter(subjects.values())
        yield f"| {claim.replace('_', ' ')} | {' | '.join(str(counted[name] or '') for name in verdicts)} |"
