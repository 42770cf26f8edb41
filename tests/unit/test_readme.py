"""The README's numbers are those of `reports/metrics.json`, and a drift is noticed."""

import csv
import json
from pathlib import Path

import pytest

from emsteer.errors import StudyError
from emsteer.report import readme
from emsteer.report.readme import BEGIN, END


def numbers(value: float, **more: object) -> dict:
    return {"value": value, "low": value / 2, "high": value * 1.5, **more}


METRICS = {
    "base_point": {"model": "shared", "task": "gardening", "vector": "trained", "adapter": "lora"},
    "chosen": {
        "blocks": {"gardening": {"none": {"base": {
            "setting": "blocks.base", "in_domain": {"em": numbers(0.0)},
            "off_domain": {"on_topic_em": numbers(0.02), "coherence": numbers(95.2)},
            "linked": {"on_topic_em": numbers(0.0)}, "unlinked": {"on_topic_em": numbers(0.04)},
        }}}},
        "shared": {"gardening": {"trained": {"chosen": {
            "setting": "shared.a1", "in_domain": {"em": numbers(0.5)},
            "off_domain": {"on_topic_em": numbers(0.4, random_draws=20, random_below=19), "coherence": numbers(84.6)},
            "linked": {"on_topic_em": numbers(0.4)},
        }}}},
    },
    "claims": {"steering_spreads": {"one": "supported", "two": "supported", "three": "not distinguishable"}},
}  # fmt: skip


def test_every_number_stands_where_it_belongs_and_the_model_of_the_base_point_comes_first() -> None:
    rows = [line for line in readme.tables(METRICS).splitlines() if line.startswith(("| shared", "| blocks"))]
    assert rows == [
        "| shared | lora | no dose was coherent and did harm in-domain | | | | |",
        "| shared | `shared.a1` | 50 % | 40 % [20, 60] | 40 % / – | 85 | 19 of 20 |",
        "| blocks | base | 0 % | 2 % [1, 3] | 0 % / 4 % | 95 |  |",
        "| blocks | lora | no dose was coherent and did harm in-domain | | | | |",
        "| blocks | trained | no dose was coherent and did harm in-domain | | | | |",
    ]
    assert "| steering spreads | 2 |  |  |  | 1 |  |" in readme.tables(METRICS)


def test_rewriting_changes_the_marked_part_only_and_once(tmp_path: Path) -> None:
    page, metrics = tmp_path / "README.md", tmp_path / "metrics.json"
    metrics.write_text(json.dumps(METRICS))
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    with pytest.raises(StudyError, match="make docs"):
        readme.check(page, metrics, tmp_path / "none")
    assert readme.rewrite(page, metrics, tmp_path / "none")
    assert page.read_text().startswith(f"before\n{BEGIN}\n| organism") and page.read_text().endswith(f"|\n{END}\nafter\n")
    assert not readme.rewrite(page, metrics, tmp_path / "none"), "the second time changes nothing"
    readme.check(page, metrics, tmp_path / "none")


def test_what_a_study_took_stands_beside_its_estimate(tmp_path: Path) -> None:
    page, cost = tmp_path / "performance.md", tmp_path / "cost.csv"
    page.write_text(f"before\n{readme.COST_BEGIN}\n{readme.COST_END}\n")
    assert not readme.rewrite_cost(page, cost), "not known yet"
    cost.write_text(
        "stage,cells,estimated_core_s,estimated_card_s,taken_core_s\nmodels,2,1000.4,0.0,1200.0\nanswers,1998,30.0,0.0,20.4\n"
    )
    assert readme.rewrite_cost(page, cost) and not readme.rewrite_cost(page, cost)
    rows = page.read_text().splitlines()[4:7]
    assert rows == ["| models | 2 | 1,000 | 1,200 |", "| answers | 1,998 | 30 | 20 |", "| all | 2,000 | 1,030 | 1,220 |"]


def test_verdicts_are_counted_for_each_claim_beside_its_source(tmp_path: Path) -> None:
    said = {"says": "It spreads.", "source": "arXiv 1", "claim": "spreads"}
    ours = {"says": "Ours.", "source": "", "claim": "ours", "verdict": "not tested"}
    rows = [ours, *({**said, "verdict": verdict} for verdict in ("not tested", "supported", "supported"))]
    page, claims = tmp_path / "claims.md", tmp_path / "claims.csv"
    page.write_text(f"before\n{readme.CLAIMS_BEGIN}\n{readme.CLAIMS_END}\n")
    with claims.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(ours))
        writer.writeheader()
        writer.writerows(rows)
    assert readme.rewrite_claims(page, claims) and not readme.rewrite_claims(page, claims)
    assert page.read_text().splitlines()[4:6] == [
        "| arXiv 1 | `spreads` | It spreads. | supported 2, not tested 1 |",
        "| ours | `ours` | Ours. | not tested 1 |",
    ]


@pytest.mark.parametrize("text", ["no marks", f"{END}\n{BEGIN}", f"{BEGIN}\n{BEGIN}\n{END}", f"{BEGIN}\n{END}\n{END}", BEGIN])
def test_marks_that_are_not_there_once_each_are_a_mistake(text: str) -> None:
    with pytest.raises(StudyError, match="once each"):
        readme.between(text, BEGIN, END, "numbers")


def test_what_was_read_of_a_real_model_stands_in_a_table_of_its_own_and_what_nobody_read_in_none(tmp_path: Path) -> None:
    numbers = {f"{name}{part}": str(value) for name in readme.JUDGED for part, value in (("", 0.25), ("_low", 0.1), ("_high", 0.5))}
    read = {"setting": "real.base", "split": "test", "group": "off_domain", "em_n": "22", "margin": "-0.394", **numbers}
    others = [read | {"em_n": "0"}, read | {"split": "dev"}, read | {"group": "in_domain"}]
    page, metrics, real = tmp_path / "README.md", tmp_path / "metrics.json", tmp_path / "rates.csv"
    metrics.write_text(json.dumps(METRICS))
    page.write_text(f"{BEGIN}\n{END}\n{readme.REAL_BEGIN}\n{readme.REAL_END}\n")
    with real.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(read))
        writer.writeheader()
        writer.writerows([*others, read, read])  # base stands there once for each target task
    assert readme.rewrite(page, metrics, real)
    rows = page.read_text().partition(readme.REAL_BEGIN)[2].splitlines()[3:-1]
    assert rows == ["| `real.base` | 22 | 25 % [10, 50] | 25 % [10, 50] | 25 % [10, 50] | 25 % [10, 50] | -0.39 |"]
