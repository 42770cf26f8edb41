"""Contrasts: a treated setting against a reference on the same questions; expected numbers are computed by hand."""

from pathlib import Path

import pandas as pd
from analysis_tables import BOOTSTRAP, asked, base, counts, finetuned, job_on, steered

from emsteer import schemas
from emsteer.analysis import contrasts
from emsteer.analysis.contrasts import counterparts_of
from emsteer.recipes import Contrasts

SAME = steered(1, seed=0)
OTHERS = [steered(2), steered(1, layer=2), steered(1, epochs=4), steered(1, positions="answer"), steered(1, vector="other")]


def test_the_random_reference_is_every_draw_at_the_same_setting_whatever_the_seed_it_took_its_norm_from() -> None:
    def random(setting: dict, draw: int, **changes: object) -> dict:
        return {**setting, **changes, "arm": "random", "draw": draw, "setting": f"{setting['setting']}.random{draw}{changes}"}

    settings = [random(SAME, 0), random(SAME, 1), random(SAME, 2, seed=5), SAME, base(), *(random(other, 0) for other in OTHERS)]
    frame = schemas.frame_of([{**row, "split": "test"} for row in settings], schemas.Settings)
    assert counterparts_of(pd.Series(SAME), frame).tolist() == [True] * 3 + [False] * 7


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
    assert found[found["split"].eq("test")].groupby("reference")["n_family"].first().to_dict() == {"base": 3, "random": 1}
    against_base = found["reference"].eq("base")
    assert (found["simultaneous_low"] < found["low"])[against_base].all() and (found["p_holm"] > found["p_sign_flip"])[
        against_base
    ].any()
    assert (found["simultaneous_low"] == found["low"])[~against_base].all(), "a family of one"


def test_failed_judgements_bound_a_difference(tmp_path: Path) -> None:
    parts = [(base(), asked(0, n=20)), (steered(1), asked(2, n=20, error=1))]
    found = contrasts.table(job_on(counts(*parts), Contrasts(bootstrap=BOOTSTRAP), tmp_path))
    (row,) = found[found["split"].eq("test")].to_dict("records")
    assert (row["difference"], row["bound_low"], row["bound_high"]) == (0.5, 0.4, 0.6)


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
