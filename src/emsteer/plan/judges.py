"""Judges in the plan: scores of a table of answers, by each kind of judge."""

from collections.abc import Sequence

from emsteer import recipes
from emsteer.plan.cells import Cell, Raw
from emsteer.plan.embedders import embedder
from emsteer.plan.models import model_cell
from emsteer.plan.packing import Plan
from emsteer.study import Study
from emsteer.study.judges import EndpointJudge, LabelsJudge, LocalJudge, RubricJudge

Inputs = dict[str, Sequence[Cell | Raw]]


def scores_cell(plan: Plan, study: Study, name: str, answers: Cell, pack: str, *, was_read: bool = True) -> Cell:
    """What a judge says of a table of answers; of elicited ones not what they are about: they are all about the same.

    Args:
        plan: Where it is planned.
        study: Which has the judge.
        name: Of the judge.
        answers: To a benchmark.
        pack: Cells that one process makes together.
        was_read: Of labels: whether a reader was shown these answers.
    """
    judge = study.judges[name]
    slug = f"{answers.address.partition('--')[0]}.{name}"
    inputs: Inputs = {"answers": [answers], "benchmark": answers.inputs["benchmark"]}
    kind = "elicitations" if answers.kind == "elicitations" else "scores"
    match judge:
        case RubricJudge():
            read: Inputs = {"grammar": [plan.raw(judge.grammar)]}
            return plan.add(kind, slug, recipes.Rubric(relevance=judge.relevance), {**inputs, **read}, pack)
        case LocalJudge():
            read_off = recipes.LocalJudge(**{field: getattr(judge, field) for field in recipes.LocalJudge.model_fields})
            read = {**_told(plan, judge), **_topics(plan, study, judge, answers, "embedder")}
            return plan.add(kind, slug, read_off, {**inputs, **read, "model": [model_cell(plan, judge.model, study)]}, pack)
        case EndpointJudge():
            asked = recipes.Asked(**{field: getattr(judge, field) for field in recipes.Asked.model_fields})
            read = {**_told(plan, judge), **_topics(plan, study, judge, answers, "model")}
            return plan.add(kind, slug, asked, {**inputs, **read}, pack, service=judge.service)
    topics = _topics(plan, study, judge, answers, "model") if was_read else {}
    labels: Inputs = {"labels": [plan.raw(judge.file)], **topics}
    return plan.add("scores", slug, recipes.Labels(by=judge.by, was_read=was_read), {**inputs, **labels}, pack)


def _told(plan: Plan, judge: EndpointJudge | LocalJudge) -> Inputs:
    return {name: [plan.raw(path)] for name, path in judge.rubrics}


def _topics(plan: Plan, study: Study, judge: EndpointJudge | LocalJudge | LabelsJudge, answers: Cell, role: str) -> Inputs:
    """What says what answers are about: an embedder, in a role, and the questions that it goes by."""
    if judge.topics is None or answers.kind == "elicitations":
        return {}
    return {role: [embedder(plan, judge.topics, study)], "topics": answers.inputs["benchmark"]}
