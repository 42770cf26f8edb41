"""Several layers at once: each by its own vector, at one dose; named by all of them, beside random directions at as many."""

import pandas as pd
import pytest
from planning import Study, miniature, resolved, rows
from test_contrasts import SAME

from emsteer.analysis.contrasts import counterparts_of
from emsteer.analysis.settings import setting_columns, setting_name
from emsteer.errors import ConfigError
from emsteer.recipes import RandomDirection, Steering

LORA = {"adapter": "lora", "steps": 2, "dose": 1}


def at_once(**sweep: object) -> Study:
    raw = miniature()
    raw["models"]["mini"]["n_layers"] = 4
    asked = {"arm": "steered", "vectors": ["mean_difference"], "layers": [3], "also_at": [2, 0, 1], "doses": [1]}
    raw["sweeps"]["at_once"] = asked | sweep
    return raw


def new_in(raw: Study) -> dict[str, object]:
    """Setting → the cell of its first answers, of all that the sweep alone has."""
    plan = resolved(raw)
    said = {setting_name(row.setting): row for row in rows(plan) if len(row.setting.treatments) > 1}
    return {name: plan.cells["scores"][row.scores[0]].inputs["answers"][0] for name, row in said.items()}


def test_every_layer_gets_the_vector_of_its_own_and_all_the_same_dose() -> None:
    (item,) = new_in(at_once(unit="residual_norm")).items()
    name, answers = item
    assert name == "mini.gardening.mean_difference.s0.l0-1-2.c1+mean_difference.s0.l3.c1"
    assert answers.address.startswith(f"{name}.everyday.b0--"), "the plan calls it as tables do"
    push = {"dose": 1, "unit": "residual_norm", "positions": "all"}
    assert answers.recipe.treatments == tuple(Steering(layer=layer, **push) for layer in range(4))
    assert len(answers.inputs["vector"]) == 4 and len({cell.address for cell in answers.inputs["vector"]}) == 1, (
        "one file holds all layers"
    )
    trained = new_in(at_once(vectors=["trained"], epochs=[2]))
    (answers,) = trained.values()
    assert [cell.recipe.layer for cell in answers.inputs["vector"]] == [0, 1, 2, 3], "each is trained at its own"
    assert list(trained) == ["mini.gardening.trained.s0.l0-1-2.e2.a1+trained.s0.l3.e2.a1"]


def test_upon_an_adapter_they_come_behind_it_and_directions_may_be_taken_out_at_all_of_them() -> None:
    (name,) = new_in(at_once(beneath=LORA, also_at=[0], unit="ablated", positions=["answer"]))
    vector = "mean_difference.s0"
    assert name == f"mini.gardening.lora.s0.t2.x1+{vector}.l0.answer.ab1+{vector}.l3.answer.ab1"


def test_random_directions_stand_at_as_many_layers_and_are_found_as_counterparts() -> None:
    asked = at_once(unit="residual_norm", random={"seeds": [0], "n_draws": 2, "doses": [1]})
    found = new_in(asked)
    stem = "mean_difference.s0"
    for draw in (0, 1):
        answers = found[f"mini.gardening.{stem}.l0-1-2.random{draw}.c1+{stem}.l3.random{draw}.c1"]
        assert [cell.recipe for cell in answers.inputs["vector"]] == [RandomDirection(draw=draw)] * 4
    settings = [row.setting for row in rows(resolved(asked)) if row.setting.arm != "base"]
    frame = pd.DataFrame([setting_columns(setting) for setting in settings]).drop_duplicates()
    (one,) = frame.index[frame["beneath"].notna() & frame["arm"].eq("steered")]
    theirs = frame[counterparts_of(frame.loc[one], frame)]
    assert theirs["draw"].tolist() == [0, 1] and theirs["beneath"].str.contains("l0-1-2.random").all()


def test_a_frame_where_nothing_lies_beneath_has_its_counterparts() -> None:
    frame = pd.DataFrame([SAME | {"arm": "random", "beneath": None}] * 2)
    assert counterparts_of(pd.Series(SAME), frame).all()


@pytest.mark.parametrize(
    ("sweep", "said"),
    [
        ({"also_at": [3]}, "expected other layers in `also_at` than those of the sweep; got '3'"),
        ({"also_at": [4]}, r"sweeps\.at_once\.also_at.*beyond: 4 in mini \(0 to 3\)"),
        ({"also_at": [0, 0]}, r"sweeps\.at_once\.also_at"),
        ({"also_at": []}, r"sweeps\.at_once\.also_at.*at least 1"),
        ({"unit": "kl", "doses": [0.1]}, "beside `also_at`: a dose of every layer by itself; got 'kl'"),
        ({"unit": "ablated_everywhere"}, "beside `also_at`: a dose of every layer by itself"),
    ],
)
def test_layers_that_are_no_others_and_doses_that_only_one_has_are_refused(sweep: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        resolved(at_once(**sweep))
