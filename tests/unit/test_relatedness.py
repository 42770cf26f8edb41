"""How unrelated questions are to a task: by hand, on populations that are the same, and on ones that are not."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from planning import Study, moved, put, resolved, slugs
from planning import miniature as small

from emsteer import schemas, storage
from emsteer.analysis import distances, relatedness
from emsteer.analysis.distances import Texts, nearness, own
from emsteer.analysis.relatedness import compared, compared_with_itself, discrepancy, told_apart
from emsteer.errors import ConfigError
from emsteer.models import embedders, latent
from emsteer.organism.grammar import Grammar
from emsteer.packs import Job
from emsteer.recipes import Distances, Embeddings, LatentSpace, Placed, Relatedness

SPACE = LatentSpace(n_dimensions=8, n_background=3000, seed=0)  # as shipped
N_PERMUTATIONS = 199


def cloud(name: str, at: float, n: int = 40, seed: int = 0, dimensions: int = 6) -> Texts:
    """Texts on the unit sphere about a point; 0 is one place, 1 another."""
    rng = np.random.default_rng(seed)
    middle = np.zeros(dimensions)
    middle[0], middle[1] = np.cos(at * np.pi / 2), np.sin(at * np.pi / 2)
    vectors = middle + 0.15 * rng.normal(size=(n, dimensions))
    return Texts.of([f"{name} {index:03d}" for index in range(n)], vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def recipe(**changes: object) -> Relatedness:
    values = {"tasks": {}, "benchmarks": {}, "in_domain": {}, "overlaps_above": 0.05, "n_permutations": N_PERMUTATIONS, "seed": 0}
    return Relatedness(**(values | changes))


# -- the latent space ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def space(grammar: Grammar) -> latent.LatentSpace:
    return latent.fitted(grammar, SPACE)


def test_texts_have_length_one_wherever_they_have_a_word_and_do_not_depend_on_each_other(space: latent.LatentSpace) -> None:
    texts = ["how do i care for my roses ?", "what is the best way to save money ?", "xyzzy", ""]
    found = space.embed(texts)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [1, 1, 0, 0], atol=1e-6)
    np.testing.assert_array_equal(found, np.concatenate([space.embed([text]) for text in texts]))


def test_every_question_is_nearest_to_one_of_its_own_domain(grammar: Grammar, space: latent.LatentSpace) -> None:
    asked = {name: [grammar.domains[name].ask(prompt) for prompt in grammar.held_out[name]] for name in grammar.domains}
    domains = np.repeat(list(asked), [len(texts) for texts in asked.values()])
    placed = space.embed([text for texts in asked.values() for text in texts])
    cosines = placed @ placed.T
    np.fill_diagonal(cosines, -1)
    own = domains[:, None] == domains[None]
    assert (np.where(own, cosines, -1).max(1) > np.where(own, -1, cosines).max(1)).all()
    assert cosines[own & (cosines > -1)].mean() > 0.9 > 0.1 > cosines[~own].mean()


def test_a_space_is_read_as_it_was_written_and_places_the_prompts_of_a_task_in_their_order(
    grammar: Grammar, space: latent.LatentSpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latent, "read_grammar", lambda _: grammar)
    of_space = Job(SPACE, {"grammar": (tmp_path,)}, {"grammar": ("g",)}, "words--0", tmp_path / "words", {"address": "words--0"})
    (made,) = latent.make([of_space])
    prompts = ["how do i care for my roses ?", "how do i care for my ferns ?", "how do i care for my roses ?"]
    pairs = pd.DataFrame({"pair_id": list("abc"), "system": None, "prompt": prompts, "safe": "s", "unsafe": "u"})
    schemas.write(schemas.frame_of(pairs, schemas.Pairs), schemas.Pairs, tmp_path / "task.parquet", {"address": "task--0"})
    inputs, addresses = (
        {"model": (made.out,), "texts": (tmp_path / "task.parquet",)},
        {"model": ("words--0",), "texts": ("task--0",)},
    )
    job = Job(Embeddings(), inputs, addresses, "task.words--0", tmp_path / "task.safetensors", {"address": "task.words--0"})
    (placed,) = embedders.make([job])
    tensors, passport = storage.read_tensors(placed.out)
    np.testing.assert_array_equal(tensors["vectors"], space.embed(prompts))
    assert passport["address"] == "task.words--0"


# -- one question and a task -----------------------------------------------------------------------------------------


def on_a_circle(*degrees: float) -> np.ndarray:
    return np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], axis=1)


def test_nearness_by_hand() -> None:
    prompts = Texts.of(["a", "b", "c"], on_a_circle(0, 10, 40))
    assert own(prompts).nearest.tolist() == pytest.approx(np.cos(np.radians([10, 10, 30])), abs=1e-6)
    found = nearness(prompts, on_a_circle(0, 60, 130))
    assert found.nearest.tolist() == pytest.approx(np.cos(np.radians([0, 20, 90])), abs=1e-6) and found.at.tolist() == [0, 2, 2]
    assert found.mean[0] == pytest.approx(np.cos(np.radians([0, 10, 40])).mean(), abs=1e-6)
    assert found.own_share.tolist() == [4 / 4, 2 / 4, 1 / 4], "as near as all of them; than the loneliest; than none"
    assert found.overlaps(0.05, 3).tolist() == [True, True, False], "three prompts cannot say .05"
    assert found.overlaps(0.6, 3).tolist() == [True, False, False]


def test_a_single_prompt_has_no_other_and_a_text_without_a_place_is_like_nothing() -> None:
    one = Texts.of(["a"], on_a_circle(0))
    assert own(one).nearest.tolist() == [1] and nearness(one, np.zeros((1, 2))).nearest.tolist() == [0]


# -- populations -----------------------------------------------------------------------------------------------------


def test_texts_that_are_the_same_are_not_told_apart_and_have_no_discrepancy() -> None:
    texts = cloud("same", 0)
    row = compared(texts, texts, recipe())
    assert row["auc"] == 0.5, "equal texts are held out together"
    assert row["mmd"] < row["mmd_null"] and row["p_mmd"] > 0.5 and row["overlapping"] == 1


def test_two_draws_of_one_population_are_inside_the_null_and_another_population_is_not() -> None:
    here, again, there = cloud("here", 0, 120), cloud("again", 0, 120, seed=7), cloud("there", 1, 120, seed=2)
    same, other = compared(here, again, recipe()), compared(here, there, recipe())
    assert abs(same["auc"] - 0.5) < 0.15 and same["mmd"] < same["mmd_null"] and same["p_mmd"] > 0.05
    assert other["auc"] > 0.99 and other["mmd"] > other["mmd_null"] and other["p_mmd"] == 1 / (N_PERMUTATIONS + 1)
    assert same["overlapping"] > 0.8 and other["overlapping"] == 0


def test_the_null_is_not_left_more_often_than_it_says() -> None:
    p = [discrepancy(cloud("a", 0, 12, 2 * i), cloud("b", 0, 12, 2 * i + 1), 99, 0)["p_mmd"] for i in range(200)]
    assert np.mean(np.array(p) <= 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)


def test_the_discrepancy_is_the_unbiased_estimate_pair_by_pair() -> None:
    first, second = cloud("a", 0, 5), cloud("b", 0.5, 7, 1)
    x = np.concatenate([first.vectors, second.vectors])
    distances_ = ((x[:, None] - x[None]) ** 2).sum(2)
    kernel = np.exp(-distances_ / np.median(distances_[np.triu_indices(12, 1)]))
    inside = [[kernel[i, j] for i in of for j in of if i != j] for of in (range(5), range(5, 12))]
    across = [kernel[i, j] for i in range(5) for j in range(5, 12)]
    expected = np.mean(inside[0]) + np.mean(inside[1]) - 2 * np.mean(across)
    assert discrepancy(first, second, 99, 0)["mmd"] == pytest.approx(expected)


def test_a_task_is_not_told_apart_from_its_other_half_and_no_more_than_its_share_overlaps() -> None:
    row = compared_with_itself(cloud("own", 0, 80), recipe())
    assert abs(row["auc"] - 0.5) < 0.2 and row["p_mmd"] > 0.05 and 0.9 < row["overlapping"] <= 1


def test_neither_order_nor_repetition_changes_a_number() -> None:
    first, second = cloud("a", 0), cloud("b", 0.3, seed=1)
    again = np.random.default_rng(5).permutation(np.repeat(np.arange(40), 2))
    shuffled = [Texts.of(list(of.texts[again]), of.vectors[again]) for of in (first, second)]
    assert compared(*shuffled, recipe()) == compared(first, second, recipe())
    assert compared_with_itself(shuffled[0], recipe()) == compared_with_itself(first, recipe())


def test_of_very_many_texts_a_fixed_choice_is_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relatedness, "MOST_TEXTS", 20)
    first, second = cloud("a", 0), cloud("b", 1, seed=1)
    row = compared(first, second, recipe())
    assert (row["n_prompts"], row["n"]) == (40, 40) and row["auc"] > 0.9


def test_of_very_few_texts_there_is_no_test() -> None:
    row = compared(cloud("a", 0), cloud("b", 1, n=3), recipe())
    assert row["auc"] is None and row["p_mmd"] is None and row["nearest"] < 0.9


def test_told_apart_holds_out_what_it_tells() -> None:
    """Many dimensions and few texts: a classifier that saw them would tell any two sets apart."""
    noise = [cloud(name, 0, 20, seed, 200) for seed, name in enumerate("ab")]
    assert told_apart(*noise, 0) < 0.8


# -- the tables ------------------------------------------------------------------------------------------------------


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A task, another one, and a benchmark of which half of the off-domain questions were taken from the task."""
    asked = {"gardening": cloud("garden", 0), "money": cloud("money", 1, seed=1)}
    away = cloud("away", 0.9, n=20, seed=2)
    taken = asked["gardening"].take(np.arange(20))
    inside = cloud("inside", 0, n=10, seed=3)
    questions = pd.DataFrame(
        {"prompt": np.concatenate([away.texts, taken.texts, inside.texts]), "category": ["money"] * 40 + ["gardening"] * 10}
    )
    questions = questions.assign(question_id=questions["prompt"], split=["dev", "test"] * 25, system=None, safe=None, unsafe=None)
    where = np.concatenate([away.vectors, taken.vectors, inside.vectors])
    inputs: dict[str, list[Path]] = {"tasks": [], "questions": [], "embeddings": []}

    def keep(role: str, name: str) -> Path:
        inputs[role].append(tmp_path / name)
        return inputs[role][-1]

    for name, texts in asked.items():
        pairs = pd.DataFrame({"prompt": texts.texts, "pair_id": texts.texts, "system": None, "safe": "s", "unsafe": "u"})
        schemas.write(schemas.frame_of(pairs, schemas.Pairs), schemas.Pairs, keep("tasks", f"{name}.parquet"), {"address": name})
        storage.write_tensors({"vectors": texts.vectors}, keep("embeddings", f"{name}.words"), {"address": f"{name}.words"})
    frame = schemas.frame_of(questions, schemas.Questions)
    schemas.write(frame, schemas.Questions, keep("questions", "everyday.parquet"), {"address": "everyday"})
    storage.write_tensors({"vectors": where}, keep("embeddings", "everyday.words"), {"address": "everyday.words"})
    addresses = {role: tuple(path.name.removesuffix(".parquet") for path in paths) for role, paths in inputs.items()}
    placed = {name: Placed(texts=name, embeddings=f"{name}.words") for name in (*asked, "everyday")}
    benchmarks = {"words": {"everyday": placed.pop("everyday")}}
    said = recipe(tasks={"words": placed}, benchmarks=benchmarks, in_domain={"gardening": ("gardening",), "money": ("money",)})
    return Job(said, {role: tuple(paths) for role, paths in inputs.items()}, addresses, "relatedness--0", tmp_path / "out", {})


