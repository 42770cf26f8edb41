"""Rates corrected by labels: against another program, against the truth over many draws, and refused where labels do not reach."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from planning import miniature, moved, resolved, slugs, without_elicitations
from report_tables import shelf, study

from emsteer import schemas
from emsteer.analysis import estimates
from emsteer.analysis.corrected import rows
from emsteer.report.page import render

CATEGORIES = ["health", "money", "travel", "sport"]
# Printed with ppi-python 0.2.3 (pip install ppi-python==0.2.3), of the answers that `drawn(seed=3)` makes; Y and f are label and
# judgement of labelled questions, u the judgement of all others:
#   ppi_py.ppi_mean_pointestimate(Y, f, u, lam=len(u) / (len(u) + len(Y)))
#   ppi_py.ppi_mean_ci(Y, f, u, lam=..., alpha=0.05)
PPI = {"value": 0.275, "half": 0.09792160820379214}


def drawn(
    n_questions: int = 200, n_labelled: int = 40, n_samples: int = 1, *, rate: float = 0.3, miss: float = 0.3, seed: int = 0
) -> pd.DataFrame:
    """Judged by `llm`, which misses harm and calls a tenth of what is harmless harmful, and in some questions by `blind`."""
    rng = np.random.default_rng(seed)
    of_question = np.clip(rng.normal(rate, 0.2, n_questions), 0, 1) if n_samples > 1 else np.full(n_questions, rate)
    n = n_questions * n_samples
    truth = rng.random(n) < np.repeat(of_question, n_samples)
    called = np.where(truth, rng.random(n) > miss, rng.random(n) < 0.1)
    of = np.repeat(np.arange(n_questions), n_samples)
    frame = pd.DataFrame(
        {
            "model": "m", "task": "gardening", "benchmark": "everyday", "setting": "m.steered", "split": "test", "arm": "steered",
            "question_id": [f"q{index}" for index in of], "sample": np.tile(range(n_samples), n_questions),
            "category": [CATEGORIES[index % 4] for index in of], "relation": "off_domain", "judged": True,
        }
    )  # fmt: skip
    has_label = (of < n_labelled) & frame["sample"].eq(0)
    read = frame.assign(judge="blind", em=truth, on_topic_em=truth)[has_label]
    return pd.concat([frame.assign(judge="llm", em=called, on_topic_em=called), read], ignore_index=True)


def found(answers: pd.DataFrame) -> pd.DataFrame:
    table = schemas.frame_of(list(rows(answers, ["blind"], 0.95)), schemas.Corrected)
    return schemas.check(table, schemas.Corrected, "here").set_index(["setting", "group", "metric"])


def one(answers: pd.DataFrame) -> pd.Series:
    return found(answers).loc[("m.steered", "off_domain", "em")]


def test_with_one_answer_a_question_it_is_the_estimate_of_ppi_python() -> None:
    row = one(drawn(seed=3))
    assert row["value"] == pytest.approx(PPI["value"], abs=1e-12)
    half = (row["high"] - row["low"]) / 2
    assert PPI["half"] < half < 1.06 * PPI["half"], "Student's t and n - 1, for the normal and n"
    assert (row["n"], row["n_labelled"], row["n_labelled_questions"]) == (200, 40, 40)
    assert row["bias"] == pytest.approx((row["n_judge_only"] - row["n_reader_only"]) / 40)
    assert row["value"] == pytest.approx(row["judge_value"] - row["bias"])


@pytest.mark.parametrize(("n_samples", "rate", "miss"), [(1, 0.05, 0.2), (4, 0.3, 0.5)])
def test_its_interval_holds_the_truth_as_often_as_it_says_and_the_judges_own_rate_does_not(
    n_samples: int, rate: float, miss: float
) -> None:
    many = [drawn(120, 32, n_samples, rate=rate, miss=miss, seed=seed).assign(setting=f"m.{seed}") for seed in range(100)]
    table = found(pd.concat(many)).xs("em", level="metric")
    truth = rate if n_samples == 1 else float(np.clip(np.random.default_rng(0).normal(rate, 0.2, 100_000), 0, 1).mean())
    covered = (table["low"].le(truth) & table["high"].ge(truth)).mean()
    assert covered >= 0.92, f"{covered:.3f}"
    off, left = (table[name].mean() - truth for name in ("judge_value", "value"))
    assert abs(off) > 0.015 and abs(left) < 0.35 * abs(off), (off, left)


def test_a_good_judge_makes_labels_worth_more() -> None:
    good, coin = drawn(400, 40, seed=1, miss=0.05), drawn(400, 40, seed=1)
    llm = coin["judge"].eq("llm")
    coin.loc[llm, "em"] = np.random.default_rng(0).random(int(llm.sum())) < 0.5
    widths = [row["high"] - row["low"] for row in (one(good), one(coin))]
    alone = one(good)["reader_high"] - one(good)["reader_low"]
    assert widths[0] < 0.85 * alone and widths[0] < 0.7 * widths[1]


def test_where_everything_is_labelled_it_is_the_readers_rate_and_where_nobody_differs_doubt_is_left() -> None:
    everything = one(drawn(60, 60))
    assert everything["value"] == pytest.approx(everything["reader_value"])
    same = drawn(200, 20)
    truth = same[same["judge"].eq("llm")].set_index("question_id")["em"]
    same.loc[same["judge"].eq("blind"), "em"] = same["question_id"].map(truth)
    row = one(same)
    assert row["value"] == row["judge_value"] and row["bias"] == row["n_judge_only"] == row["n_reader_only"] == 0
    seen = estimates.at_most(np.zeros(1), np.full(1, 20.0), 0.025)[0]
    assert row["bias_high"] == -row["bias_low"] == pytest.approx(seen) and row["high"] >= row["value"] + seen
    nobody = one(same.assign(em=False))
    assert (nobody["value"], nobody["low"]) == (0, 0) and nobody["high"] == pytest.approx(seen), "not sure of zero"


def test_answers_to_one_question_are_no_independent_answers() -> None:
    answers = drawn(80, 24)
    copies = pd.concat([answers.assign(sample=index) for index in range(5)])
    numbers = ["value", "low", "high", "bias_low", "bias_high", "judge_value"]
    assert one(answers)[numbers].astype(float).tolist() == pytest.approx(one(copies)[numbers].astype(float).tolist())


def test_categories_count_as_in_the_judges_rate_however_many_of_them_were_labelled() -> None:
    answers = drawn(200, 200)
    rare = answers["category"].eq("health")
    answers.loc[rare & answers["judge"].eq("llm"), "em"] = False  # blind in one category
    labels = answers["judge"].eq("blind") & (rare | answers["question_id"].isin([f"q{index}" for index in range(40)]))
    row = one(answers[answers["judge"].eq("llm") | labels])
    assert row["n_labelled"] == 50 + 30
    read = answers[labels].merge(answers[answers["judge"].eq("llm")], on="question_id", suffixes=("", "_llm"))
    apart = read["em_llm"].astype(float) - read["em"].astype(float)
    by_hand = apart.groupby(read["category"]).mean().mean()  # categories are of one size
    assert row["bias"] == pytest.approx(by_hand) and abs(apart.mean() - by_hand) > 0.05


def test_labels_correct_the_setting_they_were_given_in_and_no_other() -> None:
    answers = drawn()
    other = answers[answers["judge"].eq("llm")].assign(setting="m.finetuned", arm="finetuned")
    few = drawn(n_labelled=9).assign(setting="m.few")
    partly = drawn(n_labelled=60).assign(setting="m.partly")
    partly = partly[partly["judge"].eq("llm") | ~partly["category"].isin(["sport", "money"])]
    table = found(pd.concat([answers, other, few, partly])).xs("em", level="metric").xs("off_domain", level="group")
    assert table["refused"].fillna("").to_dict() == {
        "m.steered": "", "m.finetuned": "no answer labelled", "m.few": "fewer than 10 labelled questions",
        "m.partly": "nothing labelled of: money, sport",
    }  # fmt: skip
    refused = table.drop("m.steered")
    assert refused[["value", "low", "high", "bias", "reader_value"]].isna().all(axis=None)
    assert refused["judge_value"].notna().all() and table.loc["m.steered", "value"] > 0


def test_in_domain_and_off_domain_answers_are_corrected_apart_and_readers_correct_no_reader() -> None:
    answers = drawn()
    answers["relation"] = np.where(answers["category"].eq("money"), "in_domain", "off_domain")
    second = answers[answers["judge"].eq("blind")].assign(judge="second")
    table = schemas.frame_of(list(rows(pd.concat([answers, second]), ["blind", "second"], 0.95)), schemas.Corrected)
    assert set(zip(table["judge"], table["reader"], strict=True)) == {("llm", "blind"), ("llm", "second")}
    of = table[table["reader"].eq("blind")].set_index(["group", "metric"])
    assert list(of.index) == [("off_domain", "on_topic_em"), ("off_domain", "em"), ("in_domain", "em")]
    assert of["n"].tolist() == [150, 150, 50] and of["n_labelled"].tolist() == [30, 30, 10]


def test_it_is_made_where_a_reader_and_another_judge_are() -> None:
    raw = without_elicitations(miniature())
    read = {
        "kind": "labels",
        "file": "data/rubrics/alignment.txt",
        "by": "a reader",
        "thresholds": raw["judges"]["rubric"]["thresholds"],
    }
    before = resolved(raw)
    raw["judges"]["again"] = raw["judges"]["rubric"] | {"relevance": {"n_dimensions": 9, "n_background": 200}}
    assert "corrected" not in slugs(moved(before, resolved(raw))["tables"])
    raw["judges"] = {"rubric": raw["judges"]["rubric"], "mine": {**read, "topics": None, "sample": None}}
    added = moved(before, resolved(raw))
    assert "corrected" in slugs(added["tables"]) and "answers" not in added
    raw["judges"] = {"mine": raw["judges"]["mine"], "yours": raw["judges"]["mine"]}
    assert "corrected" not in slugs(moved(before, resolved(raw))["tables"])


def test_the_page_shows_corrected_rates_and_says_how_many_settings_have_none(tmp_path: Path) -> None:
    answers = drawn(seed=3)
    other = answers[answers["judge"].eq("llm")].assign(setting="m.finetuned", arm="finetuned")
    table = found(pd.concat([answers, other])).reset_index()
    folders = [tmp_path / name for name in ("shelf", "with", "without")]
    for folder in folders:
        folder.mkdir()
    shelf(folders[0])
    page = render(study(folders[1], folders[0], corrected=schemas.frame_of(table, schemas.Corrected)))
    assert "What would a reader have said?" in page and "1 setting has no labels or too few" in page
    rows_of = [re.sub(r"<[^>]*>", "", row) for row in re.findall(r"<tr>.*?</tr>", page, re.S) if "<code>m.steered</code>" in row]
    assert len(rows_of) == 2 and "27.5 [" in rows_of[1] and "40 of 200" in rows_of[1]
    assert "m.finetuned</code>" not in page
    assert "What would a reader have said?" not in render(study(folders[2], folders[0]))
