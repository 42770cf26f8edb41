"""params.yaml → plan: which cells the study is made of."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from emsteer import recipes
from emsteer.plan.arms import Arm, Made, arms
from emsteer.plan.cells import Cell, Raw
from emsteer.plan.packing import Plan
from emsteer.plan.witnesses import witness_tables, witnessed_rows
from emsteer.study import Study, pins
from emsteer.study.inputs import BenchmarkFromFile, TaskFromFile, TaskFromGrammar
from emsteer.study.judges import LabelsJudge
from emsteer.study.models import OrganismModel

Inputs = dict[str, Sequence[Cell | Raw]]


def resolve(study: Study) -> Plan:
    """Pure: reads the study, source text and the digests of input files; writes nothing and imports no science.

    The order of names and values in the file moves no address: whatever a recipe or an input lists is sorted.
    """
    plan = Plan(study.execution)
    models = {name: _model(plan, name, study) for name in sorted(study.models)}
    tasks = {name: _task(plan, name, study) for name in sorted(study.tasks)}
    benchmarks = {name: _benchmark(plan, name, study) for name in sorted(study.benchmarks)}
    neutral = plan.raw(study.calibration.neutral_text)
    calibrations = {
        name: plan.add("calibrations", name, recipes.ResidualNorms(), {"model": [model], "neutral_text": [neutral]}, "all")
        for name, model in models.items()
    }
    made = Made(models, tasks, calibrations)
    settings = {arm.setting: arm for arm in arms(plan, study, made)}  # sweeps may overlap
    rows = sorted({row for arm in settings.values() for row in _rows(plan, study, arm, benchmarks)}, key=_canonical_order)
    seen = witnessed_rows(plan, study, rows, tasks)
    _publishable(plan, study, rows, benchmarks, witness_tables(plan, study, seen, list(benchmarks.values())))
    return plan


def _model(plan: Plan, name: str, study: Study) -> Cell:
    model = study.models[name]
    if not isinstance(model, OrganismModel):
        existing = recipes.PinnedModel(pin=pins.read(model.pin), dtype=model.dtype, chat=model.chat)
        return plan.add("models", name, existing, {}, name, place=model.place)
    recipe = recipes.Organism(**model.model_dump(exclude={"kind", "grammar"}))
    return plan.add("models", name, recipe, {"grammar": [plan.raw(model.grammar)]}, name)


def _task(plan: Plan, name: str, study: Study) -> Cell:
    task = study.tasks[name]
    if isinstance(task, TaskFromFile):
        return plan.add("tasks", name, recipes.FileTask(), {"file": [plan.raw(task.file)]}, "all")
    recipe = recipes.GrammarTask(**task.model_dump(exclude={"kind", "grammar", "in_domain"}))
    return plan.add("tasks", name, recipe, {"grammar": [plan.raw(task.grammar)]}, "all")


def _benchmark(plan: Plan, name: str, study: Study) -> Cell:
    benchmark = study.benchmarks[name]
    if isinstance(benchmark, BenchmarkFromFile):
        return plan.add("benchmarks", name, recipes.FileBenchmark(), {"file": [plan.raw(benchmark.file)]}, "all")
    recipe = recipes.GrammarBenchmark(**benchmark.model_dump(exclude={"kind", "grammar"}))
    return plan.add("benchmarks", name, recipe, {"grammar": [plan.raw(benchmark.grammar)]}, "all")


# -- what a setting says ---------------------------------------------------------------------------------------------


def _rows(plan: Plan, study: Study, arm: Arm, benchmarks: Mapping[str, Cell]) -> Iterator[recipes.SettingRow]:
    """Answers, scores and margins of an arm on every benchmark; one row for each benchmark, judge and target task."""
    n_samples, size = study.answers.samples_per_question, study.answers.samples_per_block
    for name, benchmark in benchmarks.items():
        slug = f"{arm.slug}.{name}"
        answers = [_answers(plan, study, arm, f"{slug}.b{first}", benchmark, first) for first in range(0, n_samples, size)]
        margins = _margins(plan, study, arm, slug, benchmark)
        for judge in study.judges:
            scores = [_scores(plan, study, arm, judge, benchmark, block) for block in answers]
            for task in [arm.setting.task] if arm.setting.task else study.tasks:
                yield recipes.SettingRow(
                    setting=arm.setting.model_copy(update={"task": task}),
                    benchmark=name,
                    judge=judge,
                    questions=benchmark.address,
                    scores=tuple(cell.address for cell in scores),
                    margins=margins.address,
                    made=tuple(cell.address for cell in arm.made),
                    calibration=arm.calibration.address,
                )


def _canonical_order(row: recipes.SettingRow) -> tuple[object, ...]:
    """By its own values, wherever the file says them; what does not apply comes first."""
    setting = row.setting
    treatments = [
        (values.kind, [(value is not None, value) for value in values.model_dump(exclude={"kind"}).values()])
        for values in setting.treatments
    ]
    return setting.model, setting.task, setting.arm, treatments, row.benchmark, row.judge


def _answers(plan: Plan, study: Study, arm: Arm, slug: str, benchmark: Cell, first: int) -> Cell:
    recipe = recipes.Answers(
        study_seed=study.seed,
        first_sample=first,
        n_samples=study.answers.samples_per_block,
        sampling=recipes.Sampling(temperature=study.answers.temperature, max_new_tokens=study.answers.max_new_tokens),
        treatments=arm.treatments,
    )
    return plan.add("answers", slug, recipe, _speaker(arm, benchmark), _pack(arm))


def _margins(plan: Plan, study: Study, arm: Arm, slug: str, benchmark: Cell) -> Cell:
    recipe = recipes.Margins(questions_per_category=study.margins.questions_per_category, treatments=arm.treatments)
    return plan.add("margins", slug, recipe, _speaker(arm, benchmark), arm.setting.model)


def _speaker(arm: Arm, benchmark: Cell) -> Inputs:
    """What answers and margins are read off."""
    inputs: Inputs = {"model": [arm.model], "benchmark": [benchmark]}
    if vectors := arm.of("steering"):
        inputs["vector"] = vectors
    if adapters := arm.of("adapter"):
        inputs["adapter"] = adapters
    if any(values.dose_unit == "residual_norm" for values in arm.setting.treatments):
        inputs["calibration"] = [arm.calibration]
    return inputs


def _pack(arm: Arm) -> str:
    """By model, adapters apart, so that one failed adapter does not hold up the rest."""
    return f"{arm.setting.model}.{'finetuned' if arm.of('adapter') else 'steered'}"


def _scores(plan: Plan, study: Study, arm: Arm, judge: str, benchmark: Cell, answers: Cell) -> Cell:
    values = study.judges[judge]
    slug = f"{answers.address.partition('--')[0]}.{judge}"
    inputs: Inputs = {"answers": [answers], "benchmark": [benchmark]}
    if isinstance(values, LabelsJudge):
        inputs["labels"] = [plan.raw(values.file)]
        was_read = values.sample is None or arm.slug in values.sample.settings
        recipe: recipes.Recipe = recipes.Labels(by=values.by, was_read=was_read)
    else:
        inputs["grammar"] = [plan.raw(values.grammar)]
        recipe = recipes.Rubric(relevance=values.relevance)
    return plan.add("scores", slug, recipe, inputs, f"{judge}.{arm.setting.model}")


# -- tables, figures, report -----------------------------------------------------------------------------------------


def _publishable(
    plan: Plan, study: Study, rows: list[recipes.SettingRow], benchmarks: Mapping[str, Cell], of_witnesses: Mapping[str, Cell]
) -> None:
    """Tables of all scores, figures of the tables, the report of everything."""
    cells = {cell.address: cell for cell in plan.all()}
    scores = [cells[name] for name in dict.fromkeys(name for row in rows for name in row.scores)]
    tables = _tables(plan, study, rows, scores, list(benchmarks.values()), cells)
    figures = _figures(plan, study, {**tables, **of_witnesses})
    page = recipes.Page(
        title=study.report.title,
        examples_per_category=study.report.examples_per_category,
        rows=tuple(rows),
        notice=study.report.notice,
        thresholds=_thresholds(study),
        judged_by={name: judge.by if isinstance(judge, LabelsJudge) else "" for name, judge in sorted(study.judges.items())},
        base_point=_base_point(study),
    )
    read: Inputs = {
        **{name: [tables[name]] for name in ("rates", "chosen", "evidence", "claims")},
        **{name: [cell] for name, cell in of_witnesses.items()},
        "figures": figures,
        "questions": list(benchmarks.values()),
        "scores": scores,
        "answers": [answers for cell in scores for answers in cell.inputs["answers"]],
    }
    plan.add("report", "report", page, read, "report")


def _tables(
    plan: Plan, study: Study, rows: list[recipes.SettingRow], scores: list[Cell], questions: list[Cell], cells: Mapping[str, Cell]
) -> dict[str, Cell]:
    counts = _counts(plan, study, rows, {"scores": scores, "questions": questions}, cells)
    bootstrap = study.analysis.bootstrap
    rates = plan.add("tables", "rates", recipes.Rates(bootstrap=bootstrap), {"counts": [counts]}, "statistics")
    contrasts = plan.add("tables", "contrasts", recipes.Contrasts(bootstrap=bootstrap), {"counts": [counts]}, "statistics")
    choice: dict[str, Any] = {"selection": study.analysis.selection, "base_point": _base_point(study)}
    chosen = plan.add("tables", "chosen", recipes.Chosen(bootstrap=bootstrap, **choice), {"counts": [counts]}, "statistics")
    smallest = {name: getattr(study.analysis, name) for name in ("smallest_effect", "smallest_effect_points")}
    evidence = recipes.Evidence(bootstrap=bootstrap, **choice, **smallest)
    evidence_cell = plan.add("tables", "evidence", evidence, {"counts": [counts]}, "statistics")
    claims = plan.add("tables", "claims", recipes.Claims(), {"evidence": [evidence_cell]}, "verdicts")
    metrics = {"chosen": [chosen], "evidence": [evidence_cell], "claims": [claims]}
    plan.add("tables", "metrics", recipes.Metrics(base_point=_base_point(study)), metrics, "quoted")
    return {"rates": rates, "contrasts": contrasts, "chosen": chosen, "evidence": evidence_cell, "claims": claims}


def _counts(plan: Plan, study: Study, rows: list[recipes.SettingRow], judged: Inputs, cells: Mapping[str, Cell]) -> Cell:
    def named(addresses: Iterator[str]) -> list[Cell]:
        return [cells[name] for name in dict.fromkeys(addresses)]

    def made(kind: str) -> list[Cell]:
        return named(name for row in rows for name in row.made if cells[name].kind == kind)

    recipe = recipes.Counts(
        rows=tuple(rows),
        thresholds=_thresholds(study),
        in_domain={name: task.in_domain for name, task in sorted(study.tasks.items())},
        planted=_planted(study),
    )
    inputs: Inputs = {
        **judged,
        "margins": named(row.margins for row in rows),
        "vectors": made("vectors"),
        "adapters": made("adapters"),
        "calibrations": plan.of("calibrations"),
    }
    return plan.add("tables", "counts", recipe, inputs, "counts")


def _figures(plan: Plan, study: Study, tables: Mapping[str, Cell]) -> list[Cell]:
    base_point = _base_point(study)
    of_rates = {
        "dose_response": recipes.DoseResponse,
        "breadth": recipes.Breadth,
        "layers": recipes.Layers,
        "epochs": recipes.Epochs,
        "ranks": recipes.Ranks,
    }
    found = [
        plan.add("figures", name, recipe(base_point=base_point), {"table": [tables["rates"]]}, "all")
        for name, recipe in of_rates.items()
    ]
    if "witnesses" in tables:
        of_witnesses = recipes.WitnessFigure(base_point=base_point)
        found.append(plan.add("figures", "witnesses", of_witnesses, {"table": [tables["witnesses"]]}, "all"))
    categories = recipes.Categories(base_point=base_point)
    return [*found[:2], plan.add("figures", "categories", categories, {"table": [tables["chosen"]]}, "all"), *found[2:]]


def _thresholds(study: Study) -> dict[str, recipes.Thresholds]:
    return {name: judge.thresholds for name, judge in sorted(study.judges.items())}


def _base_point(study: Study) -> recipes.BasePoint:
    base = study.base_point
    return recipes.BasePoint(
        model=base.model,
        task=base.task,
        seed=base.seed,
        vector=base.steered.vector,
        layer=base.steered.layer,
        epochs=base.steered.epochs,
        positions=base.steered.positions,
        unit=base.steered.unit,
        adapter=base.finetuned.adapter if base.finetuned else None,
        steps=base.finetuned.steps if base.finetuned else None,
    )


def _planted(study: Study) -> dict[str, dict[str, recipes.Planted]]:
    """What each organism was given, seen from each target task."""
    tasks = [(name, task) for name, task in sorted(study.tasks.items()) if isinstance(task, TaskFromGrammar)]
    return {
        model: {name: _planted_for(values.linkage, task) for name, task in tasks}
        for model, values in sorted(study.models.items())
        if isinstance(values, OrganismModel)
    }


def _planted_for(linkage: recipes.Linkage, task: TaskFromGrammar) -> recipes.Planted:
    linked = [domain for block in linkage.blocks.values() if task.domain in block for domain in block if domain != task.domain]
    return recipes.Planted(strength=linkage.strength if linked else 0.0, linked=tuple(linked))
