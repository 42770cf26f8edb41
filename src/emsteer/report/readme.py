"""The README's numbers: tables between two marks, written from `reports/metrics.json` and checked against it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from emsteer import storage
from emsteer.errors import StudyError

README = Path("README.md")
METRICS = Path("reports/metrics.json")
BEGIN, END = "<!-- numbers: `make docs` -->", "<!-- end of numbers -->"
COLUMNS = ("inside / outside the block", "coherence", "random directions below")
Numbers = Mapping[str, Any]


def rewrite(readme: Path = README, metrics: Path = METRICS) -> bool:
    """Puts the published numbers into the README. Returns whether it changed."""
    old = readme.read_text(encoding="utf-8")
    new = with_numbers(old, storage.read_json(metrics))
    if new != old:
        storage.write_text(readme, new)
    return new != old


def check(readme: Path = README, metrics: Path = METRICS) -> None:
    """Raises StudyError where the README's numbers are not the published ones."""
    text = readme.read_text(encoding="utf-8")
    if with_numbers(text, storage.read_json(metrics)) != text:
        raise StudyError(f"{readme}: its numbers are not those of {metrics}.\n  Run `make docs`.")


def with_numbers(text: str, metrics: Numbers) -> str:
    """The text with its marked part written anew.

    Raises:
        StudyError: The marks are not there once each, in order.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in rest or END in after:
        raise StudyError(f"{README}: expected the lines `{BEGIN}` and `{END}` once each, in this order.\n  Put them back.")
    return f"{before}{BEGIN}\n{tables(metrics)}\n{END}{after}"


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
    names = ("supported", "not supported", "inconclusive")
    yield f"| claim | {' | '.join(names)} |"
    yield "|---|---|---|---|"
    for claim, subjects in claims.items():
        counted = Counter(subjects.values())
        yield f"| {claim.replace('_', ' ')} | {' | '.join(str(counted[name]) for name in names)} |"
