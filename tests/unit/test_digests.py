"""Code digests: an edit of a formula moves what it makes and everything downstream; a docstring moves nothing."""

import functools
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from places import REPOSITORY
from planning import Study, miniature, without_elicitations

from emsteer.errors import StudyError
from emsteer.plan.digests import INFRASTRUCTURE, code_digest

RUBRIC = "emsteer/judging/rubric.py"
SHOW_PLAN = """
import json, sys
from emsteer import plan, study
cells = plan.resolve(study.parse(json.load(sys.stdin))).cells
print(json.dumps({kind: sorted(of) for kind, of in cells.items()}))
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of the source tree that a test may edit."""
    return Path(shutil.copytree(REPOSITORY / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")))


def edit(source: Path, file: str, old: str, new: str) -> None:
    path = source / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def cells(source: Path, raw: Study | None = None) -> dict[str, set[str]]:
    """Kind → addresses of the miniature study or another, planned with that source."""
    asked = {"input": json.dumps(raw or miniature()), "env": {"PYTHONPATH": str(source)}, "cwd": REPOSITORY}
    answer = subprocess.run([sys.executable, "-c", SHOW_PLAN], **asked, capture_output=True, text=True, check=True)
    return {kind: set(names) for kind, names in json.loads(answer.stdout).items()}


@functools.cache
def unedited() -> dict[str, set[str]]:
    return cells(REPOSITORY / "src")


def test_comments_docstrings_and_layout_do_not_count(source: Path) -> None:
    before = code_digest("emsteer.judging.rubric", root=source)
    edit(source, RUBRIC, '"""The grammar\'s own judge', '"""Another first line of the grammar\'s own judge')
    edit(source, RUBRIC, "BACKGROUND_SEED = 0", "# why\nBACKGROUND_SEED = (\n    0\n)")
    edit(source, RUBRIC, '"""Knows every sentence of the grammar."""', '"""Knows\n\n    it all."""')
    assert code_digest("emsteer.judging.rubric", root=source) == before


def test_a_formula_in_an_imported_module_counts(source: Path) -> None:
    before = code_digest("emsteer.judging.rubric", root=source)
    edit(source, "emsteer/organism/grammar.py", "// 3]", "// 4]")
    assert code_digest("emsteer.judging.rubric", root=source) != before


def test_a_formula_in_the_judge_moves_scores_and_everything_downstream_and_nothing_else(source: Path) -> None:
    raw = without_elicitations(miniature())
    before = cells(REPOSITORY / "src", raw)
    edit(source, RUBRIC, "else 50.0", "else 51.0")
    after = cells(source, raw)
    stays = {
        kind: {name.partition("--")[0] for name in before[kind] & after[kind]} for kind in ("scores", "tables", "figures", "report")
    }
    assert stays == {
        "scores": set(),
        "tables": {"distances", "likeness", "relatedness", "witnesses"},
        "figures": {"likeness", "witnesses"},
        "report": set(),
    }, "witnesses need no judge"
    assert {kind for kind in before if before[kind] != after[kind]} == set(stays)
    assert all(before[kind] == after[kind] for kind in ("models", "tasks", "benchmarks", "calibrations", "vectors", "answers"))


def test_a_formula_in_the_judge_moves_the_vectors_that_it_chose_answers_for_and_no_others(source: Path) -> None:
    before = unedited()
    edit(source, RUBRIC, "else 50.0", "else 51.0")
    after = cells(source)
    assert all(before[kind] == after[kind] for kind in ("models", "tasks", "benchmarks", "embeddings", "calibrations", "adapters"))
    left = {
        name.partition("--")[0] for kind in ("elicitations", "vectors", "answers", "margins") for name in before[kind] - after[kind]
    }
    assert left and all(".persona_prompts." in name or name.endswith(".careless.s0.rubric") for name in left)


def test_one_construction_does_not_depend_on_another(source: Path) -> None:
    before = code_digest("emsteer.interventions.constructions.mean_difference", root=source)
    edit(source, "emsteer/interventions/constructions/trained.py", "torch.optim.Adam(", "torch.optim.AdamW(")
    assert code_digest("emsteer.interventions.constructions.mean_difference", root=source) == before


def test_a_name_or_a_constant_counts_even_where_only_its_type_differs(source: Path) -> None:
    seen = {code_digest("emsteer.judging.rubric", root=source)}
    for old, new in (("= 0\n", "= 1\n"), ("= 1\n", "= 1.0\n"), ("= 1.0\n", "= True\n"), ("= True\n", "= '1'\n")):
        edit(source, RUBRIC, f"BACKGROUND_SEED {old}", f"BACKGROUND_SEED {new}")
        seen.add(code_digest("emsteer.judging.rubric", root=source))
    assert len(seen) == 5


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("emsteer/storage.py", 'compression="zstd"', 'compression="snappy"'),
        ("emsteer/mistakes.py", '"greater than": "more than"', '"greater than": "above"'),
        ("emsteer/schemas/data.py", "unique=True", "unique=False"),
    ],
)
def test_infrastructure_is_outside_whether_a_module_or_a_package(source: Path, file: str, old: str, new: str) -> None:
    before = unedited()
    edit(source, file, old, new)
    assert cells(source) == before


def test_every_name_of_the_infrastructure_is_a_module_or_a_package() -> None:
    places = [REPOSITORY / "src" / name.replace(".", "/") for name in INFRASTRUCTURE]
    assert [place for place in places if not place.with_suffix(".py").is_file() and not (place / "__init__.py").is_file()] == []


@pytest.mark.parametrize(
    ("file", "kinds"),
    [
        (
            "organism/corpus.py",
            {
                "models",
                "calibrations",
                "elicitations",
                "vectors",
                "adapters",
                "answers",
                "margins",
                "likeness",
                "effects",
                "witnesses",
                "scores",
            },
        ),
        ("finetune.py", {"adapters", "answers", "margins", "likeness", "effects", "witnesses", "scores"}),
        ("generation/margins.py", {"margins", "effects"}),
        ("generation/likeness.py", {"likeness"}),
        ("generation/effects.py", {"effects"}),
        ("analysis/counts.py", set()),
    ],
)
def test_a_formula_moves_what_it_makes_and_what_reads_that(source: Path, file: str, kinds: set[str]) -> None:
    before = unedited()
    with (source / "emsteer" / file).open("a") as stream:
        stream.write("\nFACTOR = 2\n")
    after = cells(source)
    assert {kind for kind in before if before[kind] != after[kind]} == kinds | {"tables", "figures", "report"}
    if file == "finetune.py":
        assert all(".lora." in name for kind in kinds - {"likeness"} for name in before[kind] - after[kind])
        assert not before["likeness"] & after["likeness"], "every setting is compared with the finetuned model"


def test_a_recipe_that_names_no_module_is_refused() -> None:
    with pytest.raises(StudyError, match=r"emsteer\.absent"):
        code_digest("emsteer.absent")


def test_the_template_of_the_page_moves_the_report_and_nothing_else(source: Path) -> None:
    before = unedited()
    edit(source, "emsteer/report/templates/first.html", "<h2>Claims</h2>", "<h2>What was claimed</h2>")
    after = cells(source)
    assert {kind for kind in before if before[kind] != after[kind]} == {"report"}
