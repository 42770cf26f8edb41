"""Two judges on the same answers: κ, rank correlation, bias and limits of agreement, against other people's programs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from analysis_tables import BASE_POINT, BOOTSTRAP
from bounds import overlaps
from planning import miniature, moved, resolved, slugs
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from emsteer import schemas
from emsteer.analysis import judges
from emsteer.analysis.judges import ANSWER, pairs
from emsteer.figures import judges as figures
from emsteer.figures.words import NOTHING

SCORES = ["alignment", "coherence", "relevance"]


def answers(n_questions: int = 20, n_samples: int = 3, noise: float = 12.0, seed: int = 0) -> pd.DataFrame:
    """Judged by `one`, and by `other`, who is milder by ten points of alignment and noisier."""
    rng = np.random.default_rng(seed)
    n = n_questions * n_samples
    frame = pd.DataFrame({"benchmark": "everyday", "answers": "a", "sample": np.tile(range(n_samples), n_questions)})
    frame["question_id"] = [f"q{index // n_samples}" for index in range(n)]
    frame = frame.assign(arm=np.where(np.arange(n) % 2, "steered", "base"), judged=True)
    truth = rng.uniform(0, 80, n)
    one = frame.assign(judge="one", alignment=truth, coherence=rng.uniform(0, 100, n), relevance=50.0)
    other = one.assign(judge="other", alignment=(truth + 10 + rng.normal(0, noise, n)).clip(0, 100), relevance=60.0)
    return pd.concat([of.assign(em=of["alignment"].lt(30) & of["coherence"].gt(50)) for of in (one, other)], ignore_index=True)


def found(frame: pd.DataFrame) -> pd.DataFrame:
    table = schemas.check(schemas.frame_of(list(pairs(frame, BOOTSTRAP)), schemas.Judges), schemas.Judges, "here")
    return table.set_index(["scope", "score"])


def sides(frame: pd.DataFrame, name: str) -> tuple[np.ndarray, np.ndarray]:
    one, other = (frame.loc[frame["judge"].eq(judge), name].to_numpy() for judge in ("one", "other"))
    return one, other


def test_agreement_is_that_of_sklearn_and_scipy_over_all_answers_and_arm_by_arm() -> None:
    frame = answers()
    table = found(frame)
    assert list(table.index.get_level_values("scope").unique()) == ["all", "base", "steered"]
    for scope, of in (("all", frame), *frame.groupby("arm")):
        em, alignment = table.loc[(scope, "em")], table.loc[(scope, "alignment")]
        assert em["agreement"] == pytest.approx(cohen_kappa_score(*sides(of, "em")))
        assert alignment["agreement"] == pytest.approx(stats.spearmanr(*sides(of, "alignment")).statistic)
        assert em["low"] < em["agreement"] < em["high"] and alignment["low"] < alignment["agreement"] < alignment["high"]
        assert (em["n"], em["n_questions"]) == (len(of) // 2, of["question_id"].nunique())


def test_bias_and_limits_are_those_of_bland_and_altman() -> None:
    frame = answers()
    table = found(frame)
    one, other = sides(frame, "alignment")
    row = table.loc[("all", "alignment")]
    assert row["bias"] == pytest.approx((one - other).mean()) and row["bias_low"] < row["bias"] < row["bias_high"] < 0
    half = 1.959964 * (one - other).std(ddof=1)
    assert (row["limit_low"], row["limit_high"]) == pytest.approx((row["bias"] - half, row["bias"] + half), rel=1e-6)
    em = table.loc[("all", "em")]
    ems = sides(frame, "em")
    assert em["bias"] == pytest.approx(ems[0].mean() - ems[1].mean()) and pd.isna(em["limit_low"])


def test_a_judge_agrees_with_itself_and_where_nothing_varies_there_is_no_agreement_to_speak_of() -> None:
    frame = answers(noise=0)
    other = frame[frame["judge"].eq("one")].assign(judge="again")
    table = found(pd.concat([frame[frame["judge"].eq("one")], other]))
    assert table.loc[("all", "em"), "agreement"] == table.loc[("all", "coherence"), "agreement"] == pytest.approx(1)
    assert table.loc[("all", "alignment"), ["bias", "limit_low", "limit_high"]].tolist() == [0, 0, 0]
    assert pd.isna(table.loc[("all", "relevance"), "agreement"]), "50 points for every answer"
    nobody = found(pd.concat([frame[frame["judge"].eq("one")], other]).assign(em=False))
    assert pd.isna(nobody.loc[("all", "em"), "agreement"]) and nobody.loc[("all", "em"), "bias"] == 0


def test_only_what_both_scored_is_compared() -> None:
    frame = answers()
    lost = frame["judge"].eq("other") & frame["question_id"].eq("q0")
    frame.loc[lost, SCORES] = np.nan
    frame.loc[lost, ["judged", "em"]] = False
    frame.loc[frame["judge"].eq("one") & frame["question_id"].eq("q1"), "alignment"] = np.nan  # a refusal
    table = found(frame)
    numbers = table.loc["all", ["n", "n_questions"]]
    assert numbers.loc["em"].tolist() == numbers.loc["coherence"].tolist() == [57, 19]
    assert numbers.loc["alignment"].tolist() == [54, 18]
    elsewhere = frame["sample"].where(frame["judge"].eq("one"), frame["sample"] + 10)
    none = found(frame.assign(sample=elsewhere))
    assert none.loc[("all", "em"), "n"] == 0 and none.loc["all", ["agreement", "bias", "limit_low"]].isna().all(axis=None)


def test_answers_to_one_question_are_no_independent_answers() -> None:
    frame = answers(n_questions=12)
    copies = pd.concat([frame.assign(sample=frame["sample"] + 10 * index) for index in range(9)])
    for name in ("em", "alignment"):
        once, often = found(frame).loc[("all", name)], found(copies).loc[("all", name)]
        assert (once["low"], once["high"]) == pytest.approx((often["low"], often["high"])), "the same answers, nine times"


def test_three_judges_are_three_pairs_and_an_answer_counts_once_whatever_tasks_it_stands_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = answers()
    third = frame[frame["judge"].eq("one")].assign(judge="third", alignment=40.0)
    rows = list(pairs(pd.concat([frame, third]), BOOTSTRAP))
    assert list(dict.fromkeys((row["judge"], row["other"]) for row in rows)) == [
        ("one", "other"), ("one", "third"), ("other", "third"),
    ]  # fmt: skip
    twice = pd.concat([frame.assign(task="gardening"), frame.assign(task="money")])
    monkeypatch.setattr(schemas, "read_parts", lambda *_: [twice])

    class Made:
        recipe = type("Recipe", (), {"bootstrap": BOOTSTRAP})

        def input(self, _: str) -> Path:
            return tmp_path

    table = judges.table(Made())  # type: ignore[arg-type]
    assert table.loc[table["scope"].eq("all"), "n"].tolist() == [60] * 4
    assert set(ANSWER) <= set(frame)


def test_every_pair_is_a_row_of_panels_and_its_words_say_the_numbers_of_the_table() -> None:
    frame = answers()
    third = frame[frame["judge"].eq("one")].assign(judge="third", sample=99 + frame["sample"])  # scored nothing that others did
    table = found(pd.concat([frame, third])).reset_index()
    figure, shown = figures.draw(schemas.frame_of(table, schemas.Judges), BASE_POINT)
    assert overlaps(figure) == []
    titles = [axis.get_title() for axis in figure.axes]
    assert titles[:2] == ["one and other, everyday", "one minus other"] and len(titles) == 6
    drawn = [len(axis.get_lines()) for axis in figure.axes]
    assert drawn[0] == 2 * 3, "relevance does not vary"
    assert drawn[1] == 1 + 3 * 4 and drawn[2:] == [0, 1, 0, 1], "nothing but the line at zero"
    row = table.set_index(["judge", "other", "scope", "score"]).loc[("one", "other", "all", "alignment")]
    said = figures.words(shown).splitlines()
    assert len(said) == 3 and f"alignment ρ {row['agreement']:.2f} [{row['low']:.2f}, {row['high']:.2f}]" in said[0]
    assert f"bias {row['bias']:+.1f} [{row['bias_low']:+.1f}, {row['bias_high']:+.1f}] points, limits " in said[0]
    assert "relevance ρ nothing varies, bias -10.0" in said[0] and "EM: no answer that both scored" in said[1]
    assert figures.words(shown.head(0)) == NOTHING
    assert len(figures.draw(schemas.frame_of([], schemas.Judges), BASE_POINT)[0].axes) == 2


def test_judges_are_compared_where_there_are_two() -> None:
    raw = miniature()
    assert not [cell for cell in resolved(raw).of("tables") if cell.address.startswith("judges")]
    before = resolved(raw)
    raw["judges"]["again"] = raw["judges"]["rubric"] | {"relevance": {"n_dimensions": 9, "n_background": 200}}
    added = moved(before, resolved(raw))
    assert "judges" in slugs(added["tables"]) and "judges" in slugs(added["figures"]) and "answers" not in added
