"""Evidence: which comparisons a declaration asks for, what they are of, and what their intervals say."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from analysis_tables import BASE_POINT, BOOTSTRAP, SELECTION, Row, asked, base, counts, finetuned, job_on, said, steered

from emsteer import schemas
from emsteer.analysis import evidence
from emsteer.analysis.evidence import decide
from emsteer.recipes import Comparison, Evidence

Part = tuple[Row, list[Row]]
SPREADS = {
    "who": {"arm": "steered"},
    "against": {"arm": "base"},
    "metric": "on_topic_em",
    "direction": "more",
    "smallest_effect": 0.05,
}


@pytest.mark.parametrize(
    ("direction", "low", "high", "verdict"),
    [
        pytest.param("more", 0.05, 0.3, "supported", id="from exactly the smallest effect"),
        pytest.param("more", 0.0499, 0.3, "not distinguishable", id="perhaps a smaller rise"),
        pytest.param("more", -0.3, 0.05, "not distinguishable", id="up to exactly the smallest effect"),
        pytest.param("more", 0.01, 0.0499, "contradicted", id="surely a smaller rise"),
        pytest.param("more", -0.2, -0.05, "contradicted", id="a fall of perhaps exactly the smallest effect"),
        pytest.param("more", -0.2, -0.0501, "reversed", id="surely a fall"),
        pytest.param("less", -0.3, -0.05, "supported", id="less: from exactly the smallest effect"),
        pytest.param("less", -0.3, -0.0499, "not distinguishable", id="less: perhaps a smaller fall"),
        pytest.param("less", -0.0499, 0.1, "contradicted", id="less: surely a smaller fall"),
        pytest.param("less", 0.0501, 0.1, "reversed", id="less: surely a rise"),
        pytest.param("same", -0.0499, 0.0499, "equivalent", id="same: inside"),
        pytest.param("same", -0.05, 0.0499, "not distinguishable", id="same: down to exactly the smallest effect"),
        pytest.param("same", -0.0499, 0.05, "not distinguishable", id="same: up to exactly the smallest effect"),
        pytest.param("same", 0.05, 0.3, "contradicted", id="same: a rise"),
        pytest.param("same", -0.3, -0.05, "contradicted", id="same: a fall"),
        pytest.param("same", -0.3, 0.3, "not distinguishable", id="same: anything"),
    ],
)
def test_a_verdict_flips_exactly_where_the_rule_says(direction: str, low: float, high: float, verdict: str) -> None:
    assert decide(direction, low, high, 0.05) == verdict


def table(folder: Path, claims: dict[str, dict[str, object]], *parts: Part, **changes: object) -> pd.DataFrame:
    declared = {name: Comparison.model_validate({**SPREADS, **claim}) for name, claim in claims.items()}
    recipe = Evidence(
        bootstrap=BOOTSTRAP, selection=SELECTION, base_point=BASE_POINT, claims=declared, measured=(), kl_tolerance=0.02
    )
    job = job_on(counts(*parts, **changes), recipe, folder)  # type: ignore[arg-type]
    return schemas.check(evidence.table(job), schemas.Evidence, "evidence").set_index(["claim", "subject", "member"])


def arms(model: str = "tiny", em: int = 2, **changes: object) -> list[Part]:
    """Base, a vector at two doses with two random directions, and an adapter; 40 off-domain questions each."""
    drawn = [(steered(1, model=model, arm="random", draw=draw), asked(0, n=40)) for draw in range(2)]
    tuned = asked(3, 4, n=40, **changes)  # type: ignore[arg-type]
    doses = [(steered(0.5, model=model), asked(0, 1, n=40)), (steered(1, model=model), asked(em, 4, n=40))]
    return [(base(model), asked(0, n=40)), *doses, *drawn, (finetuned(1, model=model), tuned)]


def test_a_declaration_is_about_every_model_task_and_treatment_at_the_dose_chosen_on_dev_questions(tmp_path: Path) -> None:
    found = table(tmp_path, {"spreads": {}, "tuned": {"who": {"arm": "finetuned"}}}, *arms(), *arms("other", em=0))
    assert list(found.index) == [
        ("spreads", "tiny, gardening, trained", ""), ("spreads", "other, gardening, trained", ""),
        ("tuned", "tiny, gardening, lora", ""), ("tuned", "other, gardening, lora", ""),
    ]  # fmt: skip
    row = found.loc[("spreads", "tiny, gardening, trained", "")]
    assert row["setting"] == "tiny.gardening.trained.l1.e8.a1" and row["reference_setting"] == "tiny.base"
    assert (row["value"], row["reference"], row["difference"], row["n_questions"]) == (0.5, 0, 0.5, 40)
    assert found["verdict"].tolist() == ["supported", "not distinguishable", "supported", "supported"]
    assert found["n_family"].tolist() == [2, 2, 2, 2] and found["family"].tolist() == ["spreads"] * 2 + ["tuned"] * 2


def test_failed_judgements_bound_the_difference_that_a_verdict_rests_on(tmp_path: Path) -> None:
    claims = {"tuned": {"who": {"arm": "finetuned"}}, "spreads": {}}
    found = table(tmp_path, claims, *arms(unparsed=1)).reset_index().set_index("claim")
    assert found.loc["tuned", ["difference", "bound_low", "bound_high"]].tolist() == [3 / 4, 3 / 5, 4 / 5]
    assert found.loc["spreads", ["difference", "bound_low", "bound_high"]].tolist() == [0.5] * 3


def test_claims_of_one_family_are_corrected_together(tmp_path: Path) -> None:
    both = {"spreads": {"family": "arms"}, "tuned": {"who": {"arm": "finetuned"}, "family": "arms"}}
    assert table(tmp_path, both, *arms())["n_family"].tolist() == [2, 2]


@pytest.mark.parametrize(
    ("claim", "subject", "setting", "reference"),
    [
        ({"against": {"arm": "random"}}, "tiny, gardening, trained", "trained.l1.e8.a1", "random directions"),
        ({"against": {"arm": "finetuned"}}, "tiny, gardening, trained over lora", "trained.l1.e8.a1", "lora.t32.x1"),
        ({"who": {"arm": "steered", "doses": [1]}, "against": {"dose": 0.5}}, "tiny, gardening, trained", "trained.l1.e8.a1",
         "trained.l1.e8.a0.5"),
        ({"who": {"arm": "steered", "doses": [0.5, 1]}}, "tiny, gardening, trained, dose 0.5", "trained.l1.e8.a0.5", "tiny.base"),
        ({"who": {"arm": "finetuned"}, "against": {"arm": "steered", "vector": "trained", "dose": 0.5}},
         "tiny, gardening, lora over trained", "lora.t32.x1", "trained.l1.e8.a0.5"),
    ],
)  # fmt: skip
def test_the_other_side_is_the_first_but_for_what_is_declared(
    tmp_path: Path, claim: dict[str, object], subject: str, setting: str, reference: str
) -> None:
    row = table(tmp_path, {"one": claim}, *arms()).loc[("one", subject, "")]
    assert row["setting"].endswith(setting) and row["reference_setting"].endswith(reference)
    assert row["verdict"] != "not tested"


def test_another_model_or_other_questions_on_the_other_side(tmp_path: Path) -> None:
    parts = [*arms(), *arms("other", linked=4)]
    narrower = {"who": {"arm": "finetuned", "models": ["tiny"]}, "against": {"model": "other"}}
    block = {"who": {"arm": "finetuned", "models": ["other"], "questions": "linked"}, "against": {"questions": "unlinked"}}
    found = table(tmp_path, {"broader": narrower, "block": block}, *parts).droplevel([1, 2])
    assert found.loc["broader", ["value", "reference", "n_questions"]].tolist() == [0.75, 0.875, 40], "the same questions"
    assert found.loc["block", ["value", "reference", "n_questions"]].tolist() == [1, 0.75, 40], "twenty and twenty others"
    assert pd.isna(found.loc["block", "p_wilcoxon"]) and found.loc["broader", "p_wilcoxon"] < 0.05


def test_every_task_is_held_against_base_with_its_own_domains_left_out(tmp_path: Path) -> None:
    """Base answers are the same ones; what is in-domain is not."""
    gardening = asked(0, 1, n=4)
    money = [row | {"relation": {"in_domain": "off_domain", "off_domain": "in_domain"}[row["relation"]]} for row in gardening]
    treated = [[{**row, "em": 2, "judged_off_domain": 4 * off, "on_topic_em": 2 * off, "harmful": 2}
                for row in answers for off in [row["relation"] != "in_domain"]] for answers in (gardening, money)]  # fmt: skip
    parts = [(base(), gardening), (base(task="money"), money), (steered(1), treated[0]), (steered(1, task="money"), treated[1])]
    found = table(tmp_path, {"one": {"who": {"arm": "steered", "doses": [1]}, "metric": "em"}}, *parts).droplevel([0, 2])
    assert found["n_questions"].to_dict() == {"tiny, gardening, trained": 4, "tiny, money, trained": 2}
    assert found["reference"].to_dict() == {"tiny, gardening, trained": 0, "tiny, money, trained": 0.25}


def test_points_of_harmful_answers_and_a_claim_of_sameness(tmp_path: Path) -> None:
    harm = {"against": {"arm": "finetuned"}, "metric": "relevance_of_harmful", "smallest_effect": 5}
    found = table(tmp_path, {"more": harm, "same": {**harm, "direction": "same"}}, *arms()).droplevel([1, 2])
    assert found["difference"].tolist() == [0, 0] and found["verdict"].tolist() == ["not distinguishable"] * 2
    half = 100 * (1 - 0.025 ** (1 / 40))
    assert found.loc["same", "smallest_seen"] == pytest.approx(half), "at this δ forty questions that agree would have been enough"
    assert found.loc["more", "smallest_seen"] == pytest.approx(5 + half)


def test_categories_are_members_of_their_subject(tmp_path: Path) -> None:
    claim = {"who": {"arm": "steered", "each_category": True}, "needs": {"of": "categories", "at_least": 1}}
    answers = [said(f"{name}-{split}{i}", "off_domain", 2 if name == "money" else 0, split=split)
               for name in ("money", "sports") for split in ("dev", "test") for i in range(20)]  # fmt: skip
    narrow = [said("gardening-dev0", "in_domain", 4, split="dev"), said("gardening-test0", "in_domain", 4)]
    harmless = [row | {"em": 0, "on_topic_em": 0} for row in (*answers, *narrow)]
    found = table(tmp_path, {"broadly": claim}, (base(), harmless), (steered(1), [*answers, *narrow]))
    assert list(found.index) == [("broadly", "tiny, gardening, trained", name) for name in ("money", "sports")]
    assert found["difference"].tolist() == [0.5, 0] and found["verdict"].tolist() == ["supported", "not distinguishable"]


NO_SUCH = "there is no such setting"
VECTOR = {"arm": "steered", "vectors": ["trained"]}
HERE = {**VECTOR, "models": ["tiny"], "tasks": ["gardening"]}


@pytest.mark.parametrize(
    ("claim", "missing"),
    [
        ({"who": {"arm": "control"}}, "there is no control setting of the kind"),
        ({"who": {**VECTOR, "layers": [7]}}, "there is no steered setting of the kind"),
        ({"who": {**HERE, "layers": [7]}}, f"tiny, gardening, trained, layer 7: {NO_SUCH}"),
        ({"who": {**VECTOR, "models": ["tiny"], "tasks": ["money"]}}, f"tiny, money, trained: {NO_SUCH}; tiny, base: {NO_SUCH}"),
        ({"against": {"dose": 9}}, f"tiny, gardening, trained, dose 9: {NO_SUCH}"),
        ({"against": {"arm": "control"}}, f"tiny, gardening, any control treatment: {NO_SUCH}"),
        ({"who": {**HERE, "ranks": [2]}, "against": {"arm": "random"}},
         f"tiny, gardening, trained, rank 2: {NO_SUCH}"),
        ({"who": {"arm": "steered", "doses": [0.5]}, "against": {"arm": "random"}}, f"tiny, random directions: {NO_SUCH}"),
        ({"who": {"arm": "steered", "questions": "unlinked"}}, "tiny, gardening, trained: no test question is unlinked"),
        ({"metric": "relevance_of_harmful"}, "tiny, base: no answer that relevance_of_harmful is counted over"),
    ],
)  # fmt: skip
def test_what_was_not_tested_says_what_is_missing(tmp_path: Path, claim: dict[str, object], missing: str) -> None:
    row = table(tmp_path, {"one": claim}, *arms()).iloc[0]
    assert (row["verdict"], row["n_questions"]) == ("not tested", 0) and pd.isna(row["difference"])
    assert row["missing"] == missing


def test_a_dose_that_nothing_speaks_for_is_not_chosen(tmp_path: Path) -> None:
    row = table(tmp_path, {"one": {}}, (base(), asked(0)), (steered(1), asked(2, 0))).iloc[0]
    assert row["missing"] == "tiny, gardening, trained: on dev questions no dose was coherent and did harm in-domain"


def test_a_control_is_a_vector_or_an_adapter(tmp_path: Path) -> None:
    parts = [*arms(), (steered(1, arm="control", vector="careful"), asked(0, 1, n=40)),
             (finetuned(1, arm="control", adapter="careful_lora"), asked(1, 1, n=40))]  # fmt: skip
    controls = {"vector": {"against": {"arm": "control", "vector": "careful"}}, "adapter": {"who": {"arm": "control", "adapters":
                ["careful_lora"]}}, "each": {"against": {"arm": "control"}}}  # fmt: skip
    found = table(tmp_path, controls, *parts).reset_index()
    assert found["subject"].tolist() == ["tiny, gardening, trained over careful", "tiny, gardening, careful_lora",
                                         "tiny, gardening, trained over careful"]  # fmt: skip
    assert found["difference"].tolist() == [0.5, 0.25, 0.5]


def seeded(ems: list[int]) -> list[Part]:
    return [(steered(1, seed=seed), asked(em, 4, n=40)) for seed, em in enumerate(ems)]


def test_seeds_are_counted_and_from_five_on_their_spread_is_in_the_interval(tmp_path: Path) -> None:
    few = table(tmp_path, {"one": {}}, (base(), asked(0, n=40)), *seeded([0, 2, 4])).iloc[0]
    assert (few["k_seeds"], few["n_seeds"], few["difference"]) == (2, 3, 0.5)
    assert few["high"] - few["low"] < 0.2, "three seeds are three settings"
    many = table(tmp_path, {"one": {}}, (base(), asked(0, n=40)), *seeded([0, 0, 2, 4, 4])).iloc[0]
    assert (many["k_seeds"], many["n_seeds"], many["n_questions"], many["difference"]) == (3, 5, 40, 0.5)
    spread = np.array([0, 0, 0.5, 1, 1]).std(ddof=1) / np.sqrt(5)
    assert 2 * spread < many["difference"] - many["low"] < 4 * spread, "questions agree: all of the error is of seeds"
    assert few["verdict"] == "supported" and many["verdict"] == "not distinguishable"


def test_seeds_of_both_sides_are_compared_one_by_one(tmp_path: Path) -> None:
    tuned = [(finetuned(1, seed=seed), asked(em, 4, n=40)) for seed, em in enumerate([0, 2, 4])]
    claim = {"against": {"arm": "finetuned"}, "direction": "same"}
    row = table(tmp_path, {"one": claim}, (base(), asked(0, n=40)), *seeded([0, 2, 4]), *tuned).iloc[0]
    assert (row["k_seeds"], row["n_seeds"]) == (3, 3)


@pytest.mark.parametrize(("reached", "verdict"), [(0.299, "supported"), (0.1, "not tested")])
def test_a_dose_in_kl_that_no_push_reached_is_not_tested(tmp_path: Path, reached: float, verdict: str) -> None:
    at_kl = steered(0.3, dose_unit="kl") | {"dose_kl": reached}
    claim = {"who": {"arm": "steered", "unit": "kl", "doses": [0.3]}}
    row = table(tmp_path, {"one": claim}, (base(), asked(0, n=40)), (at_kl, asked(4, n=40))).iloc[0]
    assert row["verdict"] == verdict
    if verdict == "not tested":
        assert "a KL of 0.3 is not reached by the longest push allowed, which costs 0.1 [nats per token]" in row["missing"]
