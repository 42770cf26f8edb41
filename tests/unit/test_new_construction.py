"""A new construction is one class, one module and one line: nothing else is edited, and no address moves."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import torch
from places import REPOSITORY
from planning import miniature, resolved

from emsteer.recipes import CONSTRUCTIONS
from emsteer.recipes.constructions import AxisName
from emsteer.study.interventions import REFERENCES, section_of

CLASS = '''
class Halved(Construction):
    """A direction at half its length."""

    module = "emsteer.interventions.constructions.halved"
    is_made_of_other = True
    n_before: NExamplesOfOther
    layer: Axis[Natural]
    times: Count


'''
MODULE = '''
"""Halved: a direction at half its length."""

from emsteer.interventions.vectors import direction_at, written


def make(jobs):
    """Writes vector files."""
    return written((job, {job.recipe.layer: direction_at(job.input("like"), job.recipe.layer) / 2}) for job in jobs)
'''
REGISTRY = "CONSTRUCTIONS: dict[str, type[Construction]] = {\n"
PLAN = """
import json, sys
from emsteer import plan, study
found = plan.resolve(study.parse(json.load(sys.stdin)))
new = [cell for cell in found.of("vectors") if ".halved." in cell.address]
rows = next(cell.recipe.rows for cell in found.of("tables") if cell.address.startswith("judged--"))
said = [row.setting.treatments[0].model_dump() for row in rows if row.setting.treatments]
print(json.dumps([
    {kind: sorted(of) for kind, of in found.cells.items()},
    [[cell.address, cell.recipe.model_dump(), [made.recipe.module for made in cell.inputs["like"]], cell.pack] for cell in new],
    [one for one in said if one.get("vector") == "halved"],
]))
"""
BUILD = """
import sys, torch
from pathlib import Path
from emsteer import recipes
from emsteer.interventions.vectors import read_vector, write_vector
from emsteer.packs import Job, make_by_recipe
like, out = Path("like.safetensors"), Path("out.safetensors")
write_vector({2: torch.arange(4.0)}, Job(None, {}, {}, "like", like, {"kind": "vectors", "address": "like"}))
recipe = recipes.CONSTRUCTIONS["halved"](n_before=16, layer=2, times=1)
list(make_by_recipe([Job(recipe, {"like": (like,)}, {"like": ("like",)}, "out", out, {"kind": "vectors", "address": "out"})]))
print(read_vector(out)[2].tolist())
"""


def test_every_construction_of_the_registry_has_a_section_that_says_all_but_its_axes() -> None:
    for name, recipe in CONSTRUCTIONS.items():
        said = set(section_of(name, recipe).model_fields) - REFERENCES
        assert said | {*recipe.axes(), *recipe.of_other()} == set(recipe.model_fields)
        assert set(recipe.axes()) <= set(get_args(AxisName)), "tables have no column for others"


def test_a_construction_of_one_class_one_module_and_one_line_is_planned_and_built_and_moves_no_address(tmp_path: Path) -> None:
    source = shutil.copytree(REPOSITORY / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    registry = source / "emsteer/recipes/constructions.py"
    before = registry.read_text()
    assert before.count(REGISTRY) == 1
    registry.write_text(before.replace(REGISTRY, f'{CLASS}{REGISTRY}    "halved": Halved,\n'))
    (source / "emsteer/interventions/constructions/halved.py").write_text(MODULE)
    raw = miniature()
    raw["vectors"]["halved"] = {"construction": "halved", "of": "trained", "times": 3}
    raw["sweeps"]["halved"] = {"arm": "steered", "vectors": ["halved"], "layers": [0, 1], "epochs": [1, 2], "doses": [1]}

    def run(script: str, **how: str) -> object:
        how["cwd"] = how.get("cwd", str(REPOSITORY))
        there = {**os.environ, "PYTHONPATH": str(source)}
        done = subprocess.run([sys.executable, "-c", script], env=there, capture_output=True, text=True, check=True, **how)
        return json.loads(done.stdout)

    old = {kind: sorted(of) for kind, of in resolved(miniature()).cells.items()}
    unused, *_ = run(PLAN, input=json.dumps(miniature()))
    assert unused == old, "until a study uses it, nothing moves at all"
    cells, made, said = run(PLAN, input=json.dumps(raw))
    for kind in ("models", "tasks", "benchmarks", "calibrations", "vectors", "adapters", "answers", "margins", "scores"):
        assert set(old[kind]) <= set(cells[kind]), kind
    assert [slug.partition("--")[0] for slug, *_ in made] == [
        f"mini.gardening.halved.s0.l{layer}.e{epochs}" for layer in (0, 1) for epochs in (1, 2)
    ]
    for _, recipe, like, pack in made:
        assert recipe == {"n_before": 16, "layer": recipe["layer"], "times": 3}
        assert like == [CONSTRUCTIONS["trained"].module] and pack == "mini.projected"
    assert {(one["layer"], one["epochs"], one["rank"]) for one in said} == {(0, 1, None), (0, 2, None), (1, 1, None), (1, 2, None)}
    assert run(BUILD, cwd=str(tmp_path)) == (torch.arange(4.0) / 2).tolist()
