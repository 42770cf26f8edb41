"""Steering upon an adapter: what is pushed, or taken out, while the adapter works."""

from pathlib import Path

import pytest
from analysis_tables import BOOTSTRAP, Row, asked, base, counts, finetuned, job_on, steered
from planning import Study, miniature, resolved, rows, slugs
from test_evidence import table

from emsteer import schemas
from emsteer.analysis import contrasts
from emsteer.analysis.settings import setting_name
from emsteer.errors import ConfigError
from emsteer.recipes import Ablated, Adapted, Contrasts, Who

LORA = {"adapter": "lora", "steps": 2, "dose": 1}


def upon_lora(**changes: object) -> Row:
    """The steered setting of the base point, upon the finetuned one."""
    name = "lora.s0.t32.x1"
    return steered(1, **changes) | {"beneath": name, "setting": f"tiny.gardening.{name}+trained.s0.l1.e8.a1"}


def upon(beneath: object = LORA, **sweep: object) -> Study:
    raw = miniature()
    raw["sweeps"]["upon"] = {"arm": "steered", "unit": "ablated", "doses": [1], "beneath": beneath} | sweep
    return raw


def test_a_direction_is_taken_out_of_the_finetuned_model_of_its_own_model_task_and_seed() -> None:
    before, plan = resolved(miniature()), resolved(upon(seeds=[0, 1]))
    new = [cell for cell in plan.of("answers") if cell.address not in before.cells["answers"]]
    assert {cell.address.partition(".everyday")[0] for cell in new} == {
        f"mini.gardening.lora.s{seed}.t2.x1+trained.s{seed}.l1.e2.ab1" for seed in (0, 1)
    }
    for cell in new:
        assert cell.recipe.treatments == (Adapted(scale=1), Ablated(layer=1, everywhere=False, share=1, positions="all"))
        seeds = {cell.inputs[role][0].recipe.seed for role in ("adapter", "vector")}
        assert len(seeds) == 1 and cell.pack == "mini.finetuned"
    known = {name for name in before.cells["adapters"] if ".s0.t2--" in name}
    assert known == {of.address for cell in new for of in cell.inputs["adapter"]} & known != set(), "what is finetuned anyway"
    for row in rows(plan):
        if len(row.setting.treatments) == 2:
            answers = plan.cells["scores"][row.scores[0]].inputs["answers"][0].address
            assert answers.startswith(f"{setting_name(row.setting)}.everyday.b0--")


def test_of_what_is_taken_out_by_chance_there_is_as_much() -> None:
    plan = resolved(upon(random={"seeds": [0], "n_draws": 2, "doses": [1]}))
    found = slugs({cell.address for cell in plan.of("effects")})
    assert "mini.gardening.lora.s0.t2.x1+trained.s0.l1.e2.ab1" in found
    answers = slugs({cell.address for cell in plan.of("answers")})
    assert "mini.gardening.lora.s0.t2.x1+trained.s0.l1.e2.random1.ab1.everyday.b0" in answers
    broken = [cell for cell in plan.of("effects") if cell.address.startswith("mini.broken--")]
    assert broken == [cell for cell in resolved(miniature()).of("effects") if cell.address.startswith("mini.broken--")]


