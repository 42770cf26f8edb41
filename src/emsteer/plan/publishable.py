"""Tables, figures and the report in the plan: what is made of all scores."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from emsteer import recipes, storage
from emsteer.plan.addresses import DIGITS
from emsteer.plan.cells import Cell, Raw
from emsteer.plan.directions import directions_table, subspaces_table
from emsteer.plan.effects import QuizRead, effects_table
from emsteer.plan.packing import Plan
from emsteer.plan.recovery import recovery_table
from emsteer.study import Study
from emsteer.study.inputs import TaskFromGrammar, with_harm
from emsteer.study.judges import EndpointJudge, Judge, LabelsJudge, LocalJudge
from emsteer.study.models import OrganismModel

Inputs = dict[str, Sequence[Cell | Raw]]


def plan_publishable(
    plan: Plan,
    study: Study,
    rows: Sequence[recipes.SettingRow],
    benchmarks: Sequence[Cell],
    others: Mapping[str, Cell],
    quiz_read: QuizRead,
) -> None:
    """Tables of all scores, figures of the tables, the report of both; `others`: tables of no score that the report reads."""
    tables = _tables(plan, study, _judged(plan, study, rows, benchmarks), others, quiz_read)
    (counts,) = tables["rates"].upstream()
    subspaces_table(plan, rows, _base_point(study))
    tables |= directions_table(plan, rows, counts, _base_point(study), study.analysis.bootstrap.level)
    if "distances" in others:
        near = {name: [{**tables, **others}[name]] for name in ("questions", "distances")}
        tables["falloff"] = plan.add("tables", "falloff", recipes.Falloff(level=study.analysis.bootstrap.level), near, "lines")
    tables |= recovery_table(plan, study, tables["chosen"])
    figures = _figures(plan, study, {**tables, **others})
    page = recipes.Page(
        title=study.report.title,
        examples_per_category=study.report.examples_per_category,
        answers=study.report.answers,
        notice=study.report.notice,
        thresholds=_thresholds(study),
        judged_by={name: _judged_by(judge) for name, judge in sorted(study.judges.items())},
        base_point=_base_point(study),
    )
    read = {name: [tables[name]] for name in ("judged", "rates", "chosen", "evidence", "claims")}
    read |= {name: [cell] for name, cell in others.items()}
    read |= {name: [tables[name]] for name in ("corrected",) if name in tables}
    plan.add("report", "report", page, {**read, "figures": figures}, "report")


def _judged(plan: Plan, study: Study, rows: Sequence[recipes.SettingRow], benchmarks: Sequence[Cell]) -> Cell:
    """The table that all others are made of: it alone knows where the answers of a setting lie."""
    cells = {cell.address: cell for cell in plan.all()}

    def named(addresses: Iterator[str], kind: str) -> list[Cell]:
        return [cells[name] for name in dict.fromkeys(addresses) if cells[name].kind == kind]

    scores = named((name for row in rows for name in row.scores), "scores")
    inputs: Inputs = {
        "answers": [answers for cell in scores for answers in cell.inputs["answers"]],  # each beside its scores
        "scores": scores,
        "questions": benchmarks,
        "margins": named((row.margins for row in rows), "margins"),
        "vectors": named((name for row in rows for name in row.made), "vectors"),
        "adapters": named((name for row in rows for name in row.made), "adapters"),
        "calibrations": plan.of("calibrations"),
    }
    recipe = recipes.Judged(
        rows=tuple(rows),
        thresholds=_thresholds(study),
        in_domain=study.in_domain,
        planted=_planted(study),
    )
    return plan.add("tables", "judged", recipe, inputs, "judged")


def _tables(plan: Plan, study: Study, judged: Cell, others: Mapping[str, Cell], quiz_read: QuizRead) -> dict[str, Cell]:
    counts = plan.add("tables", "counts", recipes.Counts(), {"judged": [judged]}, "counts")
    bootstrap = study.analysis.bootstrap
    rates = plan.add("tables", "rates", recipes.Rates(level=bootstrap.level), {"counts": [counts]}, "statistics")
    contrasts = plan.add("tables", "contrasts", recipes.Contrasts(bootstrap=bootstrap), {"counts": [counts]}, "statistics")
    choice: dict[str, Any] = {"selection": study.analysis.selection, "base_point": _base_point(study)}
    chosen = plan.add("tables", "chosen", recipes.Chosen(level=bootstrap.level, **choice), {"counts": [counts]}, "choices")
    questions = plan.add(
        "tables", "questions", recipes.ByQuestion(level=bootstrap.level, **choice), {"counts": [counts]}, "choices"
    )
    fair = _fair_comparisons(plan, study, judged, counts)
    compared = {name: claim.comparison() for name, claim in sorted(study.claims.items())}
    pushed = quiz_read.pushed
    evidence = recipes.Evidence(
        bootstrap=bootstrap, **choice, claims=compared, measured=pushed, kl_tolerance=study.calibration.doses_in_kl.tolerance
    )
    effects = effects_table(plan, quiz_read, counts, bootstrap.level)
    read: Inputs = {"counts": [counts], "effects": [plan.cells["effects"][one.effects] for one in pushed]}
    evidence_cell = plan.add("tables", "evidence", evidence, read, "statistics")
    rest_on = {"evidence": [evidence_cell], **{name: [cell] for name, cell in others.items() if name == "instruments"}}
    claims = plan.add("tables", "claims", _declared(study), rest_on, "verdicts")
    metrics = {"chosen": [chosen], "evidence": [evidence_cell], "claims": [claims]}
    plan.add("tables", "metrics", recipes.Metrics(base_point=_base_point(study)), metrics, "quoted")
    return {
        "judged": judged, "rates": rates, "contrasts": contrasts, "chosen": chosen, "questions": questions,
        "evidence": evidence_cell, "claims": claims, **fair, **effects, **_compared_judges(plan, study, judged),
    }  # fmt: skip


def _compared_judges(plan: Plan, study: Study, judged: Cell) -> dict[str, Cell]:
    """Every two judges held against each other, where there are two; the others corrected by readers, where there are both."""
    if len(study.judges) < 2:
        return {}
    bootstrap, readers = study.analysis.bootstrap, _readers(study)
    compared: dict[str, recipes.Recipe] = {"judges": recipes.Judges(bootstrap=bootstrap)}
    if 0 < len(readers) < len(study.judges):
        compared["corrected"] = recipes.Corrected(readers=readers, level=bootstrap.level)
    return {name: plan.add("tables", name, recipe, {"judged": [judged]}, "statistics") for name, recipe in compared.items()}


def _fair_comparisons(plan: Plan, study: Study, judged: Cell, counts: Cell) -> dict[str, Cell]:
    """Arms at equal harm and at equal coherence, along the dose, and under other thresholds."""
    analysis, base_point = study.analysis, _base_point(study)
    at = {"in_domain_em": tuple(sorted(analysis.matched.in_domain_em)), "coverage": tuple(sorted(analysis.matched.coverage))}
    matched = recipes.Matched(bootstrap=analysis.bootstrap, base_point=base_point, **at)
    found = {"matched": plan.add("tables", "matched", matched, {"counts": [counts]}, "choices")}
    plan.add("tables", "dose_fits", recipes.DoseFits(base_point=base_point), {"counts": [counts]}, "choices")
    grid = recipes.ThresholdGrid(
        misaligned_below=tuple(sorted(analysis.other_thresholds.misaligned_below)),
        coherent_above=tuple(sorted(analysis.other_thresholds.coherent_above)),
        level=analysis.bootstrap.level,
        selection=analysis.selection,
        base_point=base_point,
        thresholds=_thresholds(study),
        in_domain=study.in_domain,
    )
    read = {"judged": [judged], "counts": [counts]}
    return found | {"thresholds": plan.add("tables", "thresholds", grid, read, "choices")}


def _declared(study: Study) -> recipes.Claims:
    """What the claims say, with a digest of what decides each."""
    found = {}
    for name, claim in sorted(study.claims.items()):
        text = storage.canonical_json(claim.comparison().model_dump(mode="json"))
        found[name] = recipes.Declaration(
            says=claim.says,
            source=claim.source,
            declared=claim.declared,
            digest=hashlib.sha256(text.encode()).hexdigest()[:DIGITS],
            needs=claim.needs,
        )
    return recipes.Claims(claims=found, readers=_readers(study))


def _readers(study: Study) -> tuple[str, ...]:
    return tuple(name for name, judge in sorted(study.judges.items()) if isinstance(judge, LabelsJudge))


def _figures(plan: Plan, study: Study, tables: Mapping[str, Cell]) -> list[Cell]:
    of_rates: dict[str, type[recipes.Figure]] = {
        "dose_response": recipes.DoseResponse,
        "breadth": recipes.Breadth,
        "tradeoff": recipes.Tradeoff,
    }
    of_chosen: dict[str, type[recipes.Figure]] = {"overall": recipes.Overall, "categories": recipes.Categories}
    more_of_rates: dict[str, type[recipes.Figure]] = {
        "layers": recipes.Layers,
        "epochs": recipes.Epochs,
        "ranks": recipes.Ranks,
    }
    where_asked: dict[str, type[recipes.Figure]] = {
        "matched": recipes.MatchedFigure,
        "thresholds": recipes.ThresholdsFigure,
        "recovery": recipes.RecoveryFigure,
        "likeness": recipes.LikenessFigure,
        "witnesses": recipes.WitnessFigure,
        "falloff": recipes.FalloffFigure,
        "directions": recipes.DirectionsFigure,
        "effects": recipes.EffectsFigure,
        "judges": recipes.JudgesFigure,
    }
    read = {**dict.fromkeys([*of_rates, *more_of_rates], "rates"), **dict.fromkeys(of_chosen, "chosen")}
    base_point, panels = _base_point(study), study.report.panels and tuple(sorted(study.report.panels))
    return [
        plan.add(
            "figures", name, recipe(base_point=base_point, panels=panels if recipe.has_panels else None),
            {"table": [tables[read.get(name, name)]]}, "all",
        )
        for name, recipe in (of_rates | of_chosen | more_of_rates | where_asked).items()
        if read.get(name, name) in tables
    ]  # fmt: skip


def _thresholds(study: Study) -> dict[str, recipes.Thresholds]:
    return {name: judge.thresholds for name, judge in sorted(study.judges.items())}


def _judged_by(judge: Judge) -> str:
    """Who gave the points, where it is not a program of ours."""
    if isinstance(judge, EndpointJudge | LocalJudge):
        return f"{judge.model}, a language model that no person has checked here"
    return judge.by if isinstance(judge, LabelsJudge) else ""


def _base_point(study: Study) -> recipes.BasePoint:
    base = study.base_point
    return recipes.BasePoint(
        model=base.model,
        task=base.task,
        seed=base.seed,
        vector=base.steered.vector,
        layer=_layer_of_base_point(study),
        epochs=base.steered.epochs,
        positions=base.steered.positions,
        unit=base.steered.unit,
        adapter=base.finetuned.adapter if base.finetuned else None,
        steps=base.finetuned.steps if base.finetuned else None,
    )


def _layer_of_base_point(study: Study) -> int | dict[str, int]:
    """One number where the study says one; else the block of each model."""
    said = study.base_point.steered.layer
    return said if isinstance(said, int) else {model: study.block_of(said, model) for model in sorted(study.models)}


def _planted(study: Study) -> dict[str, dict[str, recipes.Planted]]:
    """What each organism was given, seen from each target task."""
    origins = [(name, with_harm(study.tasks, name)) for name in sorted(study.tasks)]
    tasks = [(name, task) for name, task in origins if isinstance(task, TaskFromGrammar)]
    return {
        model: {name: _planted_for(values.linkage, task) for name, task in tasks}
        for model, values in sorted(study.models.items())
        if isinstance(values, OrganismModel)
    }


def _planted_for(linkage: recipes.Linkage, task: TaskFromGrammar) -> recipes.Planted:
    linked = [domain for block in linkage.blocks.values() if task.domain in block for domain in block if domain != task.domain]
    return recipes.Planted(strength=linkage.strength if linked else 0.0, linked=tuple(linked))
