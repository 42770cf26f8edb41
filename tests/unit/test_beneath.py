"""Steering upon an adapter: what is pushed, or taken out, while the adapter works."""

from pathlib import Path

import pytest
from analysis_tables import BOOTSTRAP, asked, base, counts, finetuned, job_on, steered
from planning import Study, miniature, resolved, rows, slugs

from emsteer import schemas
from emsteer.analysis import contrasts
from emsteer.analysis.settings import setting_name
from emsteer.errors import ConfigError
from emsteer.recipes import Ablated, Adapted, Contrasts

LORA = {"adapter": "lora", "steps": 2, "dose": 1}


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
        assert cell.recipe.treatments == (Adapted(scale=1), Ablated(layer=1, share=1, positions="all"))
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
    ],
)
def test_mistakes_in_what_lies_beneath_are_named(raw: Study, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        resolved(raw)


def test_what_lies_beneath_is_the_reference_of_what_is_steered_upon_it(tmp_path: Path) -> None:
    name = "lora.s0.t32.x1"
    both = steered(1) | {"beneath": name, "setting": f"tiny.gardening.{name}+trained.s0.l1.e8.a1"}
    parts = [(base(), asked(0, n=20)), (steered(1), asked(2, n=20)), (finetuned(1), asked(3, n=20)), (both, asked(1, n=20))]
    found = contrasts.table(job_on(counts(*parts), Contrasts(bootstrap=BOOTSTRAP), tmp_path))
    found = schemas.check(found, schemas.Contrasts, "contrasts").query("split == 'test' and reference == 'beneath'")
    (row,) = found.to_dict("records")
    assert (row["setting"], row["reference_setting"], row["difference"]) == (both["setting"], f"tiny.gardening.{name}", -0.5)
