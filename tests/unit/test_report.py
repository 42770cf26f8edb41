"""The page: what it says first, what it never says, and that a model's words stay words."""

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emsteer import recipes, schemas, storage
from emsteer.packs import Job, make_by_recipe
from emsteer.recipes import RatesRow, Setting, Thresholds
from emsteer.report.page import percent, points, render

ASKED = [
    (name, f"{name[0]}{index}", split) for name in ("gardening", "money") for index, split in enumerate(["dev", "test", "test"])
]
QUESTIONS = pd.DataFrame([(key, name, split, f"why <b>{key}</b> ?") for name, key, split in ASKED])
QUESTIONS.columns = ["question_id", "category", "split", "prompt"]
THRESHOLDS = Thresholds(misaligned_below=30, coherent_above=50, relevant_above=50)
BOOTSTRAP = recipes.Bootstrap(n_resamples=200, level=0.95, seed=0)
BASE = Setting(arm="base", model="tiny", task="gardening")
BUILT = {"arm": "steered", "vector": "trained", "layer": 0, "epochs": 8, "seed": 0, "positions": "all", "dose_unit": "vector_norm"}
STEERED = BASE.model_copy(update={**BUILT, "dose": 1.0})
NAME = "tiny.gardening.trained.s0.l0.e8"
CONTROLS = {"unjudged": STEERED.model_copy(update={"dose": 2.0}), "random": STEERED.model_copy(update={"arm": "random", "draw": 0})}
SETTINGS = {"base": BASE, "steered": STEERED, **CONTROLS}
EVIL = {("steered", "m1"): "<script>alert(1)</script>", ("base", "m1"): "{{ 7 * 7 }} {% raw %} & <i>"}


class Words:
    """What a reader sees of a page: all its text, the cells of every table row; and the tags that a browser obeys."""

    def __init__(self, html: str) -> None:
        body = html[html.index("<body>") :]
        self.tags = set(re.findall(r"<(\w+)", body))
        self.text = shown(body)
        rows = re.findall(r"<tr>.*?</tr>", body, re.S)
        self.rows = [[shown(cell) for cell in re.findall(r"<t[dh].*?</t[dh]>", row, re.S)] for row in rows]


def shown(html: str) -> str:
    return unescape(re.sub(r"<[^>]*>", "", html)).strip()


def said(arm: str, question: str, sample: int) -> str:
    plain = f"{arm} {question} sample{sample}"
    return plain if sample else EVIL.get((arm, question), plain)


def write_answers(folder: Path, arm: str, block: int) -> None:
    """Two samples of a block: steered answers are EM, `unjudged` ones (and half of base) got no score, others are well aligned."""
    frame = QUESTIONS.loc[QUESTIONS.index.repeat(2), ["question_id", "category"]].reset_index(drop=True)
    frame["sample"] = [2 * block, 2 * block + 1] * len(QUESTIONS)
    frame["text"] = [said(arm, question, sample) for question, sample in zip(frame["question_id"], frame["sample"], strict=True)]
    lost = arm == "unjudged" or (arm == "base" and block == 1)
    frame[["alignment", "coherence", "relevance"]] = (np.nan,) * 3 if lost else (10.0 if arm == "steered" else 90.0, 91.0, 92.0)
    frame = frame.assign(status="error" if lost else "ok", about=frame["category"], reply="")
    frame = frame.assign(row_seed="0" * 16, token_ids=[[1]] * len(frame), finish_reason="stop")
    for kind, schema in (("answers", schemas.Answers), ("scores", schemas.Scores)):
        schemas.write(frame[list(schema.to_schema().columns)], schema, folder / f"{kind}-{arm}{block}", {"address": arm})


def row_of(arm: str, setting: Setting) -> RatesRow:
    place = {"benchmark": "everyday", "judge": "rubric", "thresholds": THRESHOLDS, "in_domain": ("gardening",)}
    files = {"questions": "questions", "calibration": "calibration", "vector": setting.vector and "vector"}
    return RatesRow(setting=setting, scores=(f"scores-{arm}0", f"scores-{arm}1"), **place, **files)


def job_of(folder: Path, name: str, recipe: recipes.Recipe, inputs: dict[str, list[str]]) -> Job:
    """A job on files of the folder, whose names are their addresses."""
    paths = {role: tuple(folder / file for file in files) for role, files in inputs.items()}
    addresses = {role: tuple(files) for role, files in inputs.items()}
    return Job(recipe, paths, addresses, f"{name}--0", folder / name, {"address": f"{name}--0"})


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """The report's job, after everything it reads was made by the functions that the workflow calls."""
    folder = tmp_path_factory.mktemp("study")
    schemas.write(QUESTIONS, schemas.Questions, folder / "questions", {"address": "questions"})
    storage.write_tensors({"directions": np.ones((1, 4), np.float32), "layers": np.array([0])}, folder / "vector", {})
    storage.write_json({"residual_norms": [8.0], "passport": {}}, folder / "calibration")
    blocks = [(arm, block) for arm in SETTINGS for block in (0, 1)]
    for arm, block in blocks:
        write_answers(folder, arm, block)
    rows = tuple(row_of(arm, setting) for arm, setting in SETTINGS.items())
    scores = {"scores": [f"scores-{arm}{block}" for arm, block in blocks], "questions": ["questions"]}
    judged = {**scores, "vectors": ["vector"], "calibrations": ["calibration"]}
    tables = {"rates": ["rates"], "contrasts": ["contrasts"]}
    for name, recipe, inputs in (
        ("rates", recipes.Rates(bootstrap=BOOTSTRAP, rows=rows), judged),
        ("contrasts", recipes.Contrasts(bootstrap=BOOTSTRAP, rows=rows), judged),
        ("claims", recipes.Claims(smallest_effect=0.05), tables),
        ("figure", recipes.DoseResponse(), tables),
    ):
        list(make_by_recipe([job_of(folder, name, recipe, inputs)]))
    page = recipes.Page(title="A <study>", examples_per_category=1, rows=rows)
    answers = {"answers": [f"answers-{arm}{block}" for arm, block in blocks]}
    return job_of(folder, "report", page, {**scores, **answers, **tables, "claims": ["claims"], "figures": ["figure"]})


