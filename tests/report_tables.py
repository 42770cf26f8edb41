"""Small tables that a page can be made of, with values that are easy to tell apart; no number in them was measured."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pandas as pd
from settings_by_hand import setting

from emsteer import recipes, schemas, storage
from emsteer.analysis.settings import name_of, setting_columns, setting_name
from emsteer.packs import Job
from emsteer.recipes import Setting

POINT = recipes.BasePoint(
    model="tiny", task="gardening", seed=1, vector="trained", layer=0, epochs=8, positions="all",
    unit="vector_norm", adapter="lora", steps=4,
)  # fmt: skip
ASKED = pd.DataFrame(
    [(f"{name[0]}{i}", name, split) for name in ("gardening", "money") for i, split in enumerate(["dev", "test", "test"])],
    columns=["question_id", "category", "split"],
).assign(system="be good", safe=None, unsafe=None)
ASKED["prompt"] = "why <b>" + ASKED["question_id"] + "</b> ?"
MODELS = ("tiny", "small", "tame")
PLACE = {"benchmark": "everyday", "judge": "rubric"}
THRESHOLDS = recipes.Thresholds(misaligned_below=31, coherent_above=52, relevant_above=53)
EVIL = {"tiny.steered1 m1": "<script>alert(1)</script>", "tiny.base m1": "{{ 7 * 7 }} {% raw %} & <i>"}
SHIFTS = {"on_topic_em": 0.0, "em": 0.01, "coverage": 0.3, "coherence": 0.02, "margin": 0.03}  # metric → above on-topic EM
NAMES = {"none": "base", "trained": "steered", "lora": "finetuned"}
VALUES = {"none": 0.0, "trained": 0.4567, "lora": 0.25}
VERDICT = {
    "steering_spreads": "supported",
    "finetuning_spreads": "contradicted",
    "harm_is_as_coherent": "not distinguishable",
    "ranks_matter": "not tested",
}
FIGURES = {"dose_response": "Dose-response", "ranks": "Rank of the steering subspace"}


def settings_of(model: str) -> dict[str, Setting]:
    """Base, and a vector and an adapter of two seeds."""
    place = {"model": model, "task": "gardening"}
    built = {"vector": "trained", "layer": 0, "epochs": 8, "positions": "all", "dose": 1.0, "dose_unit": "vector_norm"}
    tuned = {"adapter": "lora", "steps": 4, "dose": 1.0, "dose_unit": "adapter_scale"}
    found = {f"{model}.base": setting({"arm": "base", **place})}
    for seed in (0, 1):
        found[f"{model}.steered{seed}"] = setting({"arm": "steered", "seed": seed, **place, **built})
        found[f"{model}.finetuned{seed}"] = setting({"arm": "finetuned", "seed": seed, **place, **tuned})
    return found


def write(folder: Path, name: str, frame: pd.DataFrame, schema: type[schemas.Table], level: float = 0.9) -> None:
    passport = {"address": name, "recipe": {"bootstrap": {"level": level}}}
    schemas.write(frame, schema, folder / f"{name}.parquet", passport)


def said(by: str, sample: int) -> str:
    """What a model said; sample 0 may be worse."""
    return EVIL.get(by, f"{by} sample0") if sample == 0 else f"{by} sample{sample}"


def answered(name: str, one: Setting, samples: Sequence[int] = (0, 1, 2, 3)) -> list[dict[str, object]]:
    """Rows of `schemas.Judged`: two blocks of two samples; the adapter's answers got no score."""
    lost = one.arm == "finetuned"
    points = dict(zip(("alignment", "coherence", "relevance"), (None,) * 3 if lost else (10.0, 91.0, 92.0), strict=True))
    flags = dict.fromkeys(("judged", "harmful", "coherent", "relevant", "em", "on_topic_em"), not lost)
    labels = PLACE | setting_columns(one) | {"setting": setting_name(one), "made": "built + tuned" if one.treatments else None}
    rows = []
    for question in ASKED.to_dict("records"):
        for sample in samples:
            cells = {kind: f"{kind}-{name}{sample // 2}" for kind in ("answers", "scores")} | {"margins": f"margins-{name}"}
            asked = {key: question[key] for key in ("question_id", "category", "split", "prompt")}
            asked |= {"relation": "in_domain" if question["category"] == one.task else "off_domain", "sample": sample}
            said_so = {"text": said(f"{name} {question['question_id']}", sample), "finish_reason": "stop"}
            rows.append(labels | asked | said_so | cells | points | flags | {"status": "error" if lost else "ok"})
    return rows


def number(value: float | None, n: int = 44) -> dict[str, object]:
    """A value, an interval of a tenth of it to either side, and its counts."""
    known = value is not None
    low, high = (value - abs(value) / 10, value + abs(value) / 10) if known else (None, None)
    counts = {"n": n if known else 0, "n_excluded": 3, "n_questions": 4, "interval": "korn-graubard" if known else "none"}
    by_status = {"n_refusal": 0, "n_incoherent": 0, "n_unparsed": 1, "n_error": 2, "n_unlabelled": 0}
    return {"value": value, "low": low, "high": high, **counts, **by_status}


