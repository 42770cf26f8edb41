"""The page: what was asked and found, in words, figures and tables, and answers side by side, chosen by rule and not by hand."""

from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from emsteer import schemas, storage
from emsteer.analysis.chosen import published
from emsteer.analysis.claims import seen
from emsteer.analysis.measures import SHARES
from emsteer.analysis.settings import name_of
from emsteer.packs import Job
from emsteer.recipes import VERDICTS, BasePoint, Page
from emsteer.report.assets import licence, policy, scripts, styles
from emsteer.report.drawings import name_of_figure, numbers, shows_something, svg, words
from emsteer.report.explorer import packed, shelf
from emsteer.report.judges import agreement, corrected, instruments
from emsteer.report.relatedness import compared, doubtful, overlaps
from emsteer.report.run import planted, scope, what_was_run
from emsteer.report.sources import sources

SHOWN_POINTS = ["base", "chosen", "largest_dose"]


def make(jobs: Sequence[Job]) -> Iterator[Job]:
    """Writes a folder: `index.html` with its figures inside, and the passport."""
    for job in jobs:
        job.out.mkdir()
        html = render(job)
        (job.out / "index.html").write_text(html, encoding="utf-8")
        storage.write_json(job.passport, job.out / "passport.json")
        yield job


def render(job: Job) -> str:
    """The page as HTML. Everything that a model said is escaped."""
    recipe: Page = job.recipe
    rates = schemas.read(job.input("rates"), schemas.Rates)
    chosen = schemas.read(job.input("chosen"), schemas.Chosen)
    evidence = schemas.read(job.input("evidence"), schemas.Evidence)
    claims = schemas.read(job.input("claims"), schemas.Claims)
    run, of_judges = what_was_run(rates), instruments(job)
    listed, n_artifacts = sources(
        job.input("judged"), [*shown(chosen)["setting"], *evidence["setting"], *evidence["reference_setting"]]
    )
    said = {
        "title": recipe.title,
        "notice": recipe.notice,
        "planted": planted(chosen),
        "run": run,
        "scope": scope(rates, run, n_artifacts, job.address),
        "answers": list(answered(claims, evidence)),
        "chosen": table(chosen),
        "figures": {name_of_figure(path): svg(path) for path in job.inputs["figures"] if shows_something(path)},
        "words": {name_of_figure(path): words(path) for path in job.inputs["figures"]},
        "numbers": {name_of_figure(path): packed(numbers(path)) for path in job.inputs["figures"]},
        "sources": listed,
        "shelf": shelf(job.input("judged"), recipe.answers, [source["name"] for source in listed]),
        "examples": told_apart(list(examples(job, chosen)), "model"),
        "thresholds": recipe.thresholds,
        "judged_by": recipe.judged_by,
        "instruments": of_judges,
        "unproven": [f"{row['judge']} ({row['score']})" for row in of_judges if not row["works"]],
        "agreement": list(agreement(job)),
        "corrected": corrected(job),
        "relatedness": compared(job),
        "overlaps": list(overlaps(job)),
        "doubtful": list(doubtful(job)),
        "level": storage.read_passport(job.input("evidence"))["recipe"]["bootstrap"]["level"],
    }
    running = scripts()
    assets = {"scripts": running, "styles": styles(), "policy": policy(running), "licence": licence()}
    return environment().get_template("page.html").render(**said, **assets, sections=list(sections(said)), shares=SHARES)