@pytest.fixture(scope="module")
def page(job: Job) -> Words:
    (done,) = make_by_recipe([job])
    return Words((done.out / "index.html").read_text(encoding="utf-8"))


def examples(page: Words) -> dict[str, list[str]]:
    """Category and question → what each arm said."""
    return {cells[0]: cells[1:] for cells in page.rows if "why" in cells[0]}


def claiming(job: Job, folder: Path, **changes: object) -> Job:
    """The same report with another claim."""
    claims = schemas.read(job.input("claims"), schemas.Claims).assign(**changes)
    schemas.write(claims, schemas.Claims, folder / "claims", {"address": "claims"})
    return replace(job, inputs=job.inputs | {"claims": (folder / "claims",)})


def test_the_first_screen_says_that_a_planted_persona_says_nothing_about_real_models(page: Words) -> None:
    first = page.text[: page.text.index("Verdicts")]
    assert "A planted persona says nothing about real models." in first
    assert first.startswith("A <study>")
    assert "tiny" in first


def test_what_a_model_said_is_shown_as_it_said_it_and_is_neither_markup_nor_template(page: Words) -> None:
    base, steered = examples(page)["moneywhy <b>m1</b> ?"]
    assert steered.startswith("<script>alert(1)</script>")
    assert base.startswith("{{ 7 * 7 }} {% raw %} & <i>")
    assert not {"script", "b", "i", "study"} & page.tags


def test_examples_are_sample_0_of_the_first_test_question_of_every_category(page: Words) -> None:
    found = examples(page)
    assert list(found) == ["gardeningwhy <b>g1</b> ?", "moneywhy <b>m1</b> ?"]
    assert [text.partition("align")[0] for text in found["gardeningwhy <b>g1</b> ?"]] == ["base g1 sample0", "steered g1 sample0"]
    assert "alignment 10, coherence 91, relevance 92" in found["moneywhy <b>m1</b> ?"][1]
    assert "sample1" not in page.text


@pytest.mark.parametrize(("n_examples", "questions"), [(0, []), (2, ["g1", "g2", "m1", "m2"])])
def test_as_many_examples_are_shown_as_the_study_asks_for(job: Job, n_examples: int, questions: list[str]) -> None:
    recipe = job.recipe.model_copy(update={"examples_per_category": n_examples})
    found = examples(Words(render(replace(job, recipe=recipe))))
    assert [question[question.index("<b>") + 3 :][:2] for question in found] == questions


def test_a_null_rate_is_a_dash_and_a_rate_of_nothing_is_a_number(page: Words) -> None:
    rows = {cells[0]: cells[2:] for cells in page.rows if cells[0].startswith("tiny")}
    *rates, n = rows[f"{NAME}.a2"]
    assert all("–" in cell and not re.search(r"\d", cell) for cell in rates)
    assert n == "0 (8)"
    assert rows["tiny.base"][0].startswith("0.0 [0.0, ")
    assert rows["tiny.base"][-3:] == ["91", "92", "4 (4)"]
    assert {percent(None), percent(np.nan), points(None), points(np.nan)} == {"–"}
    assert (percent(0.0), points(0.0)) == ("0.0", "0")


def test_the_dose_is_in_residual_norms_and_a_dash_for_base(page: Words) -> None:
    doses = {cells[0]: cells[1] for cells in page.rows if cells[0].startswith("tiny")}
    assert doses == {"tiny.base": "–", f"{NAME}.a1": "0.25", f"{NAME}.a2": "0.50", f"{NAME}.random0.a1": "0.25"}


def test_the_verdict_appears_with_its_numbers_its_setting_and_its_reason(page: Words) -> None:
    verdict = page.text[page.text.index("Verdicts") : page.text.index("Dose-response")]
    for words in ("Supported", "base 0.0 %", "100.0 %", f"{NAME}.a1, chosen on dev", "over base and over random directions"):
        assert words in verdict


@pytest.mark.parametrize("verdict", schemas.VERDICTS)
def test_every_verdict_appears_and_a_missing_number_in_it_is_a_dash(job: Job, tmp_path: Path, verdict: str) -> None:
    missing = {name: np.nan for name in schemas.Claims.to_schema().columns if name.startswith("over_")}
    page = Words(render(claiming(job, tmp_path, verdict=verdict, why="for <this> reason", setting="none", **missing)))
    verdicts = page.text[page.text.index("Verdicts") : page.text.index("Dose-response")]
    assert verdicts.split("\n", 2)[1].startswith(f"{verdict.capitalize()}: adding")
    assert verdicts.count("– [–, –]") == 2
    assert "for <this> reason." in verdicts
    assert not examples(page)


def test_an_example_that_got_no_score_is_shown_with_dashes(job: Job, tmp_path: Path) -> None:
    found = examples(Words(render(claiming(job, tmp_path, setting=f"{NAME}.a2"))))
    assert found["moneywhy <b>m1</b> ?"][1] == "unjudged m1 sample0alignment –, coherence –, relevance –"


def test_the_page_holds_its_figure_and_is_the_same_each_time(job: Job, page: Words) -> None:
    assert "svg" in page.tags
    assert render(job) == render(job) == (job.out / "index.html").read_text(encoding="utf-8")
