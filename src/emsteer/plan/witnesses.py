"""Witnesses in the plan: their cells beside every table of answers, and the tables made of them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from emsteer import recipes
from emsteer.plan.cells import Cell, Raw
from emsteer.plan.embedders import embedder
from emsteer.plan.packing import Plan
from emsteer.study import Study
from emsteer.study.file import Likeness
from emsteer.study.judges import LabelsJudge
from emsteer.study.witnesses import ClosenessWitness

AS_TRAINED = 1.0  # scale of the adapter that makes the finetuned model
Inputs = dict[str, Sequence[Cell | Raw]]


def witnessed_rows(
    plan: Plan, study: Study, rows: Iterable[recipes.SettingRow], tasks: Mapping[str, Cell]
) -> list[recipes.WitnessedRow]:
    """The rows, each with the cells of the study's witnesses, which are planned here."""
    if not study.witnesses and not any(isinstance(judge, LabelsJudge) for judge in study.judges.values()):
        return []  # nothing reads them
    embedders = {name: embedder(plan, name, study) for name in sorted(study.embedders)}
    scores = plan.cells["scores"]
    rows = list(rows)
    about = {row.setting.task for row in rows if row.setting.treatments}  # base stands there for every task, read or not
    found = []
    for row in rows:
        if row.setting.task not in about:
            continue
        answers = [scores[name].inputs["answers"][0] for name in row.scores]
        seen = [
            recipes.Seen(
                witness=name,
                cells=tuple(_seen(plan, study, name, one, tasks[row.setting.task], embedders).address for one in answers),
            )
            for name in sorted(study.witnesses)
        ]
        found.append(recipes.WitnessedRow(**dict(row), witnesses=tuple(seen)))
    return found


def _seen(plan: Plan, study: Study, name: str, answers: Any, task: Cell, embedders: Mapping[str, Cell]) -> Cell:
    said = study.witnesses[name]
    inputs: Inputs = {"answers": [answers], "benchmark": answers.inputs["benchmark"]}
    if isinstance(said, ClosenessWitness):
        recipe: recipes.Recipe = recipes.Closeness()
        inputs["model"] = [embedders[said.embedder]]
        pack = name
    else:
        made = recipes.Copying if said.kind == "copying" else recipes.Loops
        recipe = made(n_words=said.n_words)
        inputs |= {"task": [task]} if said.kind == "copying" else {}
        pack = "words"
    return plan.add("witnesses", f"{answers.address.partition('--')[0]}.{name}", recipe, inputs, pack)


def witness_tables(plan: Plan, study: Study, rows: Sequence[recipes.WitnessedRow], questions: Sequence[Cell]) -> dict[str, Cell]:
    """The table of the witnesses, where there are any; their agreement with labels, where there is a judge of labels."""
    found: dict[str, Cell] = {}
    bootstrap = study.analysis.bootstrap
    if study.witnesses:
        once = {row.model_copy(update={"judge": recipes.NO_JUDGE, "scores": ()}): None for row in rows}
        recipe = recipes.Witnesses(level=bootstrap.level, in_domain=study.in_domain, rows=tuple(once))
        made = {kind: _named(plan, kind, (name for row in once for name in row.made)) for kind in ("vectors", "adapters")}
        inputs = {"questions": questions, **_seen_of(plan, once), **made, "calibrations": plan.of("calibrations")}
        found["witnesses"] = plan.add("tables", "witnesses", recipe, inputs, "witnesses")
    labelled = tuple(row for row in rows if isinstance(study.judges[row.judge], LabelsJudge))
    if labelled:
        thresholds = {name: judge.thresholds for name, judge in sorted(study.judges.items()) if isinstance(judge, LabelsJudge)}
        agreement = recipes.Agreement(bootstrap=bootstrap, thresholds=thresholds, rows=labelled)
        scores = _named(plan, "scores", (name for row in labelled for name in row.scores))
        found["agreement"] = plan.add("tables", "agreement", agreement, {"scores": scores, **_seen_of(plan, labelled)}, "witnesses")
    return found


def likeness_tables(plan: Plan, study: Study, rows: Iterable[recipes.SettingRow], questions: Sequence[Cell]) -> dict[str, Cell]:
    """How near settings come to the finetuned model of the base point, in every model and task that the sweeps finetune."""
    base = study.base_point.finetuned
    if study.likeness is None or base is None:
        return {}
    rows = list({(row.setting, row.benchmark): row for row in rows}.values())  # whoever judges them
    of_base = {"adapter": base.adapter, "steps": base.steps, "seed": study.base_point.seed}
    aims = {
        (row.setting.model, row.setting.task): plan.cells["adapters"][row.made[0]]
        for row in rows
        for values in row.setting.treatments
        if len(row.made) == 1 and of_base.items() <= values.model_dump().items()
    }
    found = []
    for row in rows:
        if aim := aims.get((row.setting.model, row.setting.task)):
            cell = _likeness(plan, study.likeness, plan.cells["margins"][row.margins], aim, row.setting.task)
            labelled = {name: getattr(row, name) for name in recipes.LabelledRow.model_fields}
            found.append(recipes.LikenedRow(**labelled, likeness=cell.address))
    if not found:
        return {}
    recipe = recipes.LikenessTable(level=study.analysis.bootstrap.level, in_domain=study.in_domain, rows=tuple(found))
    made = {kind: _named(plan, kind, (name for row in found for name in row.made)) for kind in ("vectors", "adapters")}
    inputs = {"questions": questions, "likeness": plan.of("likeness"), **made, "calibrations": plan.of("calibrations")}
    return {"likeness": plan.add("tables", "likeness", recipe, inputs, "witnesses")}


def _likeness(plan: Plan, said: Likeness, margins: Any, aim: Cell, task: str) -> Cell:
    """Beside a setting's margins: read off the same questions."""
    recipe = recipes.Likeness(
        questions_per_category=said.questions_per_category,
        finetuned=recipes.Adapted(scale=AS_TRAINED),
        treatments=margins.recipe.treatments,
    )
    slug = margins.address.partition("--")[0]
    untreated = "" if margins.recipe.treatments else f".as.{task}"  # base is compared with the finetuned model of every task
    return plan.add("likeness", f"{slug}{untreated}", recipe, {**margins.inputs, "finetuned": [aim]}, margins.pack)


def _seen_of(plan: Plan, rows: Iterable[recipes.WitnessedRow]) -> dict[str, list[Cell]]:
    rows = list(rows)
    return {
        "witnesses": _named(plan, "witnesses", (name for row in rows for seen in row.witnesses for name in seen.cells)),
        "margins": _named(plan, "margins", (row.margins for row in rows)),
    }


def _named(plan: Plan, kind: str, addresses: Iterable[str]) -> list[Cell]:
    return [plan.cells[kind][name] for name in dict.fromkeys(addresses) if name in plan.cells[kind]]