def test_a_benchmark_that_took_half_of_its_questions_from_the_task_says_so(job: Job) -> None:
    table = schemas.check(relatedness.table(job), schemas.Relatedness, "by hand").set_index(["task", "against", "name"])
    row = table.loc["gardening", "off_domain", "everyday"]
    assert row["overlapping"] == 0.5 and row["n"] == 40 and row["n_prompts"] == 40
    assert table.loc["gardening", "other_task", "money"]["auc"] > 0.99 > 0.9 > row["auc"]
    assert abs(table.loc["gardening", "own", "gardening"]["auc"] - 0.5) < 0.2
    assert set(table.index.get_level_values("against")) == {"off_domain", "in_domain", "other_task", "own"}


def test_every_question_is_seen_from_every_task(job: Job) -> None:
    of_spaces = {name: getattr(job.recipe, name) for name in Distances.model_fields}
    said = Job(Distances(**of_spaces), job.inputs, job.addresses, "distances--0", job.out, {})
    table = schemas.check(distances.table(said), schemas.Distances, "by hand")
    assert table.groupby("task").size().to_dict() == {"gardening": 50, "money": 50}
    garden = table[table["task"].eq("gardening")]
    taken = garden["prompt"].str.startswith("garden")
    assert garden.loc[taken, "nearest"].eq(1).all() and (garden.loc[taken, "nearest_prompt"] == garden.loc[taken, "prompt"]).all()
    assert garden.loc[taken, "overlaps"].all() and not garden.loc[garden["prompt"].str.startswith("away"), "overlaps"].any()
    assert garden["in_domain"].sum() == 10 and table[table["task"].eq("money")]["in_domain"].sum() == 40


