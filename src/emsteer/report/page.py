"""The page: verdicts, figure, rates, and answers side by side, chosen by rule and not by hand."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from emsteer import schemas, storage
from emsteer.analysis.judged import setting_name
from emsteer.analysis.rates import published
from emsteer.packs import Job
from emsteer.recipes import Page, RatesRow

N_SAMPLES_SHOWN = 1


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
    claims = schemas.read(job.input("claims"), schemas.Claims)
    environment = Environment(
        loader=PackageLoader("emsteer.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(percent=percent, points=points)
    return environment.get_template("page.html").render(
        title=recipe.title,
        organisms=sorted({row.setting.model for row in recipe.rows}),
        claims=claims.to_dict("records"),
        rates=summary(rates).to_dict("records"),
        figures=[svg(path) for path in job.inputs["figures"]],
        examples=list(examples(job, claims)),
        thresholds={row.judge: row.thresholds for row in recipe.rows},
    )


def svg(folder: Path) -> str:
    """The drawing of a figure's folder, without the XML header."""
    text = next(folder.glob("*.svg")).read_text(encoding="utf-8")
    return text[text.index("<svg") :]


def summary(rates: pd.DataFrame) -> pd.DataFrame:
    """One row per setting: off-domain test rates."""
    shown = rates[rates["group"].eq("off_domain") & rates["split"].eq("test")]
    return published(shown)


def examples(job: Job, claims: pd.DataFrame) -> Iterator[dict[str, object]]:
    """Base and steered answers to the first test questions of every category, sample 0: no answer is picked by hand."""
    recipe: Page = job.recipe
    for claim in claims.to_dict("records"):
        place = (claim["benchmark"], claim["judge"], claim["task"])
        names = [f"{claim['model']}.base", claim["setting"]]
        rows = {setting_name(row.setting): row for row in recipe.rows if (row.benchmark, row.judge, row.setting.task) == place}
        if recipe.examples_per_category and all(name in rows for name in names):
            yield {"claim": claim, "names": names, "questions": _side_by_side(job, [rows[name] for name in names])}


def _side_by_side(job: Job, rows: list[RatesRow]) -> list[dict[str, object]]:
    questions = schemas.read(job.by_address("questions")[rows[0].questions], schemas.Questions)
    chosen = questions[questions["split"].eq("test")].groupby("category", sort=False).head(job.recipe.examples_per_category)
    said = [_first_samples(job, row) for row in rows]
    return [
        {
            "category": question.category,
            "prompt": question.prompt,
            "answers": [of.loc[question.question_id].to_dict() for of in said],
        }
        for question in chosen.itertuples()
    ]


def _first_samples(job: Job, row: RatesRow) -> pd.DataFrame:
    """Sample 0 of every question with its scores, by question."""
    scores = job.by_address("scores")
    answers_of = dict(zip(job.addresses["scores"], job.inputs["answers"], strict=True))
    score = schemas.read(scores[row.scores[0]], schemas.Scores)
    answer = schemas.read(answers_of[row.scores[0]], schemas.Answers)
    both = answer[["question_id", "sample", "text"]].merge(score, on=["question_id", "sample"])
    return both[both["sample"].lt(N_SAMPLES_SHOWN)].set_index("question_id")


def percent(share: float | None) -> str:
    """`12.3`, or a dash where there is no number."""
    return "–" if share is None or pd.isna(share) else f"{100 * share:.1f}"


def points(value: float | None) -> str:
    """`87`, or a dash where there is no number."""
    return "–" if value is None or pd.isna(value) else f"{value:.0f}"
