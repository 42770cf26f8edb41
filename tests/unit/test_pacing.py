"""Timing a machine: every model of a plan has a pace, deep ones by their blocks. How fast it is, nothing here asks."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from places import REPOSITORY
from planning import Study, miniature, put, resolved

from emsteer import cli, pacing, study
from emsteer.errors import StudyError
from emsteer.plan import costs
from emsteer.plan.bill import bill_of
from emsteer.plan.pace import Pace, device_of

FIGURES = tuple(Pace.model_fields)


@pytest.fixture
def raw(monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setattr(pacing, "LEAST_S", 0.0)  # one pass is enough
    return miniature()


def test_a_machine_is_timed_with_every_model_of_a_plan_and_a_bill_is_made_of_it(
    raw: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(raw, "models.mini_none.architecture", "gemma3_text")
    put(raw, "models.mini_none.d_mlp", 80)
    plan, file = resolved(raw), tmp_path / "pace.json"
    monkeypatch.setattr(cli, "resolve", lambda _: plan)
    monkeypatch.setattr("sys.argv", ["emsteer", "pace", str(file)])
    cli.main()
    timed = device_of(study.parse(raw).execution, str(file))
    assert f"2 models timed on {timed.name}" in capsys.readouterr().out and timed.name.startswith("one core of ")
    total = bill_of(plan, timed).total
    assert total.core_s > 0 and not total.card_s
    assert total.core_s > bill_of(plan, timed).by_stage["answers"].core_s > 0


def test_a_deep_model_is_as_much_dearer_as_it_has_more_blocks(raw: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    def figures(network: object) -> Iterator[tuple[str, float]]:
        n = len(network.model.layers)  # type: ignore[attr-defined]
        yield from ((name, place + 2.0 * n) for place, name in enumerate(FIGURES, 1))

    monkeypatch.setattr(pacing, "_figures", figures)
    shape = costs.model_shape(resolved(raw).of("models")[0])
    assert shape
    for n_layers in (1, 3, 10):
        pace = pacing.pace_of(shape.model_copy(update={"n_layers": n_layers}), 4)
        assert pace.model_dump() == {name: place + 2.0 * n_layers for place, name in enumerate(FIGURES, 1)}


def test_a_machine_that_is_too_slow_is_told_so(raw: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "BUDGET_S", -1.0)
    with pytest.raises(StudyError, match="only 0 models were timed"):
        pacing.timed(resolved(raw))