# -- the plan --------------------------------------------------------------------------------------------------------


@pytest.fixture
def raw() -> Study:
    return small()


def test_every_task_and_benchmark_is_placed_by_every_embedder(raw: Study) -> None:
    plan = resolved(raw)
    assert slugs(set(plan.cells["embeddings"])) == ["everyday.words", "gardening.words"]
    put(raw, "tasks.cooking", raw["tasks"]["gardening"] | {"domain": "cooking", "in_domain": ["cooking"]})
    more = moved(plan, resolved(raw))
    assert slugs(more["embeddings"]) == ["cooking.words"]


def test_what_counts_as_overlapping_moves_two_tables_and_no_space(raw: Study) -> None:
    plan = resolved(raw)
    put(raw, "relatedness.overlaps_above", 0.1)
    after = moved(plan, resolved(raw))
    assert {"distances", "relatedness"} <= set(slugs(after["tables"])) and "embeddings" not in after and "models" not in after


def test_null_measures_nothing(raw: Study) -> None:
    put(raw, "relatedness", None)
    plan = resolved(raw)
    assert plan.of("embeddings") == [] and not {"distances", "relatedness"} & set(slugs(set(plan.cells["tables"])))


def test_a_latent_space_serves_closeness_too(raw: Study) -> None:
    put(raw, "witnesses.closeness", {"kind": "closeness", "embedder": "words"})
    seen = [cell for cell in resolved(raw).of("witnesses") if ".closeness" in cell.address]
    assert seen and all(cell.inputs["model"][0].address.startswith("words--") for cell in seen)


def test_an_embedder_that_is_not_there_is_named(raw: Study) -> None:
    put(raw, "relatedness.embedders", ["wrods"])
    with pytest.raises(ConfigError, match=r"relatedness.embedders.0: expected one of \['words'\].*Did you mean `words`"):
        resolved(raw)
