"""Directions at equal doses: which settings stand beside one another, how they lie, and what the figure shows of them."""

import numpy as np
import pandas as pd
import pytest
from analysis_tables import BASE_POINT, Row, base, counts, finetuned, said, steered
from bounds import overlaps
from planning import miniature, put, resolved, slugs

from emsteer import schemas, storage
from emsteer.analysis import directions
from emsteer.figures import directions as figure
from emsteer.packs import Job
from emsteer.recipes import Direction, Directions, PlacedDirection

KL = {"dose_unit": "kl"}
AT = BASE_POINT.layer


def answers(em: int, n: int = 20) -> list[Row]:
    return [said(f"c{number % 4}-{number}", "unlinked", em) for number in range(n)]


def parts() -> list[tuple[Row, list[Row]]]:
    """At KL .3 two constructions, three random directions of one of them, shuffled labels; and settings that stand elsewhere."""
    random = [(steered(0.3, arm="random", draw=draw, **KL), answers(draw)) for draw in range(3)]
    coins = [(steered(0.3, vector="mean", epochs=None, arm="shuffled", draw=draw, **KL), answers(1)) for draw in range(2)]
    elsewhere = [
        steered(0.3, **{name: value}, **KL) for name, value in {"layer": AT + 1, "positions": "answer", "epochs": 4}.items()
    ]
    elsewhere += [steered(1), finetuned(1)]
    return [
        (base(), answers(0)),
        *((steered(0.3, seed=seed, **KL), answers(2 + seed)) for seed in (0, 1)),
        (steered(0.3, vector="mean", epochs=None, **KL), answers(1)),
        (steered(0.3, dose_unit="residual_norm"), answers(4)),
        *random, *coins,
        *((one, answers(3)) for one in elsewhere),
    ]  # fmt: skip


def placed(vector: str, made: str, reference: str | None, **values: object) -> PlacedDirection:
    said = {"vector": vector, "layer": AT, "seed": 0, "epochs": BASE_POINT.epochs, **values}
    arm = str(said.pop("arm", "steered"))
    return PlacedDirection(
        arm=arm,
        model=BASE_POINT.model,
        task=BASE_POINT.task,
        direction=Direction.model_validate(said),
        made=made,
        reference=reference,
    )


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("directions")
    rows = {"v": [3, 4], "w": [4, 3], "r0": [0, 1], "r1": [0, -1], "m": [5, 0]}
    for name, row in rows.items():
        tensors = {"directions": np.array([row], dtype=np.float32), "layers": np.array([AT])}
        storage.write_tensors(tensors, folder / f"{name}.safetensors", {"address": name})
    one = placed("trained", "v", "v"), placed("trained", "w", "v", seed=1), placed("mean", "m", "v", epochs=None)
    drawn = [placed("trained", f"r{draw}", "v", arm="random", draw=draw) for draw in (0, 1)]
    schemas.write(counts(*parts()), schemas.Counts, folder / "counts.parquet", {"address": "counts--0"})
    recipe = Directions(level=0.95, base_point=BASE_POINT, placed=(*one, *drawn))
    paths = {"counts": (folder / "counts.parquet",), "vectors": tuple(folder / f"{name}.safetensors" for name in rows)}
    job = Job(recipe, paths, {"counts": ("counts--0",), "vectors": tuple(rows)}, "directions--0", folder / "out", {})
    return schemas.check(directions.table(job), schemas.Directions, "directions")


def headline(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["metric"].eq("on_topic_em") & table["group"].eq("off_domain")].set_index("setting")


def test_directions_at_one_dose_stand_together_and_settings_elsewhere_do_not(table: pd.DataFrame) -> None:
    found = headline(table)
    assert {name.partition("gardening.")[2] or name for name in found.index} == {
        "tiny.base",
        f"trained.l{AT}.e8.kl0.3",
        f"trained.l{AT}.e8.c0.3",
        f"mean.l{AT}.kl0.3",
        f"trained.l{AT}.e8.random.kl0.3",
        f"mean.l{AT}.shuffled.kl0.3",
    }
    assert set(table["group"]) == {"off_domain", "unlinked"} and found.loc["tiny.base", "dose_unit"] == "none"


def test_seeds_and_draws_are_pooled_with_the_range_over_them(table: pd.DataFrame) -> None:
    found = headline(table).rename(index=lambda name: name.partition("gardening.")[2] or name)
    trained, random = found.loc[f"trained.l{AT}.e8.kl0.3"], found.loc[f"trained.l{AT}.e8.random.kl0.3"]
    assert trained[["value", "lowest", "largest", "n_seeds", "n_draws", "n"]].tolist() == [0.625, 0.5, 0.75, 2, 0, 160]
    assert random[["value", "lowest", "largest", "n_seeds", "n_draws", "n"]].tolist() == [0.25, 0, 0.5, 1, 3, 240]