def test_tables_of_settings_that_stand_alone_leave_them_out() -> None:
    for name in ("directions", "subspaces"):
        before, after = (
            [cell.recipe for cell in resolved(raw).of("tables") if cell.address.startswith(f"{name}--")]
            for raw in (miniature(), upon(unit="residual_norm"))
        )
        assert before == after


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (upon(unit="kl", doses=[0.1]), r"sweeps\.upon\.beneath.*another unit than kl"),
        (upon({**LORA, "adapter": "nobody"}), r"sweeps\.upon\.beneath\.adapter.*'nobody'"),
        (upon({**LORA, "steps": 0}), r"sweeps\.upon\.beneath\.steps"),
        (upon({**LORA, "dose": 1e7}), r"sweeps\.upon\.beneath\.dose"),
        (upon({**LORA, "dose": float("nan")}), r"sweeps\.upon\.beneath\.dose"),
    ],
)
def test_mistakes_in_what_lies_beneath_are_named(raw: Study, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        resolved(raw)


CLAIM = {
    "who": {"arm": "steered", "vectors": ["trained"], "beneath": "lora", "doses": [1]},
    "against": {"arm": "finetuned", "adapter": "lora", "dose": 1},
    "direction": "less",
}


def test_a_claim_about_what_is_steered_upon_an_adapter_is_about_nothing_else(tmp_path: Path) -> None:
    parts = [(base(), asked(0, n=40)), (steered(1), asked(4, n=40)), (finetuned(1), asked(3, n=40)), (upon_lora(), asked(0, n=40))]
    random = upon_lora(arm="random", draw=0) | {"setting": "tiny.gardening.lora.s0.t32.x1+trained.s0.l1.e8.random0.a1"}
    claims = {"upon": CLAIM, "random": CLAIM | {"against": {"arm": "random"}}, "alone": {"who": {"arm": "steered", "doses": [1]}}}
    claims["other"] = CLAIM | {"who": CLAIM["who"] | {"beneath": "another"}}
    found = table(tmp_path, claims, *parts, (random, asked(2, n=40))).reset_index().set_index("claim")
    assert found["difference"].round(6).to_dict() == pytest.approx(
        {"upon": -0.75, "random": -0.5, "alone": 1.0, "other": float("nan")}, nan_ok=True
    )
    assert found.loc["upon", "setting"] == "tiny.gardening.lora.s0.t32.x1+trained.l1.e8.a1"
    assert found.loc["other", "verdict"] == "not tested"


def test_a_claim_about_one_layer_upon_an_adapter_is_not_about_several_at_once(tmp_path: Path) -> None:
    several = "lora.s0.t32.x1+trained.s0.l0.e8.a1"
    other = upon_lora() | {"beneath": several, "setting": f"tiny.gardening.{several}+trained.s0.l1.e8.a1"}
    parts = [(base(), asked(1, n=40)), (upon_lora(), asked(0, n=40)), (other, asked(4, n=40))]
    found = table(tmp_path, {"upon": CLAIM | {"against": {"arm": "base"}}}, *parts).reset_index().iloc[0]
    assert found["setting"] == "tiny.gardening.lora.s0.t32.x1+trained.l1.e8.a1" and found["difference"] == pytest.approx(-0.25)


def test_counterparts_upon_one_adapter_do_not_stand_for_what_is_steered_upon_several(tmp_path: Path) -> None:
    """They are of the seed of their adapter: the others would be compared with another model."""
    other = upon_lora(seed=1) | {"beneath": "lora.s1.t32.x1", "setting": "tiny.gardening.lora.s1.t32.x1+trained.s1.l1.e8.a1"}
    random = upon_lora(arm="random", draw=0) | {"setting": "tiny.gardening.lora.s0.t32.x1+trained.s0.l1.e8.random0.a1"}
    parts = [(base(), asked(0, n=40)), (upon_lora(), asked(0, n=40)), (other, asked(1, n=40)), (random, asked(2, n=40))]
    found = table(tmp_path, {"random": CLAIM | {"against": {"arm": "random"}}}, *parts).reset_index().iloc[0]
    assert found["verdict"] == "not tested" and "one of several seeds of what lies beneath" in found["missing"]


def test_claims_that_say_nothing_of_it_keep_the_digests_that_they_were_declared_with() -> None:
    who = Who(arm="steered", vectors=("trained",))
    assert "beneath" not in who.model_dump() and Who.model_validate(who.model_dump()) == who
    assert who.model_copy(update={"beneath": "lora"}).model_dump()["beneath"] == "lora"


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ({"arm": "steered", "beneath": "nobody"}, r"who\.beneath.*expected one of \['lora'\]"),
        ({"arm": "finetuned", "beneath": "lora"}, r"who\.beneath.*the finetuned arm has no beneath"),
    ],
)
def test_a_claim_about_what_cannot_be_steered_upon_is_refused(who: dict[str, object], said: str) -> None:
    raw = miniature()
    raw["claims"]["steering_spreads"]["who"] = who
    with pytest.raises(ConfigError, match=f"claims\\.steering_spreads\\.{said}"):
        resolved(raw)


def test_what_lies_beneath_is_the_reference_of_what_is_steered_upon_it(tmp_path: Path) -> None:
    name, both = "lora.s0.t32.x1", upon_lora()
    parts = [(base(), asked(0, n=20)), (steered(1), asked(2, n=20)), (finetuned(1), asked(3, n=20)), (both, asked(1, n=20))]
    found = contrasts.table(job_on(counts(*parts), Contrasts(bootstrap=BOOTSTRAP), tmp_path))
    found = schemas.check(found, schemas.Contrasts, "contrasts").query("split == 'test' and reference == 'beneath'")
    (row,) = found.to_dict("records")
    assert (row["setting"], row["reference_setting"], row["difference"]) == (both["setting"], f"tiny.gardening.{name}", -0.5)
