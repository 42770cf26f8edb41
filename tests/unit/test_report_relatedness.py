"""The page on relatedness: a warning before all claims where questions overlap with the task, and the table behind it."""

from pathlib import Path

import pandas as pd
import pytest
from page_words import Words
from report_tables import shelf, study

from emsteer import schemas
from emsteer.report.page import render


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shelf(tmp_path_factory.mktemp("answers"))


def unrelated(n_overlapping: int) -> dict[str, pd.DataFrame]:
    """Twelve off-domain questions, of which the first so many overlap, and one in-domain question, which always does."""
    place = {"embedder": "words", "task": "gardening"}
    asked = [
        {
            **place, "benchmark": "everyday", "question_id": f"q{i}", "category": "gardening" if i == 12 else "money",
            "split": "test", "in_domain": i == 12,
            "nearest": 0.9 - i / 100, "mean": 0.1, "own_share": 0.5, "overlaps": i < n_overlapping or i == 12,
            "about": {3: "gardening", 4: None, 5: "cooking"}.get(i, "money"),
            "nearest_prompt": "near", "prompt": f"why <b>{i}</b> ?",
        }
        for i in range(13)
    ]  # fmt: skip
    numbers = {"n_prompts": 30, "n": 12, "nearest": 0.4, "mean": 0.123, "overlapping": n_overlapping / 12}
    tests = {"auc": 0.98, "mmd": 0.61, "mmd_null": 0.02, "p_mmd": 0.001}
    rows = [
        place | numbers | tests | {"against": "off_domain", "name": "everyday"},
        place | numbers | dict.fromkeys(tests) | {"against": "own", "name": "gardening"},
    ]
    return {
        "distances": schemas.frame_of(asked, schemas.Distances),
        "relatedness": schemas.frame_of(rows, schemas.Relatedness),
    }


def test_the_first_screen_warns_where_questions_called_off_domain_overlap_with_the_task(tmp_path: Path, answers: Path) -> None:
    page = Words(render(study(tmp_path, answers, **unrelated(6))))
    first = page.limits
    assert (
        "Questions called off-domain overlap with the target task gardening. 6 of the 12 off-domain questions of everyday (50.0 %)"
        in first
    )
    assert "“why <b>0</b> ?”" in first and "“why <b>4</b> ?” and others" in first and "<b>5" not in first


def test_what_the_task_was_compared_with_is_shown_and_no_warning_where_nothing_overlaps(tmp_path: Path, answers: Path) -> None:
    page = Words(render(study(tmp_path, answers, **unrelated(0))))
    assert "overlap with the target task" not in page.text
    own = ["gardening", "its own prompts", "words", "30 / 12", "0.40", "0.12", "0.0", "–", "– (–)", "–"]
    assert own in page.rows
    assert [*own[:1], "off-domain questions of everyday", *own[2:7], "0.98", "0.61 (0.02)", "0.001"] in page.rows


def test_questions_on_the_other_side_of_the_line_around_a_task_are_listed_for_a_reader(tmp_path: Path, answers: Path) -> None:
    page = Words(render(study(tmp_path, answers, **unrelated(0))))
    assert (
        page.text.count("In-domain or not? 2 of the 13 questions of everyday lie on the other side of the line around gardening")
        == 1
    )
    assert "“why <b>3</b> ?”: called money, nearest to gardening" in page.text, "off-domain, and looks in-domain"
    assert "“why <b>12</b> ?”: called gardening, nearest to money" in page.text, "in-domain, and looks off-domain"
    for i in (4, 5):  # alone in its category, so that nothing can be said; off-domain, whichever other category it is nearest to
        assert f"“why <b>{i}</b> ?”: called" not in page.text


def test_nothing_is_said_of_relatedness_where_it_was_not_measured(tmp_path: Path, answers: Path) -> None:
    assert "How unrelated are the questions?" not in Words(render(study(tmp_path, answers))).headings
