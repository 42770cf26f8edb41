"""Traces, and arms compared where they are equal in something: by hand, on questions that all agree."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from analysis_tables import BASE_POINT, BOOTSTRAP, Row, asked, base, counts, finetuned, job_on, steered

from emsteer import schemas
from emsteer.analysis import matched
from emsteer.analysis.traces import traces
from emsteer.recipes import Matched

PARTS = [  # in-domain EM 0, 1/2, 1; off-domain 0, 1/4, 1/2 steered and 0, 0, 3/4 finetuned; the vector's coverage falls
    (base(), asked(0)),
    (steered(1), asked(2, 4, coherent=2)),
    (steered(0.5), asked(1, 2, coherent=3)),
    (finetuned(0.5), asked(0, 2)),
    (finetuned(1), asked(3, 4)),
    (finetuned(1, steps=4), asked(0, 1)),
]


def table(folder: Path, *parts: tuple[Row, list[Row]], in_domain_em: tuple[float, ...] = (0.25, 0.75)) -> pd.DataFrame:
    recipe = Matched(bootstrap=BOOTSTRAP, base_point=BASE_POINT, in_domain_em=in_domain_em, coverage=(0.9,))
    found = schemas.check(matched.table(job_on(counts(*parts), recipe, folder)), schemas.Matched, "by hand")
    return found.set_index(["path", "matched", "at", "metric"])


def test_a_trace_runs_from_the_untreated_model_along_dose_scale_or_steps() -> None:
    found = {(one.treatment, one.path): one for one in traces(counts(*PARTS), BASE_POINT)}
    assert {name: one.at.tolist() for name, one in found.items()} == {
        ("trained", "dose"): [0, 0.5, 1], ("lora", "scale"): [0, 0.5, 1], ("lora", "steps"): [0, 4, 32],
    }  # fmt: skip
    off_domain = found["trained", "dose"].block.questions["relation"].ne("in_domain").to_numpy()
    top, bottom = found["trained", "dose"].block.of("on_topic_em", off_domain)
    assert (top.sum(1) / bottom.sum(1)).tolist() == [0, 0.25, 0.5], "in the order of the doses"


def test_one_setting_is_no_trace_and_without_a_base_there_is_none() -> None:
    assert list(traces(counts((base(), asked(0)), (steered(1), asked(1))), BASE_POINT)) == []
    assert list(traces(counts(*PARTS[1:]), BASE_POINT)) == []


def test_sides_are_read_off_where_they_do_equal_narrow_harm(tmp_path: Path) -> None:
    found = table(tmp_path, *PARTS)
    scale = found.loc["scale"].loc["in_domain_em"]
    numbers = scale.xs("on_topic_em", level="metric")[["value", "reference_value", "difference", "low", "high", "reached"]]
    assert numbers.loc[0.25].tolist() == [0.125, 0, 0.125, 0.125, 0.125, 1]
    assert numbers.loc[0.75].tolist() == [0.375, 0.375, 0, 0, 0, 1]
    assert scale.loc[(0.25, "coverage"), ["value", "reference_value"]].tolist() == [0.875, 1]
    assert found.loc[("steps", "in_domain_em", 0.75, "on_topic_em"), "reference_value"] == pytest.approx(0.75 * 2 / 3)


def test_a_level_that_one_side_does_not_reach_or_is_at_untreated_has_no_row(tmp_path: Path) -> None:
    assert "coverage" not in table(tmp_path, *PARTS).index.get_level_values("matched"), "the adapter stays coherent"
    weak = [*PARTS[:3], (finetuned(0.5), asked(0, 1)), (finetuned(1), asked(3, 2))]
    assert set(table(tmp_path, *weak).index.get_level_values("at")) == {0.25}
    harmful = [(base(), asked(0, 2)), *PARTS[1:5]]
    assert set(table(tmp_path, *harmful).index.get_level_values("at")) == {0.75}


def test_sides_are_read_off_where_they_are_equally_coherent(tmp_path: Path) -> None:
    incoherent = [*PARTS[:4], (finetuned(1), asked(3, 4, coherent=3))]
    row = table(tmp_path, *incoherent).loc[("scale", "coverage", 0.9, "on_topic_em")]
    assert row["value"] == pytest.approx(0.1), "0.4 of the way to 0.25"
    assert row["reference_value"] == pytest.approx(0.4 * 0.75), "0.4 of the way from 0 to 0.75"


def test_an_interval_is_over_questions(tmp_path: Path) -> None:
    mixed = [row | {"on_topic_em": 4 * (index % 2) * (row["relation"] != "in_domain"), "em": max(row["em"], 4 * (index % 2))}
             for index, row in enumerate(asked(2, 4, n=20))]  # fmt: skip
    flat = [(base(), asked(0, n=20)), (steered(0.5), asked(0, 2, n=20)), (steered(1), mixed),
            (finetuned(0.5), asked(0, 2, n=20)), (finetuned(1), asked(2, 4, n=20))]  # fmt: skip
    row = table(tmp_path, *flat, in_domain_em=(1.0,)).loc[("scale", "in_domain_em", 1.0, "on_topic_em")]
    expected = 1.96 * np.sqrt(0.25 / 20)
    assert (
        row["difference"] == 0 and 0.7 * expected < row["high"] < 1.3 * expected and -1.3 * expected < row["low"] < -0.7 * expected
    )