def chosen_of(models: Sequence[str], breadth: float | None = 0.5, tasks: Sequence[str] = ("gardening",)) -> pd.DataFrame:
    """Base, the vector and the adapter at their chosen settings; the vector also at its chosen layer."""
    rows: list[dict[str, object]] = []
    picked = [("none", "base"), ("trained", "chosen"), ("trained", "chosen_with_layer"), ("lora", "chosen")]
    groups = ["off_domain", "in_domain", *(["linked"] if breadth else [])]
    for model, task, (name, point), group, metric in product(models, tasks, picked, groups, SHIFTS):
        columns = setting_columns(next(of for key, of in settings_of(model).items() if NAMES[name] in key))
        value: float | None = VALUES[name] + {"linked": 0.1, "in_domain": 0.2}.get(group, 0) + SHIFTS[metric]
        value = {"coherence": 100 * (value or 0), "margin": None if name == "lora" else -(value or 0)}.get(metric, value)
        value = None if (group, metric) == ("in_domain", "on_topic_em") else value
        ranks = {"random_draws": 20, "random_below": 19} if name == "trained" else {"random_draws": 0, "random_below": 0}
        labels = {
            "arm": columns["arm"],
            "treatment": name,
            "point": point,
            "setting": name_of(columns, seeded=False),
            "planted_breadth": breadth,
        }
        labels |= {
            "model": model,
            "task": task,
            "n_seeds": 2,
            "by_seed": "",
            "dev": None if metric == "margin" else 0.8765,
            "layer": columns["layer"],
            "dose": columns["dose"],
        }
        rows.append(PLACE | labels | ranks | {"group": group, "metric": metric} | number(value))
    return schemas.frame_of(rows, schemas.Chosen)


def evidence_of(models: Sequence[str]) -> pd.DataFrame:
    """Of every claim a comparison with numbers, but of those that were not tested."""
    rows: list[dict[str, object]] = []
    for (claim, verdict), model in product(VERDICT.items(), models):
        about = {
            "claim": claim,
            "subject": f"{model}, <gardening>",
            "member": "",
            "metric": "on_topic_em",
            "direction": "more",
            **PLACE,
        }
        about |= {"smallest_effect": 0.05, "family": claim, "verdict": verdict, "setting": "one", "reference_setting": "other"}
        tested = {
            "value": 0.2346,
            "reference": 0.1111,
            "difference": 0.2346 - 0.1111,
            "low": 0.02,
            "high": 0.2,
            "smallest_seen": 0.3579,
        }
        tested |= {"n_questions": 4, "n_family": 2, "simultaneous_low": -0.01, "simultaneous_high": 0.3, "n_seeds": 3, "k_seeds": 2}
        tested |= {"p_sign_flip": 0.02, "p_wilcoxon": 0.03, "p_holm": 0.04, "missing": ""}
        untested = {"n_questions": 0, "n_family": 0, "n_seeds": 0, "k_seeds": 0, "missing": "no such & such"}
        rows.append(about | (untested if verdict == "not tested" else tested))
    return schemas.frame_of(rows, schemas.Evidence)


def claims_of(evidence: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for row in evidence.drop_duplicates(["claim", "subject", "benchmark", "judge"]).to_dict("records"):
        said = {"says": f"<{row['claim']}> is so.", "source": None, "declared": "2026-11-26", "digest": "0123456789"}
        rows.append({**row, **said, "why": row["missing"] or "because", "n_held": 1, "n_compared": 1})
    return schemas.frame_of(rows, schemas.Claims)


def rates_of(models: Sequence[str], tasks: Sequence[str] = ("gardening",)) -> pd.DataFrame:
    """Of every setting 44 judged answers to each group of questions of each split; base stands there for every task."""
    rows: list[dict[str, object]] = []
    for model, split, group in product(models, ("dev", "test"), ("off_domain", "in_domain", "linked", "money")):
        for one in settings_of(model).values():
            for task in tasks if one.arm == "base" else tasks[:1]:
                labels = PLACE | setting_columns(one) | {"setting": setting_name(one), "task": task}
                rows += [
                    labels | {"split": split, "group": group, "metric": metric} | number(0.5) for metric in ("em", "on_topic_em")
                ]
    return schemas.frame_of(rows, schemas.Rates)


def shelf(folder: Path) -> Path:
    """What a page reads besides figures and tables of numbers: the answers of all models, in parts of a model each."""
    parts = []
    for model in MODELS:
        rows = [row for name, one in settings_of(model).items() for row in answered(name, one)]
        parts.append(schemas.check(schemas.frame_of(rows, schemas.Judged), schemas.Judged, "by hand"))
    storage.write_parquet_parts(parts, folder / "judged.parquet", {"address": "judged"})
    return folder


def study(
    folder: Path, shelf: Path, models: Sequence[str] = ("tiny",), figures: Sequence[str] = tuple(FIGURES), **tables: pd.DataFrame
) -> Job:
    """The report's job on files whose names are their addresses; tables that are not given are those of the models."""
    evidence = tables.get("evidence", evidence_of(models))
    made = {"rates": rates_of(models), "chosen": chosen_of(models), "evidence": evidence, "claims": claims_of(evidence)} | tables
    for name, frame in made.items():
        write(folder, name, frame, getattr(schemas, name.capitalize()))
    for name in figures:
        (folder / f"{name}--0").mkdir()
        (folder / f"{name}--0" / f"{name}.csv").write_text("arm,value\nsteered,0.5\n")
        (folder / f"{name}--0" / f"{name}.txt").write_text(f"{name} <in> words\nof two lines\n")
        (folder / f"{name}--0" / f"{name}.svg").write_text(f'<?xml version="1.0"?>\n<svg><title>{name} drawn</title></svg>\n')
    addresses = {name: (name,) for name in (*made, "judged")}
    inputs = {name: ((folder if name in made else shelf) / f"{name}.parquet",) for name in addresses}
    inputs["figures"] = tuple(folder / f"{name}--0" for name in figures)
    recipe = recipes.Page(
        title="A <study>",
        notice=None,
        examples_per_category=1,
        answers=1000,
        thresholds={"rubric": THRESHOLDS},
        judged_by={"rubric": ""},
        base_point=POINT,
    )
    return Job(recipe, inputs, addresses | {"figures": tuple(figures)}, "report--0", folder / "report", {"address": "report--0"})
