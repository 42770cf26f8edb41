"""Fits along the dose: planted curves are found again, and nothing is said of doses that nobody looked at."""

from pathlib import Path

import numpy as np
import pytest
from analysis_tables import BASE_POINT, asked, base, counts, finetuned, job_on, steered

from emsteer import schemas
from emsteer.analysis import dose_fits
from emsteer.analysis.dose_fits import coverage, fitted, harm
from emsteer.recipes import DoseFits

ANSWERS = np.full(9, 10_000.0)


@pytest.mark.parametrize(("onset", "collapse"), [(0.5, 1.4), (0.8, 1.1), (0.4, 3.0)])
def test_planted_curves_are_found_again(onset: float, collapse: float) -> None:
    doses = np.linspace(0, 2, 9)
    covering = np.array([4.0, collapse, np.log(0.12)])
    harming = np.array([-6.0, 1.0, onset, np.log(0.1)])
    coherent = ANSWERS * coverage(covering, doses)
    found = fitted(doses, coherent * harm(harming, doses), coherent, ANSWERS)
    grid = np.linspace(0, 2, 20_001)
    curve = coverage(covering, grid) * harm(harming, grid)
    half = grid[curve >= curve.max() / 2]
    assert found["peak"] == pytest.approx(curve.max(), abs=0.01)
    assert curve[np.abs(grid - found["peak_dose"]).argmin()] == pytest.approx(curve.max(), abs=0.005)
    assert found["threshold"] == pytest.approx(half[0], abs=0.02)
    assert found["residual_largest"] < 0.005 and found["n_settings"] == 9
    if collapse < 2:
        assert found["collapse"] == pytest.approx(collapse, abs=0.03)
        assert found["half_width"] == pytest.approx(half[-1] - half[0], abs=0.05)
    else:
        assert found["collapse"] is None and found["half_width"] is None, "nobody looked beyond 2"


def test_nothing_but_the_base_rate_has_a_flat_fit() -> None:
    found = fitted(np.linspace(0, 2, 9), 0.02 * ANSWERS, ANSWERS, ANSWERS)
    assert found["peak"] == pytest.approx(0.02, abs=0.002) and found["collapse"] is None


def test_a_table_has_a_row_for_each_vector_and_adapter_with_enough_doses(tmp_path: Path) -> None:
    parts = [(base(), asked(0)), *((steered(dose), asked(em)) for dose, em in ((0.5, 1), (1, 2), (1.5, 4)))]
    parts += [(finetuned(1), asked(3)), (finetuned(2), asked(3)), (finetuned(1, steps=4), asked(1))]
    table = dose_fits.table(job_on(counts(*parts), DoseFits(base_point=BASE_POINT), tmp_path))
    (row,) = schemas.check(table, schemas.DoseFits, "by hand").to_dict("records")
    assert (row["treatment"], row["arm"], row["n_settings"], row["largest_dose"]) == ("trained", "steered", 4, 1.5)
    assert row["peak"] > 0.9 and row["residual_rms"] < 0.1
