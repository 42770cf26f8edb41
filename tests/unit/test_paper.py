"""`params/paper.yaml` and `params/small.yaml`: six models, and a small one, planned whole before anything of them is here."""

import runpy
from pathlib import Path

import pytest
import yaml
from places import REPOSITORY

from emsteer import plan, study
from emsteer.plan import Plan, to_obtain
from emsteer.plan.bill import bill_of
from emsteer.plan.pace import device_of
from emsteer.recipes import Trained
from emsteer.study import Study, pins
from emsteer.study.cards import card_of

PAPER = REPOSITORY / "params/paper.yaml"
SIX = {"qwen35-27b", "qwen35-9b", "qwen35-4b", "qwen25-32b", "llama31-8b", "gemma3-12b"}
HUB = yaml.safe_load((REPOSITORY / "data/models/hub.yaml").read_text())


@pytest.fixture(scope="module")
def said() -> Study:
    return study.read(PAPER)


@pytest.fixture(scope="module")
def planned(said: Study) -> Plan:
    return plan.resolve(said)


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)


def test_each_of_the_six_is_steered_and_finetuned_on_every_task_and_steered_at_every_depth(planned: Plan) -> None:
    for name in SIX:
        slugs = [cell.address.partition("--")[0] for kind in ("vectors", "adapters") for cell in planned.of(kind)]
        of_model = [slug for slug in slugs if slug.startswith(f"{name}.")]
        for task in ("medical", "legal", "security"):
            assert any(f".{task}.trained.s0" in slug for slug in of_model) and any(f".{task}.lora.s0" in slug for slug in of_model)
        depths = {slug.partition(".l")[2].partition(".")[0] for slug in of_model if ".medical.trained.s0.l" in slug}
        assert len(depths) == 4, f"{name}: 20, 40, 60 and 80%"
    assert {cell.recipe.sampling.max_new_tokens for cell in planned.of("answers") if "anchors" not in cell.address} == {600}


def test_what_is_not_here_is_listed_with_how_to_get_it(planned: Plan) -> None:
    absent = to_obtain(planned)
    assert {line.partition(":")[0] for line in absent if "emsteer model fetch" in line} == SIX
    files = [line for line in absent if "emsteer model fetch" not in line]
    assert len(files) == 7 and all(line.startswith("data/") for line in files)


@pytest.fixture(scope="module")
def small() -> Study:
    return study.read(REPOSITORY / "params/small.yaml")


def test_the_small_study_fits_a_common_card_and_an_afternoon(small: Study) -> None:
    bill = bill_of(plan.resolve(small), device_of(small.execution, "L40S"))
    assert bill.total.card_s < 4 * 3600 / 3, "a bill by data sheet may be three times too low"
    assert set(bill.cards.values()) == {1} and max(bill.memory.values()) < small.execution.gpu_memory_gb * 1e9


def test_the_small_study_is_of_the_papers_tasks_judge_and_questions(said: Study, small: Study) -> None:
    planned = plan.resolve(small)
    assert len([line for line in to_obtain(planned) if line.startswith("data/")]) == 5
    assert small.tasks.items() < said.tasks.items() and small.benchmarks.items() < said.benchmarks.items()
    judges = [of.judges["gpt4o"].model_dump(exclude={"service"}) for of in (said, small)]
    assert judges[0] == judges[1] and small.answers.temperature == said.answers.temperature
    layers = {cell.recipe.layer for cell in planned.of("vectors") if isinstance(cell.recipe, Trained)}
    assert {*small.claims["steering_spreads_at_most_layers"].who.layers} == layers  # type: ignore[arg-type]


@pytest.mark.parametrize("card", sorted((REPOSITORY / "data").rglob("*.card.yaml")), ids=lambda path: path.name)
def test_a_card_says_how_its_file_is_written(card: Path) -> None:
    path = str(card.relative_to(REPOSITORY)).removesuffix(".card.yaml")
    of = card_of(path)
    assert of and not Path(path).exists(), "a card stands for what may not be handed on"
    others = [
        card_of(str(other.relative_to(REPOSITORY)).removesuffix(".card.yaml")) for other in card.parents[1].rglob("*.card.yaml")
    ]
    assert any(path in other.obtain and "data/obtain.py" in other.obtain for other in others if other)
    assert sum(of.categories.values()) in (0, of.n)


@pytest.mark.parametrize("name", sorted(HUB))
def test_declared_pins_are_what_their_configurations_give(name: str) -> None:
    declared = runpy.run_path("data/models/declare.py")["declared"]
    pin = pins.read(f"data/models/{name}.json")
    assert pin == declared(HUB[name]), "or `emsteer model pin` has read it here: then take it out of hub.yaml"
    assert 0.9 < 2 * pin.shape.n_parameters / HUB[name]["weights"] < 1.01


def test_models_are_pinned_to_the_commit_whose_sizes_are_known(said: Study) -> None:
    assert {name: (model.id, model.revision) for name, model in said.models.items()} == {  # type: ignore[union-attr]
        name: (HUB[name]["id"], HUB[name]["revision"]) for name in SIX
    }
