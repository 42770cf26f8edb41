"""Verdicts: chosen on dev, judged on test, and inconclusive wherever something was not tested."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emsteer import schemas
from emsteer.analysis import claims
from emsteer.analysis.claims import decide
from emsteer.packs import Job
from emsteer.recipes import Claims

SMALLEST = 0.05
Triple = tuple[float, float, float]
NOT_TESTED = (np.nan, np.nan, np.nan)
CLEAR = (0.3, 0.2, 0.4)


@pytest.mark.parametrize(
    ("over_base", "over_random", "verdict", "why"),
    [
        pytest.param(CLEAR, CLEAR, "supported", "rises over base and over random", id="both clear"),
        pytest.param(
            (0.05, 0.001, 0.1), (0.01, 0.001, 0.02), "supported", "rises over base", id="rise of exactly the smallest effect"
        ),
        pytest.param((0.01, -0.02, 0.049), CLEAR, "not supported", "below the smallest effect", id="at most a small rise"),
        pytest.param((0.03, 0.01, 0.049), CLEAR, "not supported", "below the smallest effect", id="a rise, surely a small one"),
        pytest.param((-0.3, -0.4, -0.2), CLEAR, "not supported", "below the smallest effect", id="a fall"),
        pytest.param(
            (0.0, 0.0, 0.0), NOT_TESTED, "not supported", "below the smallest effect", id="nothing, and no random direction"
        ),
        pytest.param((0.01, -0.02, 0.05), CLEAR, "inconclusive", "neither clears zero", id="up to exactly the smallest effect"),
        pytest.param((0.2, 0.0, 0.4), CLEAR, "inconclusive", "neither clears zero", id="interval from exactly zero"),
        pytest.param((0.2, -0.1, 0.4), CLEAR, "inconclusive", "neither clears zero", id="interval over zero"),
        pytest.param((0.049, 0.01, 0.08), CLEAR, "inconclusive", "neither clears zero", id="perhaps a small rise"),
        pytest.param(CLEAR, NOT_TESTED, "inconclusive", "no random direction was tested", id="no random direction"),
        pytest.param(
            CLEAR, (0.1, 0.0, 0.2), "inconclusive", "random directions of equal norm may", id="random interval from exactly zero"
        ),
        pytest.param(
            CLEAR, (-0.1, -0.2, -0.05), "inconclusive", "random directions of equal norm may", id="random directions do more"
        ),
        pytest.param(NOT_TESTED, CLEAR, "inconclusive", "not tested against base", id="no base"),
        pytest.param(NOT_TESTED, NOT_TESTED, "inconclusive", "not tested against base", id="nothing tested"),
    ],
)
def test_every_branch_of_a_verdict(over_base: Triple, over_random: Triple, verdict: str, why: str) -> None:
    decided, reason = decide(over_base, over_random, SMALLEST)
    assert decided == verdict
    assert why in reason


def test_the_smallest_effect_is_the_one_that_is_given() -> None:
    assert [decide(CLEAR, CLEAR, smallest)[0] for smallest in (0.3, 0.31, 0.41)] == ["supported", "inconclusive", "not supported"]


def labels(dose: float | None, vector: str = "trained", **changes: object) -> dict[str, object]:
    place = {"model": "tiny", "task": "gardening", "benchmark": "everyday", "judge": "rubric"}
    if dose is None:
        return {"setting": "tiny.base", "arm": "base", **place, **changes}
    return {"setting": f"tiny.gardening.{vector}.a{dose:g}", "arm": "steered", **place, "vector": vector, "dose": dose, **changes}


def rate(dose: float | None, split: str, value: float | None, metric: str = "on_topic_em", **changes: object) -> dict[str, object]:
    n = 0 if value is None else 20
    numbers = {
        "value": value,
        "low": value,
        "high": value,
        "n": n,
        "n_excluded": 20 - n,
        "n_questions": n // 2,
        "interval": "bootstrap",
    }
    return {**labels(dose, **changes), "split": split, "group": "off_domain", "metric": metric, **numbers}


def contrast(dose: float, split: str, reference: str, triple: Triple, **changes: object) -> dict[str, object]:
    numbers = dict(zip(("difference", "low", "high"), triple, strict=True))
    return {**labels(dose, **changes), "split": split, "reference": reference, **numbers, "n_questions": 10}


DISAGREEING = [  # dose 1 is best on dev, dose 2 on test
    *[rate(None, split, 0.0) for split in ("dev", "test")],
    *[rate(1.0, "dev", 0.6), rate(1.0, "test", 0.2), rate(1.0, "test", 88.0, "coherence"), rate(1.0, "dev", 11.0, "coherence")],
    *[rate(2.0, "dev", 0.5), rate(2.0, "test", 0.9), rate(2.0, "test", 77.0, "coherence")],
    {**rate(2.0, "dev", 1.0), "group": "in_domain"},
]
CONTRASTS = [
    *[contrast(1.0, "dev", reference, (0.6, 0.5, 0.7)) for reference in ("base", "random")],
    *[contrast(1.0, "test", "base", (0.2, 0.1, 0.3)), contrast(1.0, "test", "random", (0.15, 0.05, 0.25))],
    *[contrast(2.0, "test", reference, (0.9, 0.8, 1.0)) for reference in ("base", "random")],
]


def claimed(folder: Path, rates: list[dict], contrasts: list[dict] = CONTRASTS) -> pd.DataFrame:
    """The claims of real tables on disk."""
    numbers = dict.fromkeys(("value", "low", "high"), float)
    schemas.write(
        schemas.frame_of(rates, schemas.Rates).astype(numbers), schemas.Rates, folder / "rates.parquet", {"address": "rates"}
    )
    schemas.write(
        schemas.frame_of(contrasts, schemas.Contrasts), schemas.Contrasts, folder / "contrasts.parquet", {"address": "contrasts"}
    )
    inputs = {name: (folder / f"{name}.parquet",) for name in ("rates", "contrasts")}
    addresses = {name: (name,) for name in inputs}
    job = Job(Claims(smallest_effect=SMALLEST), inputs, addresses, "claims--0", folder / "out.parquet", {})
    return schemas.check(claims.table(job), schemas.Claims, "claims")


def test_the_setting_is_chosen_on_dev_and_reported_on_test(tmp_path: Path) -> None:
    (claim,) = claimed(tmp_path, DISAGREEING).to_dict("records")
    assert claim["setting"] == "tiny.gardening.trained.a1"
    assert (claim["base"], claim["treated"], claim["coherence"]) == (0.0, 0.2, 88.0)
    assert (claim["over_base"], claim["over_base_low"], claim["over_base_high"]) == (0.2, 0.1, 0.3)
    assert (claim["over_random"], claim["over_random_low"], claim["over_random_high"]) == (0.15, 0.05, 0.25)
    assert (claim["verdict"], claim["smallest_effect"]) == ("supported", SMALLEST)


def test_a_setting_without_a_judged_dev_answer_is_never_chosen(tmp_path: Path) -> None:
    null = {"value": None, "low": None, "high": None, "n": 0}
    rates = [row | (null if row["setting"].endswith("a1") and row["split"] == "dev" else {}) for row in DISAGREEING]
    (claim,) = claimed(tmp_path, rates).to_dict("records")
    assert claim["setting"] == "tiny.gardening.trained.a2"


@pytest.mark.parametrize(
    "rates", [[rate(1.0, "dev", None), rate(1.0, "test", 0.9)], [rate(1.0, "test", 0.9)]], ids=["none judged", "none asked"]
)
def test_no_judged_dev_answer_is_inconclusive_and_no_crash(tmp_path: Path, rates: list[dict]) -> None:
    (claim,) = claimed(tmp_path, [rate(None, "test", 0.0), *rates]).to_dict("records")
    assert (claim["verdict"], claim["setting"], claim["why"]) == ("inconclusive", "none", "no judged answer on dev questions")
    assert np.isnan([claim[name] for name in ("base", "treated", "over_base", "over_random", "coherence")]).all()


@pytest.mark.parametrize(
    ("kept", "why"), [(["random"], "not tested against base"), (["base"], "no random direction was tested at this dose")]
)
def test_a_reference_that_was_not_tested_is_null_and_inconclusive(tmp_path: Path, kept: list[str], why: str) -> None:
    (claim,) = claimed(tmp_path, DISAGREEING, [row for row in CONTRASTS if row["reference"] in kept]).to_dict("records")
    (missing,) = {"base", "random"} - set(kept)
    assert (claim["verdict"], claim["why"]) == ("inconclusive", why)
    assert np.isnan(claim[f"over_{missing}"])


@pytest.mark.parametrize("place", ["model", "task", "vector", "benchmark", "judge"])
def test_every_place_has_a_verdict_of_its_own_numbers(tmp_path: Path, place: str) -> None:
    elsewhere = {place: "other"}
    if place == "model":
        elsewhere["setting"] = "other.gardening.trained.a1"
    rates = [*DISAGREEING, rate(1.0, "dev", 0.3, **elsewhere), rate(1.0, "test", 0.7, **elsewhere)]
    contrasts = [*CONTRASTS, contrast(1.0, "test", "base", (0.01, -0.01, 0.02), **elsewhere)]
    found = claimed(tmp_path, rates, contrasts).set_index(place)
    assert found["treated"].to_dict() == {CONTRASTS[0][place]: 0.2, "other": 0.7}
    assert found["verdict"].to_dict() == {CONTRASTS[0][place]: "supported", "other": "not supported"}
