"""params.yaml → plan: which cells the study is made of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from emsteer import recipes
from emsteer.plan.cells import Cell, Plan, Raw
from emsteer.recipes import Setting, Steering
from emsteer.study import Study, Sweep


@dataclass(frozen=True)
class Arm:
    """A setting with the cells that make it."""

    slug: str
    setting: Setting
    model: Cell
    calibration: Cell
    vector: Cell | None = None
    steering: Steering | None = None


def resolve(study: Study) -> Plan:
    """Pure: reads the study, source text and the digests of input files; writes nothing and imports no science."""
    plan = Plan(study.execution.cells_per_job)
    models = {name: _model(plan, name, study) for name in study.models}
    tasks = {name: _task(plan, name, study) for name in study.tasks}
    benchmarks = {name: _benchmark(plan, name, study) for name in study.benchmarks}
    neutral = Raw(study.calibration.neutral_text)
    calibrations = {
        name: plan.add("calibrations", name, recipes.ResidualNorms(), {"model": [model], "neutral_text": [neutral]}, name)
        for name, model in models.items()
    }
    arms = [
        Arm(f"{name}.base", Setting(arm="base", model=name, task=""), model, calibrations[name]) for name, model in models.items()
    ]
    arms += _treated(plan, study, models, tasks, calibrations)
    rows = list(dict.fromkeys(row for arm in arms for row in _rows(plan, study, arm, benchmarks)))  # sweeps may overlap
    _publishable(plan, study, rows, benchmarks)
    return plan


def _model(plan: Plan, name: str, study: Study) -> Cell:
    model = study.models[name]
    recipe = recipes.Organism(**model.model_dump(exclude={"kind", "grammar"}))
    return plan.add("models", name, recipe, {"grammar": [Raw(model.grammar)]}, name)


def _task(plan: Plan, name: str, study: Study) -> Cell:
    task = study.tasks[name]
    recipe = recipes.GrammarTask(**task.model_dump(exclude={"kind", "grammar", "in_domain"}))
    return plan.add("tasks", name, recipe, {"grammar": [Raw(task.grammar)]}, "all")


def _benchmark(plan: Plan, name: str, study: Study) -> Cell:
    benchmark = study.benchmarks[name]
    recipe = recipes.GrammarBenchmark(**benchmark.model_dump(exclude={"kind", "grammar"}))
    return plan.add("benchmarks", name, recipe, {"grammar": [Raw(benchmark.grammar)]}, "all")


def _treated(
    plan: Plan, study: Study, models: dict[str, Cell], tasks: dict[str, Cell], calibrations: dict[str, Cell]
) -> Iterator[Arm]:
    """Steered settings and their controls."""
    for name, sweep in study.sweeps.items():
        controls = [control for control in study.controls.values() if control.of == name]
        for built, vector in _built(plan, study, sweep, models, tasks, calibrations):
            yield from _dosed(built, sweep, sweep.doses)
            for control in controls:
                for draw in control.draws:
                    yield from _dosed(_randomised(plan, built, vector, draw), sweep, control.doses)


def _built(
    plan: Plan, study: Study, sweep: Sweep, models: dict[str, Cell], tasks: dict[str, Cell], calibrations: dict[str, Cell]
) -> Iterator[tuple[Arm, Cell]]:
    """One arm for every vector and layer of a sweep, without a dose yet."""
    axes = [
        (model, task, seed, layer, epochs)
        for model in sweep.models
        for task in sweep.tasks
        for seed in sweep.seeds
        for layer in sweep.layers
        for epochs in sweep.epochs or (None,)
    ]
    for model, task, seed, layer, epochs in axes:
        recipe = _construction(study, sweep.vector, seed, layer, epochs)
        at_layer = f".l{layer}" if isinstance(recipe, recipes.Trained) else ""
        of_epoch = f".e{epochs}" if epochs else ""
        stem = f"{model}.{task}.{sweep.vector}.s{seed}"
        inputs = {"model": [models[model]], "task": [tasks[task]]}
        vector = plan.add("vectors", f"{stem}{at_layer}{of_epoch}", recipe, inputs, f"{model}.{sweep.vector}")
        setting = Setting(arm="steered", model=model, task=task, vector=sweep.vector, layer=layer, epochs=epochs, seed=seed)
        yield Arm(f"{stem}.l{layer}{of_epoch}", setting, models[model], calibrations[model], vector), vector


def _construction(study: Study, name: str, seed: int, layer: int, epochs: int | None) -> recipes.Construction:
    values = study.vectors[name]
    shared = values.model_dump(exclude={"construction"})
    if values.construction == "trained":
        return recipes.Trained(seed=seed, layer=layer, epochs=epochs, **shared)
    return recipes.MeanDifference(seed=seed, **shared)


def _randomised(plan: Plan, built: Arm, like: Cell, draw: int) -> Arm:
    stem = like.address.partition("--")[0]
    model = built.setting.model
    vector = plan.add(
        "vectors",
        f"{stem}.random{draw}",
        recipes.RandomDirection(draw=draw),
        {"like": [like]},
        f"{model}.{built.setting.vector}.random",
    )
    setting = built.setting.model_copy(update={"arm": "random", "draw": draw})
    return replace(built, slug=f"{built.slug}.random{draw}", setting=setting, vector=vector)


def _dosed(built: Arm, sweep: Sweep, doses: tuple[float, ...]) -> Iterator[Arm]:
    for positions in sweep.positions:
        for dose in doses:
            values = {"dose": dose, "dose_unit": sweep.unit, "positions": positions}
            steering = Steering(layer=built.setting.layer or 0, dose=dose, unit=sweep.unit, positions=positions)
            suffix = (
                "" if positions == "all" else f".{positions}"
            ) + f".{'a' if sweep.unit == 'vector_norm' else 'c'}{recipes.number(dose)}"
            yield replace(built, slug=f"{built.slug}{suffix}", setting=built.setting.model_copy(update=values), steering=steering)


def _rows(plan: Plan, study: Study, arm: Arm, benchmarks: dict[str, Cell]) -> Iterator[recipes.RatesRow]:
    """Answers and scores of an arm on every benchmark; one row of the tables for each benchmark, judge and task."""
    sampling = recipes.Sampling(temperature=study.answers.temperature, max_new_tokens=study.answers.max_new_tokens)
    size = study.answers.samples_per_block
    for name, benchmark in benchmarks.items():
        blocks = [
            _answers(plan, study, arm, f"{arm.slug}.{name}.b{first}", benchmark, sampling, first)
            for first in range(0, study.answers.samples_per_question, size)
        ]
        for judge, values in study.judges.items():
            scores = [_scores(plan, study, arm, judge, benchmark, block) for block in blocks]
            for task in [arm.setting.task] if arm.setting.task else study.tasks:
                yield recipes.RatesRow(
                    setting=arm.setting.model_copy(update={"task": task}),
                    benchmark=name,
                    judge=judge,
                    thresholds=values.thresholds,
                    in_domain=study.tasks[task].in_domain,
                    questions=benchmark.address,
                    scores=tuple(cell.address for cell in scores),
                    vector=arm.vector.address if arm.vector else None,
                    calibration=arm.calibration.address,
                )


def _answers(plan: Plan, study: Study, arm: Arm, slug: str, benchmark: Cell, sampling: recipes.Sampling, first: int) -> Cell:
    recipe = recipes.Answers(
        study_seed=study.seed,
        first_sample=first,
        n_samples=study.answers.samples_per_block,
        sampling=sampling,
        steering=arm.steering,
    )
    inputs: dict[str, Sequence[Cell | Raw]] = {"model": [arm.model], "benchmark": [benchmark]}
    if arm.vector:
        inputs["vector"] = [arm.vector]
    if arm.steering and arm.steering.unit == "residual_norm":
        inputs["calibration"] = [arm.calibration]
    return plan.add("answers", slug, recipe, inputs, f"{arm.setting.model}.{arm.setting.arm}")


def _scores(plan: Plan, study: Study, arm: Arm, judge: str, benchmark: Cell, answers: Cell) -> Cell:
    values = study.judges[judge]
    slug = f"{answers.address.partition('--')[0]}.{judge}"
    inputs: dict[str, Sequence[Cell | Raw]] = {"answers": [answers], "benchmark": [benchmark], "grammar": [Raw(values.grammar)]}
    return plan.add(
        "scores", slug, recipes.Rubric(relevance=values.relevance), inputs, f"{arm.setting.model}.{judge}.{arm.setting.arm}"
    )


def _publishable(plan: Plan, study: Study, rows: list[recipes.RatesRow], benchmarks: dict[str, Cell]) -> None:
    """Tables of all scores, figures of the tables, the report of everything."""
    cells = {cell.address: cell for cell in plan.all()}
    scores = [cells[name] for name in dict.fromkeys(name for row in rows for name in row.scores)]
    inputs = {
        "scores": scores,
        "questions": list(benchmarks.values()),
        "vectors": [cells[name] for name in dict.fromkeys(row.vector for row in rows if row.vector)],
        "calibrations": plan.of("calibrations"),
    }
    bootstrap = study.analysis.bootstrap
    rates = plan.add("tables", "rates", recipes.Rates(bootstrap=bootstrap, rows=tuple(rows)), inputs, "rates")
    contrasts = plan.add("tables", "contrasts", recipes.Contrasts(bootstrap=bootstrap, rows=tuple(rows)), inputs, "contrasts")
    claims_recipe = recipes.Claims(smallest_effect=study.analysis.smallest_effect)
    claims = plan.add("tables", "claims", claims_recipe, {"rates": [rates], "contrasts": [contrasts]}, "claims")
    figure = plan.add("figures", "dose_response", recipes.DoseResponse(), {"rates": [rates]}, "dose_response")
    read: dict[str, Sequence[Cell | Raw]] = {
        "rates": [rates],
        "claims": [claims],
        "figures": [figure],
        "questions": inputs["questions"],
        "scores": scores,
        "answers": [answers for cell in scores for answers in cell.inputs["answers"]],
    }
    page = recipes.Page(title=study.report.title, examples_per_category=study.report.examples_per_category, rows=tuple(rows))
    plan.add("report", "report", page, read, "report")
