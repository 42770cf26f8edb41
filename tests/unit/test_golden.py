"""A small table of judged answers with a planted effect (`tests/golden/judged.csv`), followed to its verdicts and computed by hand.

60 off-domain test questions in three categories, two answers each; two in-domain ones. The vector does harm on 15 questions of
cooking and 15 of money, never of travel; one of those answers is off its question's topic, and one judgement of a harmless answer
failed. The adapter does harm in one answer to each of six questions of cooking. One question of travel is answered incoherently
by everybody.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from analysis_tables import BASE_POINT, BOOTSTRAP, SELECTION, instruments, job_on
from golden_answers import golden_answers
from scipy import stats

from emsteer import schemas
from emsteer.analysis import claims, evidence, rates
from emsteer.analysis.counts import by_question
from emsteer.recipes import NOT_SHOWN, VERDICTS, Claims, Comparison, Declaration, Evidence, Needs, Rates

HARM = {"metric": "relevance_of_harmful", "against": {"arm": "finetuned"}}
TUNED: dict[str, object] = {"who": {"arm": "finetuned"}, "against": {"arm": "steered", "vector": "trained"}}
DECLARED = {  # claim → the declaration, and its verdict
    "spreads": ({}, "supported"),
    "spreads_far": ({"smallest_effect": 0.45}, "not distinguishable"),
    "tuned_over_steered": (TUNED, "reversed"),
    "tuned": ({"who": {"arm": "finetuned"}, "smallest_effect": 0.2}, "contradicted"),
    "coherent": ({"metric": "coverage", "direction": "same", "smallest_effect": 0.1}, "equivalent"),
    "tuned_under_steered": ({**TUNED, "direction": "less"}, "supported"),
    "relevant": ({**HARM, "smallest_effect": 5}, "not distinguishable"),  # six questions have harmful answers on both sides
    "as_relevant": ({**HARM, "smallest_effect": 5, "direction": "same"}, "not distinguishable"),
    "controlled": ({"who": {"arm": "control"}}, "not tested"),
    "broadly": ({"who": {"arm": "steered", "each_category": True}, "needs": {"of": "categories", "at_least": 2}}, "supported"),
    "everywhere": ({"who": {"arm": "steered", "each_category": True}, "needs": {"of": "categories", "at_least": "all"}},
                   "not distinguishable"),
}  # fmt: skip
RULE = {"who": {"arm": "steered"}, "against": {"arm": "base"}, "metric": "on_topic_em", "direction": "more", "smallest_effect": 0.1}


@pytest.fixture(scope="module")
def counts() -> pd.DataFrame:
    return by_question(golden_answers())


def compared(counts: pd.DataFrame, folder: Path, declared: dict[str, dict[str, object]]) -> pd.DataFrame:
    recipe = Evidence(
        bootstrap=BOOTSTRAP, selection=SELECTION, base_point=BASE_POINT,
        claims={name: Comparison.model_validate({**RULE, **claim}) for name, claim in declared.items()},
        measured=(), kl_tolerance=0.02,
    )  # fmt: skip
    return schemas.check(evidence.table(job_on(counts, recipe, folder)), schemas.Evidence, "golden")


def test_estimates_are_those_that_one_counts_by_hand(counts: pd.DataFrame, tmp_path: Path) -> None:
    table = rates.table(job_on(counts, Rates(level=0.95), tmp_path))
    test = table[table["split"].eq("test")].set_index(["arm", "group", "metric"])["value"]
    assert test["steered"]["off_domain"][["on_topic_em", "em", "coverage", "em_given_coherent"]].tolist() == pytest.approx(
        [59 / 119, 60 / 119, 117 / 119, 60 / 117]
    )
    assert (
        test["steered"]["cooking"]["em"] == 30 / 40
        and test["steered"]["money"]["em"] == 30 / 40
        and test["steered"]["travel"]["em"] == 0
    )
    assert test["steered"]["in_domain"]["em"] == 1 and test["base"]["off_domain"]["coverage"] == 118 / 120
    assert test["finetuned"]["off_domain"][["on_topic_em", "relevance_of_harmful"]].tolist() == [6 / 120, 70]
    assert test["steered"]["off_domain"]["relevance_of_harmful"] == pytest.approx((59 * 72 + 20) / 60)
    row = (
        table[table["split"].eq("test") & table["arm"].eq("steered") & table["group"].eq("off_domain")]
        .set_index("metric")
        .loc["em"]
    )
    assert (row["n"], row["n_excluded"], row["n_unparsed"], row["n_questions"]) == (119, 1, 1, 60)
    assert [row["bound_low"], row["bound_high"]] == pytest.approx([60 / 120, 61 / 120])
    assert row["carried_by_two"] == pytest.approx(4 / 60)
    assert [row["without_one_low"], row["without_one_high"]] == pytest.approx([58 / 117, 60 / 117])


def test_an_interval_is_students_towards_zero(counts: pd.DataFrame, tmp_path: Path) -> None:
    (row,) = compared(counts, tmp_path, {"spreads": {"metric": "em"}}).to_dict("records")
    share = 60 / 119
    pulls = np.array([(2 - 2 * share) / 119] * 30 + [-2 * share / 119] * 29 + [-share / 119])
    error = np.sqrt((pulls**2).sum() * 60 / 59)
    assert row["difference"] == pytest.approx(share)
    assert row["low"] == row["simultaneous_low"] == pytest.approx(share - error * stats.t.ppf(0.975, 59))


def test_every_verdict_is_reached(counts: pd.DataFrame, tmp_path: Path) -> None:
    found = compared(counts, tmp_path, {name: claim for name, (claim, _) in DECLARED.items()})
    needs = {name: Needs.model_validate(claim["needs"]) if "needs" in claim else None for name, (claim, _) in DECLARED.items()}
    said = {"says": "It is.", "source": None, "declared": "2026-11-26", "digest": "0123456789"}
    recipe = Claims(claims={name: Declaration(needs=of, **said) for name, of in needs.items()}, readers=())
    works = instruments(alignment=True, coherence=True, relevance=True)
    verdicts = schemas.check(claims.claims(found, works, recipe), schemas.Claims, "golden").set_index("claim")["verdict"].to_dict()
    assert verdicts == {name: verdict for name, (_, verdict) in sorted(DECLARED.items())}
    doubtful = instruments(alignment=False, coherence=True, relevance=True)
    undecided = set(claims.claims(found, doubtful, recipe)["verdict"])
    assert set(VERDICTS) == set(verdicts.values()) | undecided and NOT_SHOWN in undecided


def test_a_verdict_flips_exactly_at_the_ends_of_its_interval(counts: pd.DataFrame, tmp_path: Path) -> None:
    (row,) = compared(counts, tmp_path, {"spreads": {}}).to_dict("records")
    low, high = row["simultaneous_low"], row["simultaneous_high"]
    ends = {"at_low": low, "over_low": np.nextafter(low, 1), "at_high": high, "over_high": np.nextafter(high, 1)}
    found = compared(counts, tmp_path, {name: {"smallest_effect": float(effect)} for name, effect in ends.items()})
    assert found.set_index("claim")["verdict"].to_dict() == {
        "at_low": "supported", "over_low": "not distinguishable", "at_high": "not distinguishable", "over_high": "contradicted",
    }  # fmt: skip


def test_the_same_verdicts_whatever_the_order_of_the_answers(counts: pd.DataFrame, tmp_path: Path) -> None:
    declared = {name: claim for name, (claim, _) in DECLARED.items()}
    shuffled = counts.sample(frac=1, random_state=0)
    one, other = (compared(of, tmp_path, declared).set_index(["claim", "member"])["verdict"].to_dict() for of in (counts, shuffled))
    assert one == other
