"""Contrasts: a treated setting against a reference on the same questions; expected numbers are computed by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from analysis_tables import BOOTSTRAP, asked, base, counts, finetuned, job_on, steered

from emsteer import schemas
from emsteer.analysis import contrasts
from emsteer.analysis.bootstrap import wilson
from emsteer.analysis.contrasts import paired_difference, randoms_of
from emsteer.recipes import Contrasts


def ratios(top: list[float], bottom: float = 4.0) -> np.ndarray:
    return np.array([top, [bottom] * len(top)], dtype=float)


def test_a_difference_is_that_of_the_pooled_shares_of_questions_that_both_have() -> None:
    treated, untreated = ratios([4, 2, 1, 0]), ratios([0, 1, 1, 0])
    untreated[1, 3] = 0  # nobody judged it
    found = paired_difference(treated, untreated, BOOTSTRAP)
    assert found is not None and found["difference"] == pytest.approx(7 / 12 - 2 / 12) and found["n_questions"] == 3
    assert found["low"] <= found["difference"] <= found["high"]


def test_no_common_question_is_no_difference() -> None:
    nothing = np.zeros((2, 3))
    assert paired_difference(ratios([1, 1, 1]), nothing, BOOTSTRAP) is None


def test_pairing_takes_out_what_questions_have_in_common() -> None:
    hard = np.random.default_rng(0).integers(0, 4, 40)
    paired = paired_difference(ratios(hard + 1.0), ratios(hard + np.tile([0.0, 1.0], 20)), BOOTSTRAP)
    unpaired = paired_difference(ratios(hard + 1.0), ratios(np.roll(hard, 7) + np.tile([0.0, 1.0], 20)), BOOTSTRAP)
    assert paired is not None and unpaired is not None
    assert paired["high"] - paired["low"] < 0.6 * (unpaired["high"] - unpaired["low"])


def test_the_order_of_the_questions_moves_the_interval_by_chance_only() -> None:
    generator = np.random.default_rng(1)
    treated, untreated = ratios(generator.integers(0, 5, 60)), ratios(generator.integers(0, 3, 60))
    order = generator.permutation(60)
    first, second = (
        paired_difference(treated, untreated, BOOTSTRAP),
        paired_difference(treated[:, order], untreated[:, order], BOOTSTRAP),
    )
    assert first is not None and second is not None
    assert first["difference"] == pytest.approx(second["difference"])
    assert first["low"] == pytest.approx(second["low"], abs=0.03)


@pytest.mark.parametrize(("top", "difference"), [(0, 0.0), (2, 0.5), (4, 1.0)])
def test_a_constant_difference_is_as_wide_as_the_questions_that_may_deviate(top: int, difference: float) -> None:
    found = paired_difference(ratios([top] * 10), ratios([0] * 10), BOOTSTRAP)
    _, deviating = wilson(0, 10, 0.95)
    assert found is not None
    assert (found["low"], found["high"]) == pytest.approx((difference - deviating, min(1, difference + deviating)))


def test_a_single_question_decides_nothing() -> None:
    found = paired_difference(ratios([4]), ratios([0]), BOOTSTRAP)
    assert found is not None and found["high"] - found["low"] > 0.7


SAME = steered(1, seed=0)
OTHERS = [steered(2), steered(1, layer=2), steered(1, epochs=4), steered(1, positions="answer"), steered(1, vector="other")]


def test_the_random_reference_is_every_draw_at_the_same_setting_whatever_the_seed_it_took_its_norm_from() -> None:
    def random(setting: dict, draw: int, **changes: object) -> dict:
        return {**setting, **changes, "arm": "random", "draw": draw, "setting": f"{setting['setting']}.random{draw}{changes}"}

    settings = [random(SAME, 0), random(SAME, 1), random(SAME, 2, seed=5), SAME, base(), *(random(other, 0) for other in OTHERS)]
    frame = schemas.frame_of([{**row, "split": "test"} for row in settings], schemas.Settings)
    assert randoms_of(pd.Series(SAME), frame).tolist() == [True] * 3 + [False] * 7


def test_every_treated_setting_is_held_against_base_and_steered_ones_against_random_directions(tmp_path: Path) -> None:
    parts = [(base(), asked(0, n=20)), (steered(1), asked(2, n=20)), (steered(2), asked(1, n=20)), (finetuned(1), asked(3, n=20))]
    parts += [(steered(1, arm="random", draw=draw), asked(draw, n=20)) for draw in range(2)]
    job = job_on(counts(*parts), Contrasts(bootstrap=BOOTSTRAP), tmp_path)
    found = schemas.check(contrasts.table(job), schemas.Contrasts, "contrasts")
    of_test = found[found["split"].eq("test")].set_index(["setting", "reference"])["difference"]
    assert of_test.to_dict() == {
        ("tiny.gardening.trained.s0.l1.e8.a1", "base"): 0.5,
        ("tiny.gardening.trained.s0.l1.e8.a1", "random"): 0.375,
        ("tiny.gardening.trained.s0.l1.e8.a2", "base"): 0.25,
        ("tiny.gardening.lora.s0.t32.x1", "base"): 0.75,
    }
    assert set(found["n_questions"]) == {20}, "off-domain questions only"


def test_a_steered_setting_is_held_against_the_adapter_that_did_as_much_harm_in_domain(tmp_path: Path) -> None:
    """In-domain EM of dev and test questions, of four answers each: the adapter is matched on dev, measured on test."""
    parts = [(base(), asked(0, 0)), (steered(1), asked(1, 3)), (steered(2, seed=1), asked(1, 4)), (steered(0.5), asked(2, 0))]
    parts += [(finetuned(dose, steps=steps), asked(em, narrow)) for dose, steps, em, narrow in ((1, 32, 4, 4), (2, 4, 3, 3))]
    parts += [(finetuned(4, steps=4), asked(0, 3)), (finetuned(1, seed=1), asked(2, 2))]
    job = job_on(counts(*parts), Contrasts(bootstrap=BOOTSTRAP), tmp_path)
    found = schemas.check(contrasts.table(job), schemas.Contrasts, "contrasts")
    of_test = found[found["split"].eq("test") & found["reference"].eq("finetuned")].set_index("setting")
    columns = ["reference_setting", "in_domain_em", "reference_in_domain_em", "difference"]
    assert of_test[columns].T.to_dict("list") == {
        "tiny.gardening.trained.s0.l1.e8.a1": ["tiny.gardening.lora.s0.t4.x2", 0.75, 0.75, -0.5],
        "tiny.gardening.trained.s1.l1.e8.a2": ["tiny.gardening.lora.s1.t32.x1", 1.0, 0.5, -0.25],
    }, "of equals the smaller scale; of the same seed, however far; no harm in-domain: nothing to match"
