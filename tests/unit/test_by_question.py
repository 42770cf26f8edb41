"""By question: seeds pooled, shares of what was judged, Wilson's interval within a question; by hand."""

from pathlib import Path

import pandas as pd
import pytest
from analysis_tables import BASE_POINT, SELECTION, asked, base, counts, job_on, said, steered
from scipy import stats

from emsteer import schemas
from emsteer.analysis import by_question
from emsteer.recipes import ByQuestion


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    first = [*asked(3, 4)[:-1], said("money-test5", "off_domain", 3, of=3, error=1)]
    unread = said("money-test5", "off_domain", 0, of=0, error=4)
    counted = counts((base(), [*asked(0)[:-1], unread]), (steered(1), first), (steered(1, seed=1), asked(1, 4)))
    recipe = ByQuestion(level=0.95, selection=SELECTION, base_point=BASE_POINT)
    return schemas.check(by_question.table(job_on(counted, recipe, tmp_path)), schemas.ByQuestion, "here")


def test_every_shown_setting_has_every_question_of_both_splits_with_seeds_pooled(table: pd.DataFrame) -> None:
    assert set(table["point"]) == {"base", "chosen", "chosen_with_layer", "largest_dose"}
    assert table.groupby(["treatment", "point"]).size().eq(16).all()
    chosen = table[table["point"].eq("chosen")].set_index("question_id")
    assert (chosen["n"].drop("money-test5") == 8).all() and chosen.loc["money-test5", ["n", "n_excluded"]].tolist() == [7, 1]
    assert chosen.loc["money-test0", ["em", "on_topic_em", "coverage", "harmful"]].tolist() == [0.5, 0.5, 1, 0.5]
    assert chosen.loc["money-test0", ["alignment", "coherence", "relevance"]].tolist() == [50, 90, 80]
    assert (
        set(chosen["setting"]) == {"tiny.gardening.trained.l1.e8.a1"}
        and chosen.loc["money-dev0", "prompt"] == "what of money-dev0 ?"
    )


def test_an_interval_is_wilsons_over_the_answers_to_the_question(table: pd.DataFrame) -> None:
    row = table[table["point"].eq("chosen") & table["question_id"].eq("money-test0")].iloc[0]
    exact = stats.binomtest(4, 8).proportion_ci(0.95, method="wilson")
    assert (row["low"], row["high"]) == pytest.approx((exact.low, exact.high))


def test_in_domain_questions_have_no_on_topic_em_and_a_question_without_a_judgement_has_no_number(table: pd.DataFrame) -> None:
    assert table.loc[table["relation"].eq("in_domain"), "on_topic_em"].isna().all()
    assert table.loc[table["relation"].eq("in_domain") & table["point"].eq("chosen"), "em"].eq(1).all()
    lost = table[table["point"].eq("base") & table["question_id"].eq("money-test5")].iloc[0]
    assert (lost["n"], lost["n_excluded"]) == (0, 4)
    assert lost[["em", "low", "high", "coverage", "alignment", "on_topic_em"]].isna().all()


def test_the_view_is_of_test_questions_at_base_and_chosen_settings(table: pd.DataFrame) -> None:
    view = by_question.published(table)
    assert set(view["point"]) == {"base", "chosen"} and set(view["split"]) == {"test"} and len(view) == 2 * 8
