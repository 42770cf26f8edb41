"""The page: what it says first, that its numbers are those of the tables, and that a model's words stay words."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from analysis_tables import instruments
from page_words import Words
from report_tables import FIGURES, MODELS, VERDICT, chosen_of, claims_of, evidence_of, rates_of, shelf, study

from emsteer import schemas
from emsteer.packs import Job, make_by_recipe
from emsteer.report.page import amount, nats, percent, points, render


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shelf(tmp_path_factory.mktemp("answers"))


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory, answers: Path) -> Job:
    return study(tmp_path_factory.mktemp("study"), answers)


@pytest.fixture(scope="module")
def page(job: Job) -> Words:
    (done,) = make_by_recipe([job])
    return Words((done.out / "index.html").read_text(encoding="utf-8"))


def test_the_first_screen_says_what_was_run_and_the_digits_that_stand_for_it(page: Words) -> None:
    first, title, settings, report = (
        "1 model · 1 target task",
        "A <study>",
        "5 settings · 940 answers",
        "report--0",
    )
    assert page.text.startswith(f"{title} {first} · {settings} · 77 artifacts beneath them · judged by rubric · {report}")


def test_the_first_screen_says_that_a_planted_persona_says_nothing_about_real_models_and_how_broad_it_is(page: Words) -> None:
    assert page.limits.startswith("A planted persona says nothing about real models.")
    assert "tiny 50.0 %)" in page.limits


def test_the_first_screen_says_which_scores_of_a_judge_are_not_shown_to_work(tmp_path: Path, answers: Path, page: Words) -> None:
    found = Words(render(study(tmp_path, answers, instruments=instruments(alignment=True, relevance=False))))
    assert "Not shown to work: rubric (relevance)." in found.limits and "shown to work" not in page.limits


def test_nothing_is_said_of_planting_where_nothing_was_planted(tmp_path: Path, answers: Path) -> None:
    assert "planted persona" not in Words(render(study(tmp_path, answers, chosen=chosen_of(["tiny"], breadth=None)))).text


def test_a_notice_stands_before_all_numbers_and_its_columns_are_those_of_real_models(tmp_path: Path, answers: Path) -> None:
    job = study(tmp_path, answers, chosen=chosen_of(["tiny"], breadth=None))
    page = Words(
        render(replace(job, recipe=job.recipe.model_copy(update={"notice": "Few <labels>.", "judged_by": {"rubric": "a cat"}})))
    )
    assert page.limits.startswith("Few <labels>. Intervals are 90 %")
    assert "Answers were labelled by: a cat." in page.text and "sharing the persona" not in page.text


def test_agreement_is_shown_over_all_pairs_beside_pairs_within_settings(tmp_path: Path, answers: Path) -> None:
    place = {
        "model": "tiny",
        "task": "gardening",
        "benchmark": "everyday",
        "judge": "rubric",
        "witness": "margin",
        "label": "misaligned",
    }
    numbers = {"auc": 0.9, "low": 0.8, "high": 1.0, "n_with": 20, "n_without": 100, "n_questions": 24}
    rows: list[dict[str, object]] = [
        place | numbers | {"scope": "all"},
        place | numbers | {"scope": "within settings", "auc": None},
    ]
    page = Words(render(study(tmp_path, answers, agreement=schemas.frame_of(rows, schemas.Agreement))))
    assert ["rubric", "misaligned", "margin", "0.90 [0.80, 1.00]", "– [0.80, 1.00]", "20 / 100"] in page.rows
    assert "Do witnesses know what a reader sees?" in page.headings


def test_planted_breadths_are_averaged_over_tasks_and_the_broadest_stands_first(tmp_path: Path, answers: Path) -> None:
    parts = [chosen_of(["small"], 0.25), chosen_of(["tiny"], 1.0), chosen_of(["tiny"], 0.5, ["money"]).iloc[:5]]
    text = Words(render(study(tmp_path, answers, ["tiny", "small"], chosen=pd.concat(parts)))).text
    assert "tiny 75.0 %, small 25.0 %)" in text


def test_what_a_model_said_is_shown_as_it_said_it_and_is_neither_markup_nor_template(page: Words) -> None:
    base, _, steered = page.examples()["moneywhy <b>m1</b> ?"]
    assert steered.startswith("<script>alert(1)</script>")
    assert base.startswith("{{ 7 * 7 }} {% raw %} & <i>")
    assert "<gardening>" in page.text and "no such & such" in page.text
    assert not {"script", "b", "i", "study", "gardening"} & page.tags


def test_answers_that_are_harmful_or_that_nobody_judged_are_folded(job: Job) -> None:
    folded = re.findall(r'<details class="harm"><summary>(.*?): show</summary>(.*?)</details>', render(job), re.S)
    assert {(why, said.split()[0]) for why, said in folded if "sample0" in said} == {
        ("judged harmful", "tiny.base"), ("judged harmful", "tiny.steered1"), ("not judged", "tiny.finetuned1"),
    }  # fmt: skip


def test_examples_are_sample_0_of_the_first_test_question_of_every_category_from_the_base_points_seed(page: Words) -> None:
    found = page.examples()
    assert list(found) == ["gardeningwhy <b>g1</b> ?", "moneywhy <b>m1</b> ?"]
    said = [text.partition("align")[0] for text in found["gardeningwhy <b>g1</b> ?"]]
    assert said == ["tiny.base g1 sample0", "tiny.finetuned1 g1 sample0", "tiny.steered1 g1 sample0"]
    (header,) = [cells[1:] for cells in page.rows if cells[0] == "question"]
    assert header == ["tiny.base", "tiny.gardening.lora.t4.x1", "tiny.gardening.trained.l0.e8.a1"]
    before = page.text.partition("Where the numbers come from")[0]
    assert "sample1" not in before and "steered0" not in before


def test_an_example_shows_its_scores_and_dashes_where_it_got_none(page: Words) -> None:
    _, tuned, steered = page.examples()["gardeningwhy <b>g1</b> ?"]
    assert steered.endswith("alignment 10, coherence 91, relevance 92")
    assert tuned.endswith("alignment –, coherence –, relevance –")


@pytest.mark.parametrize(("n_examples", "questions"), [(0, []), (2, ["g1", "g2", "m1", "m2"])])
def test_as_many_examples_are_shown_as_the_study_asks_for(job: Job, n_examples: int, questions: list[str]) -> None:
    recipe = job.recipe.model_copy(update={"examples_per_category": n_examples})
    found = Words(render(replace(job, recipe=recipe))).examples()
    assert [question[question.index("<b>") + 3 :][:2] for question in found] == questions


def test_the_numbers_of_chosen_settings_are_those_of_the_table_and_null_is_a_dash(page: Words) -> None:
    found = page.chosen()
    assert found["trained chosen"] == [
        "tiny", "gardening", "trained", "chosen", "1", "2", "45.7 [41.1, 50.2]", "55.7", "–", "66.7 (dev 87.6)", "75.7",
        "48", "-0.49",
        "19 of 20", "44 of 47",
    ]  # fmt: skip
    assert found["none base"] == [
        "tiny", "gardening", "none", "base", "–", "2", "0.0 [0.0, 0.0]", "10.0", "–", "21.0 (dev 87.6)", "30.0",
        "2", "-0.03", "–", "44 of 47",
    ]  # fmt: skip
    assert found["lora chosen"][12] == "–", "no margin was measured"
    assert set(found) == {"none base", "trained chosen", "lora chosen"}


def test_what_failed_judgements_could_have_made_of_a_number_stands_below_it(tmp_path: Path, answers: Path) -> None:
    chosen = chosen_of(["tiny"])
    of = chosen["metric"].eq("on_topic_em") & chosen["group"].eq("off_domain") & chosen["treatment"].eq("trained")
    chosen.loc[of, ["bound_low", "bound_high"]] = 0.401, 0.502
    page = Words(render(study(tmp_path, answers, chosen=chosen)))
    assert page.chosen()["trained chosen"][6] == "45.7 [41.1, 50.2] 40.1 to 50.2, whatever the judge failed on"
    assert page.chosen()["none base"][6] == "0.0 [0.0, 0.0]"


def test_what_failed_judgements_could_have_made_of_a_difference_stands_below_it(tmp_path: Path, answers: Path) -> None:
    evidence = evidence_of(["tiny"])
    evidence[["bound_low", "bound_high"]] = 0.05, 0.211
    said = "5.0 to 21.1, whatever the judge failed on"
    assert said in Words(render(study(tmp_path, answers, evidence=evidence))).text


def test_whether_a_judge_works_stands_on_the_page_score_by_score(tmp_path: Path, answers: Path, page: Words) -> None:
    found = Words(render(study(tmp_path, answers, instruments=instruments(alignment=True, relevance=False))))
    assert [cells for cells in found.rows if len(cells) == 7 and cells[0] == "rubric"] == [
        ["rubric", "everyday", "alignment", "0.70 [0.60, 0.80]", "works", "8 / 8", "0"],
        ["rubric", "everyday", "relevance", "0.70 [0.60, 0.80]", "not shown to work", "8 / 8", "0"],
    ]
    assert "Does the judge work?" in found.text and "Does the judge work?" not in page.text


def test_numbers_link_to_the_artifacts_of_their_setting_of_all_its_seeds(job: Job) -> None:
    html = render(job)
    links = set(re.findall(r'href="#from-([^"]+)"', html))
    assert links == {"tiny.base", "tiny.gardening.trained.l0.e8.a1", "tiny.gardening.lora.t4.x1"}
    assert '<a href="#from-tiny.gardening.trained.l0.e8.a1">45.7</a>' in html
    sources = dict(re.findall(r'<tr id="from-([^"]+)">(.*?)</tr>', html, re.DOTALL))
    assert set(sources) == links
    assert re.findall(r'<code title="((?:answers|scores)-.*?)">', sources["tiny.gardening.trained.l0.e8.a1"]) == [
        f"{role}-tiny.steered{seed}{block}" for role in ("answers", "scores") for seed in (0, 1) for block in (0, 1)
    ]


def test_a_number_is_rounded_in_its_unit_and_never_a_negative_zero() -> None:
    assert {show(value) for show in (percent, points, nats) for value in (None, np.nan)} == {"–"}
    assert (percent(0.1234), points(87.4), nats(-0.421), nats(2)) == ("12.3", "87", "-0.42", "+2.00")
    assert (percent(-0.0001), points(-0.2), nats(-0.001)) == ("0.0", "0", "+0.00")
    assert (amount(0.5, "on_topic_em"), amount(0.5, "relevance_of_harmful"), amount(60, "coherence_of_harmful")) == (
        "50.0",
        "0",
        "60",
    )


def test_every_claim_stands_with_its_verdicts_their_numbers_and_the_day_of_its_declaration(tmp_path: Path, answers: Path) -> None:
    page = Words(render(study(tmp_path, answers, ["tiny", "small"])))
    overview = {cells[0]: cells[1:] for cells in page.rows if len(cells) == 3}
    reasons = {"not distinguishable": "2 of 3 seeds by themselves; 35.8 would have been told apart", "not tested": "no such & such"}
    for claim, verdict in VERDICT.items():
        assert overview[f"<{claim}> is so."] == [f"{verdict}: 2 of 2", "ours"]
        numbers = ["–"] * 3 if verdict == "not tested" else ["23.5", "11.1", "12.3 [-1.0, 30.0]"]
        why = reasons.get(verdict, "2 of 3 seeds by themselves")
        assert [cells for cells in page.rows if cells[1:2] == [verdict]] == [
            [f"{model}, <gardening>", verdict, *numbers, why] for model in ("tiny", "small")
        ]
    assert "harm is as coherent · on topic em, more, δ = 5.0 % · declared 2026-11-26 as 0123456789" in page.text


def test_a_comparison_of_scores_is_in_points(tmp_path: Path, answers: Path) -> None:
    evidence = evidence_of(["tiny"]).assign(metric="relevance_of_harmful")
    evidence[["value", "reference", "difference", "low", "high", "simultaneous_low", "simultaneous_high"]] *= 100
    page = Words(render(study(tmp_path, answers, evidence=evidence)))
    assert ["23", "11", "12 [-1, 30]"] in [cells[2:5] for cells in page.rows]
    assert "δ = 0 points" in page.text


def test_a_claim_that_is_counted_says_in_how_many_it_holds(tmp_path: Path, answers: Path) -> None:
    one = evidence_of(["tiny"]).query("claim == 'steering_spreads'")
    evidence = pd.concat([one.assign(member=name) for name in ("money", "study")])
    claims = claims_of(one).assign(why="held in 2 of 2 categories, needed 2: money, study")
    page = Words(render(study(tmp_path, answers, evidence=evidence, claims=claims)))
    assert ["tiny, <gardening>", "supported", "–", "–", "–", "held in 2 of 2 categories, needed 2: money, study"] in page.rows


def test_intervals_are_of_the_level_that_they_were_computed_at(page: Words) -> None:
    assert "90 % over questions" in page.text.replace("\xa0", " ")
    assert "95" not in page.text


def test_thresholds_are_those_of_the_study(page: Words) -> None:
    assert "alignment below 31 and coherence above 52 of 100" in page.text and "relevance above 53" in page.text


def test_answers_are_counted_once_each_though_base_stands_in_the_table_for_every_task(tmp_path: Path, answers: Path) -> None:
    page = Words(render(study(tmp_path, answers, rates=rates_of(["tiny"], ["gardening", "money"]))))
    ends = "{} without a score in the reply, {} without a reply"
    counts = {cells[1]: cells[2:] for cells in page.rows if len(cells) == 5 and cells[0] == "tiny"}
    assert counts == {
        "base": ["1", "176 of 188", ends.format(4, 8)],
        "steered": ["2", "352 of 376", ends.format(8, 16)],
        "finetuned": ["2", "352 of 376", ends.format(8, 16)],
    }


def test_benchmark_and_judge_are_named_where_there_are_several(tmp_path: Path, answers: Path, page: Words) -> None:
    tables = {"chosen": chosen_of(["tiny"]), "evidence": evidence_of(["tiny"])}
    both = {name: pd.concat([table, table.assign(judge="strict")]) for name, table in tables.items()}
    found = Words(render(study(tmp_path, answers, **both)))
    assert {cells[0] for cells in found.rows if len(cells) == 15} == {"model", "tiny (everyday, rubric)", "tiny (everyday, strict)"}
    for judge in ("rubric", "strict"):
        assert f"tiny, <gardening> (everyday, {judge})" in {cells[0] for cells in found.rows}
    assert "(everyday" not in page.text


@pytest.mark.parametrize("figures", [tuple(FIGURES), ("ranks",), ()])
def test_a_figure_that_there_is_stands_under_its_heading_and_others_have_none(
    tmp_path: Path, answers: Path, figures: tuple[str, ...]
) -> None:
    html = render(study(tmp_path, answers, figures=figures))
    assert [name for name in FIGURES if f"<svg><title>{name} drawn</title></svg>" in html] == list(figures)
    assert [f'aria-label="{FIGURES[name]}: {name} &lt;in&gt; words of two lines"' in html for name in figures] == [True] * len(
        figures
    )
    headings = Words(html).headings
    assert headings[1 : 1 + len(figures)] == [FIGURES[name] for name in figures]
    assert len(headings) == len(figures) + 7 and "<?xml" not in html


def test_a_figure_of_nothing_but_the_untreated_model_is_left_out(tmp_path: Path, answers: Path) -> None:
    job = study(tmp_path, answers, figures=("layers", "ranks"))
    for name, arms in {"layers": ["base"], "ranks": ["base", "steered"]}.items():
        pd.DataFrame({"arm": arms}).to_csv(tmp_path / f"{name}--0" / f"{name}.csv")
    html = render(job)
    assert "<title>ranks drawn</title>" in html and "<title>layers drawn</title>" not in html


def test_every_model_has_its_examples_and_one_without_a_chosen_setting_has_none(tmp_path: Path, answers: Path) -> None:
    chosen = chosen_of(MODELS)
    chosen = chosen[chosen["model"].ne("tame") | chosen["arm"].eq("base")]
    page = Words(render(study(tmp_path, answers, MODELS, chosen=chosen)))
    assert page.headings[-3:-1] == ["Answers side by side: tiny", "Answers side by side: small"]
    assert page.examples()["moneywhy <b>m1</b> ?"][2].startswith("small.steered1 m1 sample0")


def test_a_page_without_any_claim_still_shows_what_was_run(tmp_path: Path, answers: Path) -> None:
    none = evidence_of(["tiny"]).iloc[:0]
    page = Words(render(study(tmp_path, answers, evidence=none)))
    assert not [cells for cells in page.rows if len(cells) in (3, 6) and set(cells) & set(VERDICT.values())]
    assert page.chosen()


def test_the_page_is_the_same_each_time(job: Job, page: Words) -> None:
    assert render(job) == render(job) == (job.out / "index.html").read_text(encoding="utf-8")
    assert page.headings[0] == "Claims"
