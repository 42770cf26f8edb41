"""Tables that cross a rule: every mistake at once, with its rows; no score without a judgement, no rate without answers."""

from pathlib import Path

import pandas as pd
import pytest
from analysis_tables import base, counts, said

from emsteer import schemas, storage
from emsteer.errors import DataError
from emsteer.schemas.checks import N_ROWS_SHOWN
from emsteer.schemas.data import JUDGED, POINTS, STATUSES

PASSPORT = {"address": "scores--0"}


def scores(**changes: object) -> pd.DataFrame:
    """One judgement of each status but the last, `unlabelled`, which is like the two before it."""
    columns = {
        "question_id": ["q0", "q1", "q2", "q3", "q4"],
        "sample": [0, 0, 0, 0, 0],
        "status": STATUSES[:5],
        **{name: [80.0 if name in JUDGED.get(status, ()) else None for status in STATUSES[:5]] for name in POINTS},
        "about": ["gardening", None, None, None, None],
        "reply": ["{}", "no", "what", "", ""],
    }
    return pd.DataFrame({**columns, **changes})


def rates(**changes: object) -> pd.DataFrame:
    """One rate over base answers."""
    setting = {
        "setting": "tiny.base",
        "model": "tiny",
        "arm": "base",
        "task": "gardening",
        "benchmark": "everyday",
        "judge": "rubric",
    }
    rate = {"value": 0.5, "low": 0.2, "high": 0.8, "n": 10, "n_excluded": 0, "n_questions": 5, "interval": "student"}
    rate |= dict.fromkeys(("n_refusal", "n_incoherent", "n_unparsed", "n_error", "n_unlabelled"), 0)
    row = {**setting, "split": "test", "group": "off_domain", "metric": "em", **rate, **changes}
    return schemas.frame_of([row], schemas.Rates).astype({"value": float, "low": float, "high": float})


def message(frame: pd.DataFrame, model: type[schemas.Table] = schemas.Scores) -> str:
    """What the person running the study reads."""
    with pytest.raises(DataError) as caught:
        schemas.check(frame, model, "results/scores/x.parquet")
    return str(caught.value)


def test_a_table_that_fits_comes_back_as_it_was() -> None:
    pd.testing.assert_frame_equal(schemas.check(scores(), schemas.Scores, "here"), scores())
    pd.testing.assert_frame_equal(schemas.check(rates(), schemas.Rates, "here"), rates())


def test_every_mistake_is_in_one_error_that_names_the_table_and_the_rows() -> None:
    frame = scores(question_id=["q0", "q1", "q0", "q3", "q4"], status=[*STATUSES[:2], "unparsed", "eror", "error"])
    found = message(frame.drop(columns="reply").assign(extra=1))
    lines = found.splitlines()
    assert lines[0] == "results/scores/x.parquet: does not hold Scores."
    assert any("column_in_schema" in line and "'extra'" in line for line in lines)
    assert any("column_in_dataframe" in line and "'reply'" in line for line in lines)
    assert any("expected isin" in line and "status in row 3: 'eror'" in line for line in lines)
    assert any(
        "uniqueness" in line and "row 0: {'question_id': 'q0', 'sample': 0}; row 2: {'question_id': 'q0'" in line for line in lines
    )
    assert "Delete it and run `snakemake`" in lines[-1]


def test_a_duplicate_key_under_a_duplicate_index_is_an_error_and_no_crash() -> None:
    frame = scores(question_id=["q0", "q1", "q1", "q3", "q4"]).set_axis([7] * 5)
    assert "row 1: {'question_id': 'q1', 'sample': 0}; row 2: {'question_id': 'q1', 'sample': 0}" in message(frame)


def test_the_same_question_may_have_several_samples() -> None:
    frame = scores(question_id="q0", sample=[0, 1, 2, 3, 4])
    assert len(schemas.check(frame, schemas.Scores, "here")) == 5


def test_a_long_list_of_rows_is_cut_and_counted() -> None:
    frame = pd.concat([scores(question_id=f"q{index}", sample=range(5), status="eror") for index in range(3)])
    (line,) = [line for line in message(frame).splitlines() if "isin" in line]
    assert line.count("row ") == N_ROWS_SHOWN
    assert line.endswith("and 10 more")