def test_a_random_direction_ranks_every_vector_of_its_dose_and_no_other(table: pd.DataFrame) -> None:
    found = headline(table).rename(index=lambda name: name.partition("gardening.")[2] or name)
    ranks = found[["random_draws", "random_below", "random_largest"]]
    assert ranks.loc[f"trained.l{AT}.e8.kl0.3"].tolist() == [3, 3, 0.5]
    assert ranks.loc[f"mean.l{AT}.kl0.3"].tolist() == [3, 1, 0.5], "drawn for another vector, and as long"
    assert ranks.loc[f"trained.l{AT}.e8.c0.3", "random_draws"] == 0


def test_cosines_are_with_what_was_declared_and_missing_where_nothing_was(table: pd.DataFrame) -> None:
    found = headline(table).rename(index=lambda name: name.partition("gardening.")[2] or name)[directions.COSINES]
    assert found.loc[f"trained.l{AT}.e8.kl0.3"].tolist() == pytest.approx([0.98, 0.96, 1])
    assert found.loc[f"mean.l{AT}.kl0.3"].tolist() == pytest.approx([0.6] * 3)
    assert found.loc[f"trained.l{AT}.e8.random.kl0.3"].tolist() == pytest.approx([0, -0.8, 0.8], abs=1e-9)
    assert found.loc[f"mean.l{AT}.shuffled.kl0.3"].isna().all() and found.loc["tiny.base"].isna().all()


def test_what_people_read_has_a_row_for_each_direction_and_group(table: pd.DataFrame) -> None:
    shown = directions.published(table)
    assert not shown.duplicated(["setting", "group"]).any() and len(shown) == 6 * 2
    assert {"on_topic_em", "coverage", "cosine", "lowest", "random_below"} <= set(shown)


# -- figure --------------------------------------------------------------------------------------------------------------


def test_the_figure_has_a_row_for_each_direction_and_a_band_from_least_to_most_of_the_random_ones(table: pd.DataFrame) -> None:
    drawn, shown = figure.draw(table, BASE_POINT)
    assert overlaps(drawn) == []
    (norm, _, kl, _) = drawn.axes
    names = [label.get_text() for label in kl.get_yticklabels()]
    assert names == ["steered: trained", "steered: mean", "random directions", "shuffled labels: mean"]
    assert [label.get_text() for label in norm.get_yticklabels()] == ["steered: trained"]
    spans = {(round(patch.get_x(), 6), round(patch.get_x() + patch.get_width(), 6)) for patch in kl.patches}
    assert (0.0, 50.0) in spans, "of the random directions [%]"
    assert len(shown) == 2 * (2 + 5) and set(shown["metric"]) == {"on_topic_em", "coverage"}


def test_vectors_of_another_task_stand_below_those_of_the_base_point_and_nothing_else_of_it_does(table: pd.DataFrame) -> None:
    other = table[table["arm"].isin(["steered", "random"])].assign(task="cooking")
    drawn, _ = figure.draw(pd.concat([table, other]), BASE_POINT)
    names = [label.get_text() for label in drawn.axes[2].get_yticklabels()]
    others = ["another task: trained, cooking", "another task: mean, cooking"]
    assert names == ["steered: trained", "steered: mean", *others, "random directions", "shuffled labels: mean"]


def test_a_figure_of_nothing_says_so(table: pd.DataFrame) -> None:
    drawn, shown = figure.draw(table[table["arm"].eq("base")], BASE_POINT)
    assert shown.empty and all("no such settings" in [text.get_text() for text in axis.texts] for axis in drawn.axes)


# -- in the plan -----------------------------------------------------------------------------------------------------------


def test_the_plan_places_directions_that_share_doses_beside_the_vector_of_the_base_point() -> None:
    raw = miniature()
    put(raw, "sweeps.equal_kl.vectors", ["trained", "mean_difference"])
    put(raw, "sweeps.equal_kl.negated", {"seeds": [0], "doses": [0.1]})
    (cell,) = (cell for cell in resolved(raw).of("tables") if cell.address.startswith("directions--"))
    found = {
        (one.arm, one.model, *slugs({one.made}), *slugs({one.reference} if one.reference else set())) for one in cell.recipe.placed
    }
    trained, mean = "mini.gardening.trained.s0.l1.e2", "mini.gardening.mean_difference.s0"
    assert found == {
        ("steered", "mini", trained, trained),
        ("steered", "mini", mean, trained),
        ("steered", "mini", "mini.gardening.persona_prompts.s0", trained),
        ("steered", "mini_none", "mini_none.gardening.mean_difference.s0"),
        ("negated", "mini", f"{trained}.negated", trained),
        ("negated", "mini", f"{mean}.negated", mean),
    }


def test_a_study_in_multiples_of_its_vectors_alone_has_no_such_table() -> None:
    raw = miniature()
    for name in ("equal_kl", "mean_difference", "persona_prompts"):
        del raw["sweeps"][name]
    names = slugs(cell.address for kind in ("tables", "figures") for cell in resolved(raw).of(kind))
    assert "directions" not in names and "rates" in names
