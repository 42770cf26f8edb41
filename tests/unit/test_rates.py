"""Rates: every measure of every setting, on dev and on test questions, and a view of them for people."""

from pathlib import Path

import pandas as pd
import pytest
from analysis_tables import asked, base, counts, job_on, steered

from emsteer import schemas
from emsteer.analysis import rates
from emsteer.analysis.measures import METRICS
from emsteer.recipes import Rates


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    counted = counts((base(), asked(0, linked=0)), (steered(1), asked(1, 4, linked=3)))
    return schemas.check(rates.table(job_on(counted, Rates(level=0.95), tmp_path)), schemas.Rates, "rates")


def test_every_setting_split_group_and_metric_has_one_number(table: pd.DataFrame) -> None:
    groups = ["off_domain", "in_domain", "linked", "unlinked"]
    of_test = [*groups, "gardening", "money"]
    assert len(table) == 2 * len(METRICS) * (len(groups) + len(of_test))
    assert set(table.loc[table["split"].eq("dev"), "group"]) == set(groups), "categories are reported on test questions only"
    assert set(table.loc[table["split"].eq("test"), "group"]) == set(of_test)
    assert table["n"].eq(0).equals(table["value"].isna())


def test_numbers_stand_beside_the_setting_they_are_of(table: pd.DataFrame) -> None:
    found = table[table["metric"].eq("on_topic_em") & table["split"].eq("test")].set_index(["arm", "group"])["value"]
    of_steered = {"off_domain": 0.5, "linked": 0.75, "unlinked": 0.25, "money": 0.5}
    assert {group: found[("steered", group)] for group in of_steered} == of_steered
    assert found[("base", "off_domain")] == 0


def test_the_order_of_the_counts_moves_no_number(table: pd.DataFrame, tmp_path: Path) -> None:
    counted = counts((steered(1), asked(1, 4, linked=3)), (base(), asked(0, linked=0))).sample(frac=1, random_state=0)
    key = [*schemas.SETTING, "split", "group", "metric"]
    other = rates.rates(counted, 0.95)
    pd.testing.assert_frame_equal(*(of.sort_values(key).reset_index(drop=True) for of in (table, other)))


def test_the_view_has_one_row_a_group_and_every_number_with_its_interval_and_n(table: pd.DataFrame) -> None:
    wide = rates.published(table)
    assert set(wide["group"]) == {"off_domain", "in_domain", "linked", "unlinked"} and len(wide) == 2 * 2 * 4
    row = wide[wide["arm"].eq("steered") & wide["split"].eq("test") & wide["group"].eq("linked")].iloc[0]
    assert (row["on_topic_em"], row["on_topic_em_n"]) == (0.75, 12)
    assert row["on_topic_em_low"] <= 0.75 <= row["on_topic_em_high"]
    assert {f"{metric}{end}" for metric in METRICS for end in ("", "_low", "_high", "_n")} <= set(wide.columns)
    headline = {"bound_low": 0.75, "bound_high": 0.75, "without_one_low": 0.75, "without_one_high": 0.75, "carried_by_two": 2 / 3}
    assert {name: row[f"on_topic_em_{name}"] for name in headline} == pytest.approx(headline)
    assert row[["n_excluded", "n_refusal", "n_unparsed", "n_error", "n_unlabelled"]].tolist() == [0] * 5


def test_no_counts_are_an_empty_table() -> None:
    assert len(rates.rates(schemas.frame_of([], schemas.Counts), 0.95)) == 0