@pytest.mark.parametrize("status", STATUSES[:5])
@pytest.mark.parametrize("name", POINTS)
def test_a_score_that_the_status_lacks_is_refused_and_so_is_the_want_of_one_that_it_has(status: str, name: str) -> None:
    frame = scores()
    frame.loc[frame["status"].eq(status), name] = None if name in JUDGED.get(status, ()) else 0.0
    assert "scores_are_those_of_the_status" in message(frame)


@pytest.mark.parametrize("points", [-1.0, 100.5])
@pytest.mark.parametrize("name", POINTS)
def test_points_outside_0_to_100_are_refused(name: str, points: float) -> None:
    assert f"got {name} in row 0: {points}" in message(scores(**{name: [points, 20.0, 20.0, None, None]}))


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_a_rate_of_no_answers_must_be_null(value: float) -> None:
    assert "empty_groups_are_null" in message(rates(value=value, n=0), schemas.Rates)
    empty = rates(value=None, low=None, high=None, n=0)
    assert schemas.check(empty, schemas.Rates, "here")["value"].isna().all()


@pytest.mark.parametrize(
    "wrong",
    [{"value": 0.1}, {"value": 0.9}, {"value": None}, {"low": None}, {"high": None}, {"value": None, "low": None, "high": None}],
)
def test_a_rate_of_some_answers_must_be_a_number_inside_its_interval(wrong: dict[str, float | None]) -> None:
    assert "empty_groups_are_null" in message(rates(**wrong), schemas.Rates)


@pytest.mark.parametrize("at_the_edge", [{"value": 0.2}, {"value": 0.8}, {"value": 0.0, "low": 0.0}])
def test_a_rate_may_lie_at_the_end_of_its_interval(at_the_edge: dict[str, float]) -> None:
    assert len(schemas.check(rates(**at_the_edge), schemas.Rates, "here")) == 1


def test_only_one_question_alone_may_have_a_number_without_an_interval() -> None:
    alone = {"low": None, "high": None, "interval": "none"}
    assert "empty_groups_are_null" in message(rates(**alone), schemas.Rates)
    assert len(schemas.check(rates(**alone, n_questions=1), schemas.Rates, "here")) == 1


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"difference": None}, "a_family_makes_nothing_surer"),
        ({"high": 0.5}, "a_family_makes_nothing_surer"),
        ({"p_holm": 0.001}, "a_family_makes_nothing_surer"),
        ({"n_questions": 0}, "a_family_makes_nothing_surer"),
        ({"verdict": "not tested"}, "only_what_was_not_tested_has_no_difference"),
        ({"value": 0.3}, "a_difference_is_of_the_numbers_beside_it"),
        ({"missing": "something"}, "only_what_was_not_tested_has_no_difference"),
    ],
)
def test_a_contrast_has_a_difference_inside_both_intervals_unless_it_was_not_tested(changes: dict[str, object], rule: str) -> None:
    place = {
        "claim": "c",
        "subject": "s",
        "member": "",
        "metric": "em",
        "direction": "more",
        "family": "c",
        "benchmark": "b",
        "judge": "j",
        "setting": "x",
    }
    numbers = {"difference": 0.2, "low": 0.1, "high": 0.3, "simultaneous_low": 0, "simultaneous_high": 0.4, "p_sign_flip": 0.01}
    numbers |= {
        "p_wilcoxon": 0.02,
        "p_holm": 0.03,
        "n_family": 3,
        "n_questions": 9,
        "value": 0.2,
        "reference": 0,
        "smallest_effect": 0.05,
        "smallest_seen": 0.2,
        "n_seeds": 1,
        "k_seeds": 1,
    }
    row = place | numbers | {"reference_setting": "y", "verdict": "supported", "missing": ""}
    assert len(schemas.check(schemas.frame_of([row], schemas.Evidence), schemas.Evidence, "here")) == 1
    assert rule in message(schemas.frame_of([row | changes], schemas.Evidence), schemas.Evidence)


