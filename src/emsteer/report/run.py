"""What was run, for the top of the page: how many models, settings and artifacts, and how judgements ended."""

from typing import Any

import pandas as pd

ENDS = {  # how judgements end that give no or not all scores, as the page says it
    "refusal": "refusals",
    "incoherent": "too incoherent to ask for more",
    "unparsed": "without a score in the reply",
    "error": "without a reply",
    "unlabelled": "not read",
}


def planted(chosen: pd.DataFrame) -> list[dict[str, object]]:
    """Each organism with its planted breadth, broadest first; averaged over target tasks."""
    of_tasks = chosen.drop_duplicates(["model", "task"])
    of_models = of_tasks.groupby("model", sort=False)["planted_breadth"].mean().dropna().sort_values(ascending=False)
    return [{"model": name, "breadth": value} for name, value in of_models.items()]


def what_was_run(rates: pd.DataFrame) -> list[dict[str, Any]]:
    """Settings, answers and how their judgements ended, of every model and arm; base stands in the table once for each task."""
    once = rates["task"].eq(rates.groupby(["setting", "benchmark", "judge"])["task"].transform("first"))
    tested = rates[once & rates["metric"].eq("em") & rates["group"].isin(["off_domain", "in_domain"])]
    ends = {name: (f"n_{name}", "sum") for name in ENDS}
    sums = tested.groupby(["model", "arm"], sort=False).agg(
        settings=("setting", "nunique"), scored=("n", "sum"), excluded=("n_excluded", "sum"), **ends
    )
    rows = sums.reset_index().to_dict("records")
    return [{**row, "ends": ", ".join(f"{row[name]:,} {said}" for name, said in ENDS.items() if row[name])} for row in rows]


def scope(rates: pd.DataFrame, run: list[dict[str, Any]], n_artifacts: int, address: str) -> dict[str, object]:
    """How much was run: (number, its name, its plural) of what a reader asks for first, the judges, and the page's own address."""
    counts = [
        (rates["model"].nunique(), "model", "models"),
        (rates["task"].nunique(), "target task", "target tasks"),
        (rates["setting"].nunique(), "setting", "settings"),
        (sum(row["scored"] + row["excluded"] for row in run), "answer", "answers"),
        (n_artifacts, "artifact beneath it", "artifacts beneath them"),
    ]
    return {"counts": counts, "judges": sorted(rates["judge"].unique()), "address": address}
