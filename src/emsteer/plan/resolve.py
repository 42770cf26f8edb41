"""params.yaml → plan: which cells the study is made of."""

from collections.abc import Iterator, Mapping, Sequence

from emsteer import recipes
from emsteer.plan.accepted import keep_digests
from emsteer.plan.arms import Arm, Made, arms
from emsteer.plan.cells import Cell, Raw
from emsteer.plan.effects import effects_of
from emsteer.plan.instruments import instrument_tables
from emsteer.plan.judges import scores_cell
from emsteer.plan.models import model_cell
from emsteer.plan.packing import Plan
from emsteer.plan.publishable import plan_publishable
from emsteer.plan.relatedness import relatedness_tables
from emsteer.plan.witnesses import likeness_tables, witness_tables, witnessed_rows
from emsteer.study import Study
from emsteer.study.inputs import BenchmarkFromFile, HarmlessTask, TaskFromFile, TaskWithHarm
from emsteer.study.judges import LabelsJudge

Inputs = dict[str, Sequence[Cell | Raw]]


def resolve(study: Study) -> Plan:
    """Pure: reads the study, source text and the digests of input files; imports no science, keeps only what it read of sources.

    The order of names and values in the file moves no address: whatever a recipe or an input lists is sorted.
    """
    plan = Plan(study.execution)
    models = {name: model_cell(plan, name, study) for name in study.subjects}
    tasks = _tasks(plan, study)
    benchmarks = {name: _benchmark(plan, name, study) for name in sorted(study.benchmarks)}
    neutral = plan.raw(study.calibration.neutral_text)
    calibrations = {
        name: plan.add("calibrations", name, recipes.ResidualNorms(), {"model": [model], "neutral_text": [neutral]}, "all")
        for name, model in models.items()
    }
    made = Made(models, tasks, calibrations, neutral)
    settings = {arm.setting: arm for arm in arms(plan, study, made)}  # sweeps may overlap
    quiz_read = effects_of(plan, study, settings.values(), _treated)
    rows = sorted({row for arm in settings.values() for row in _rows(plan, study, arm, benchmarks)}, key=_canonical_order)
    asked = list(benchmarks.values())
    seen = witnessed_rows(plan, study, rows, tasks)
    others = relatedness_tables(plan, study, tasks, benchmarks) | likeness_tables(plan, study, rows, asked)
    others |= witness_tables(plan, study, seen, asked) | instrument_tables(plan, study, benchmarks)
    plan_publishable(plan, study, rows, asked, others, quiz_read)
    keep_digests(plan.codes)
    return plan


def _tasks(plan: Plan, study: Study) -> dict[str, Cell]:
    """Controls behind the tasks that they are of."""
    said = sorted(study.tasks.items())
    found = {name: _task(plan, name, task) for name, task in said if not isinstance(task, HarmlessTask)}
    for name, task in said:
        if isinstance(task, HarmlessTask):
            recipe = recipes.HarmlessTask(**task.model_dump(exclude={"kind", "of"}))
            found[name] = plan.add("tasks", name, recipe, {"task": [found[task.of]]}, "harmless")
    return dict(sorted(found.items()))


def _task(plan: Plan, name: str, task: TaskWithHarm) -> Cell:
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
            scores = [_scores(plan, study, arm, judge, block) for block in answers]
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
    return {"benchmark": [benchmark], **_treated(arm)}


def _treated(arm: Arm) -> Inputs:
    """The model, and what changes it."""
    inputs: Inputs = {"model": [arm.model]}
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


def _scores(plan: Plan, study: Study, arm: Arm, name: str, answers: Cell) -> Cell:
    judge = study.judges[name]
    was_read = not isinstance(judge, LabelsJudge) or judge.sample is None or arm.slug in judge.sample.settings
    return scores_cell(plan, study, name, answers, f"{name}.{arm.setting.model}", was_read=was_read)