def environment() -> Environment:
    """Where templates lie, and how they show numbers. Everything in them is escaped that is not called safe."""
    found = Environment(
        loader=PackageLoader("emsteer.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    found.filters.update(area=area, percent=percent, points=points, nats=nats, amount=amount, seen=in_unit)
    return found


def sections(said: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(id, name) of the parts of the page that have something to say, in their order."""
    drawn = set(said["figures"])
    yield "claims", "Claims"
    if drawn - {"judges", "falloff"}:
        yield "figures", "Figures"
    yield "comparisons", "Comparisons"
    yield "settings", "Chosen settings"
    if said["relatedness"]:
        yield "questions", "Questions"
    yield "counted", "What is counted"
    if said["instruments"] or said["agreement"] or said["corrected"] or "judges" in drawn:
        yield "judges", "Judges"
    yield "answers", "Answers"
    yield "lineage", "Where the numbers come from"


def answered(claims: pd.DataFrame, evidence: pd.DataFrame) -> Iterator[dict[str, object]]:
    """The claims of the study, each with its verdicts and the comparisons that they rest on."""
    key = ["claim", "subject", "benchmark", "judge"]
    of_subject = {place: of.to_dict("records") for place, of in evidence.groupby(key, sort=False)}
    for claim, of in claims.groupby("claim", sort=False):
        rows = of.to_dict("records")
        about = {name: rows[0][name] for name in ("says", "declared", "digest")}
        about["source"] = "ours" if pd.isna(rows[0]["source"]) else rows[0]["source"]
        compared = [{**row, "evidence": of_subject[tuple(row[name] for name in key)]} for row in rows]
        yield {
            **about,
            "claim": claim,
            "count": {verdict: sum(row["verdict"] == verdict for row in rows) for verdict in VERDICTS},
            "rows": told_apart(compared, "subject"),
            "rule": compared[0]["evidence"][0],
        }


def told_apart(rows: list[dict[str, Any]], column: str) -> list[dict[str, Any]]:
    """The rows, with benchmark and judge in a column of names where there are several of them."""
    if len({(row["benchmark"], row["judge"]) for row in rows}) < 2:
        return rows
    return [{**row, column: f"{row[column]} ({row['benchmark']}, {row['judge']})"} for row in rows]


def shown(chosen: pd.DataFrame) -> pd.DataFrame:
    """Those settings of `schemas.Chosen` that the page has, one row for each group of questions."""
    wide = published(chosen)
    return wide[wide["point"].isin(SHOWN_POINTS)]


def table(chosen: pd.DataFrame) -> list[dict[str, Any]]:
    """Base, chosen settings and largest doses: off-domain and in-domain rates in one row."""
    wide = shown(chosen)
    key = ["model", "task", "benchmark", "judge", "arm", "treatment", "point"]
    sides = {group: of.set_index(key).to_dict("index") for group, of in wide.groupby("group")}
    rows = wide[wide["group"].eq("off_domain")].to_dict("records")
    for row in rows:
        place = tuple(row[name] for name in key)
        row |= {group: sides.get(group, {}).get(place) for group in ("in_domain", "linked", "unlinked")}
    return told_apart(rows, "model")


def examples(job: Job, chosen: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Base, finetuned and steered answers to the first test questions of every category, sample 0: none is picked by hand."""
    recipe: Page = job.recipe
    base = recipe.base_point
    picked = chosen[chosen["point"].isin(["base", "chosen"]) & chosen["task"].eq(base.task)]
    picked = picked[picked["treatment"].isin(["none", base.adapter, base.vector])]
    picked = picked.drop_duplicates(["model", "benchmark", "judge", "treatment"])
    said = first_samples(job.input("judged"), base, set(picked["setting"]))
    for (model, benchmark, judge), of in picked.groupby(["model", "benchmark", "judge"], sort=False):
        by_treatment = of.set_index("treatment")["setting"]
        settings = by_treatment.reindex([name for name in ("none", base.adapter, base.vector) if name]).dropna()
        here = said[said["benchmark"].eq(benchmark) & said["judge"].eq(judge)]
        found = {name: here[here["name"].eq(name)] for name in settings if here["name"].eq(name).any()}
        if recipe.examples_per_category and len(found) > 1:
            side_by_side = list(_side_by_side(list(found.values()), recipe.examples_per_category))
            yield {"model": model, "benchmark": benchmark, "judge": judge, "names": list(found), "questions": side_by_side}


def first_samples(judged: Path, base: BasePoint, names: Set[str]) -> pd.DataFrame:
    """Sample 0 of every test question in settings of the base point's task and seed; `name`: without that seed."""
    kept = []
    for part in schemas.read_parts(judged, schemas.Judged):
        first = part[part["sample"].eq(0) & part["split"].eq("test") & part["task"].eq(base.task)]
        named = {
            row["setting"]: name_of(row, seeded=not pd.isna(row["seed"]) and row["seed"] != base.seed)
            for row in first.drop_duplicates("setting").to_dict("records")
        }
        first = first.assign(name=first["setting"].map(named))
        kept.append(first[first["name"].isin(names)])
    return pd.concat(kept, ignore_index=True)


def _side_by_side(settings: Sequence[pd.DataFrame], n: int) -> Iterator[dict[str, object]]:
    """The first n questions of every category, each with what every setting answered."""
    said = [of.set_index("question_id").to_dict("index") for of in settings]
    for question in settings[0].groupby("category", sort=False).head(n).itertuples():
        answers = [of[question.question_id] for of in said]
        yield {"category": question.category, "prompt": question.prompt, "answers": answers}


def area(value: float | None) -> str:
    """`0.83`, or a dash where there is no number."""
    return "–" if value is None or pd.isna(value) else f"{value:.2f}"


def percent(share: float | None) -> str:
    """`12.3`, or a dash where there is no number."""
    return "–" if share is None or pd.isna(share) else f"{100 * share:z.1f}"


def points(value: float | None) -> str:
    """`87`, or a dash where there is no number."""
    return "–" if value is None or pd.isna(value) else f"{value:z.0f}"


def nats(value: float | None) -> str:
    """`-0.42`, or a dash where there is no number."""
    return "–" if value is None or pd.isna(value) else f"{value:+z.2f}"


def in_unit(row: dict[str, Any]) -> str:
    """What a run like that of a row of evidence would have seen, in its unit."""
    return seen(row, lambda value: amount(value, row["metric"]))


def amount(value: float | None, metric: str) -> str:
    """A number of a metric in its unit: shares in percent, scores in points."""
    return percent(value) if metric in SHARES else points(value)