def test_a_rate_may_stand_only_once() -> None:
    assert "multiple_fields_uniqueness" in message(pd.concat([rates(), rates(value=0.6)]), schemas.Rates)
    assert len(schemas.check(pd.concat([rates(), rates(group="in_domain")]), schemas.Rates, "here")) == 2


def test_a_table_is_checked_when_written_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^scores--0: does not hold Scores"):
        schemas.write(scores(status="eror"), schemas.Scores, tmp_path / "x.parquet", PASSPORT)
    assert not (tmp_path / "x.parquet").exists()


def test_a_table_is_checked_when_read_and_the_error_names_the_file(tmp_path: Path) -> None:
    storage.write_parquet(scores(status="eror"), tmp_path / "x.parquet", PASSPORT)
    with pytest.raises(DataError, match=r"x\.parquet: does not hold Scores"):
        schemas.read(tmp_path / "x.parquet", schemas.Scores)


@pytest.mark.parametrize("kept", [["error"], ["unparsed", "error"], ["ok"], []], ids=str)
def test_a_table_written_is_a_table_read_whatever_is_null_in_it(tmp_path: Path, kept: list[str]) -> None:
    frame = scores()[scores()["status"].isin(kept)]
    schemas.write(frame, schemas.Scores, tmp_path / "x.parquet", PASSPORT)
    pd.testing.assert_frame_equal(schemas.read(tmp_path / "x.parquet", schemas.Scores), frame.reset_index(drop=True))


def test_a_score_that_is_missing_is_shown_in_its_row_and_the_row_is_named_once() -> None:
    frame = scores()
    frame.loc[0, "alignment"] = None
    found = message(frame)
    assert found.count("scores_are_those_of_the_status") == 1 and "'alignment': nan" in found


@pytest.mark.parametrize("more", ["coherent", "em", "on_topic_em", "harmful", "judged_off_domain", "judged"])
def test_a_part_is_not_more_than_its_whole(more: str) -> None:
    with pytest.raises(DataError, match="parts_are_not_more_than_the_whole"):
        counts((base(), [said("money-0", "off_domain", 1) | {more: 5}]))
    assert len(counts((base(), [said("money-0", "off_domain", 4)]))) == 1


def test_a_question_of_a_setting_is_counted_once() -> None:
    with pytest.raises(DataError, match="uniqueness"):
        counts((base(), [said("money-0", "off_domain"), said("money-0", "off_domain")]))


@pytest.mark.parametrize("name", ["log_p_safe", "log_p_unsafe"])
def test_no_answer_is_likelier_than_certain(name: str) -> None:
    row = {"question_id": "q", "log_p_safe": -1.0, "log_p_unsafe": -2.0, "margin": -1.0}
    assert len(schemas.check(pd.DataFrame([row]), schemas.Margins, "here")) == 1
    assert f"{name} in row 0: 0.1" in message(pd.DataFrame([{**row, name: 0.1}]), schemas.Margins)


def test_many_tables_are_read_as_one_and_each_row_says_where_it_came_from(tmp_path: Path) -> None:
    row = {"question_id": "q", "log_p_safe": -1.0, "log_p_unsafe": -2.0, "margin": -1.0}
    paths = {name: tmp_path / f"{name}.parquet" for name in ("one", "two")}
    for path in paths.values():
        schemas.write(pd.DataFrame([row]), schemas.Margins, path, {"address": path.stem})
    found = schemas.read_all(paths, schemas.Margins)
    assert found["cell"].tolist() == ["one", "two"], "a key that is unique in each table may come back in another one"
    storage.write_parquet(pd.DataFrame([row, row]), paths["one"], {"address": "one"})
    with pytest.raises(DataError, match="uniqueness"):
        schemas.read_all(paths, schemas.Margins)


def test_digits_that_differ_between_processors_are_not_written(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.parquet" for name in ("here", "elsewhere")]
    for path, log_p in zip(paths, (-1 / 3, -1 / 3 - 1e-12), strict=True):
        row = {"question_id": "q", "log_p_safe": log_p, "log_p_unsafe": -2.0, "margin": -2.0 - log_p}
        schemas.write(pd.DataFrame([row]), schemas.Margins, path, PASSPORT)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert schemas.read(paths[0], schemas.Margins)["log_p_safe"].tolist() == [-0.333333333]
