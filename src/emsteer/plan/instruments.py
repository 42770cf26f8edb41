"""Instruments in the plan: anchors of every benchmark, scored by every judge that is no reader."""

from collections.abc import Sequence

from emsteer import recipes
from emsteer.plan.cells import Cell
from emsteer.plan.judges import scores_cell
from emsteer.plan.packing import Plan
from emsteer.study import Study
from emsteer.study.judges import LabelsJudge


def instrument_tables(plan: Plan, study: Study, benchmarks: dict[str, Cell]) -> dict[str, Cell]:
    """The table of what judges make of anchors; none where the study has no anchors, or readers alone judge."""
    judges = [name for name, judge in sorted(study.judges.items()) if not isinstance(judge, LabelsJudge)]
    if study.anchors is None or not judges:
        return {}
    made = recipes.Anchors(questions_per_category=study.anchors.questions_per_category, seed=study.anchors.seed)
    rows: list[recipes.Anchored] = []
    scores: list[Cell] = []
    for benchmark, cell in benchmarks.items():
        anchors = plan.add("answers", f"anchors.{benchmark}", made, {"benchmark": [cell]}, "anchors")
        for judge in judges:
            scores.append(scores_cell(plan, study, judge, anchors, f"{judge}.anchors"))
            rows.append(recipes.Anchored(judge=judge, benchmark=benchmark, scores=scores[-1].address))
    recipe = recipes.Instruments(bootstrap=study.analysis.bootstrap, least_auc=study.anchors.least_auc, anchored=tuple(rows))
    inputs: dict[str, Sequence[Cell]] = {"scores": scores}
    return {"instruments": plan.add("tables", "instruments", recipe, inputs, "instruments")}
