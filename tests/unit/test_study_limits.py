"""Limits of a study file: no number without bounds, and nothing that is impossible is found only after hours."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from annotated_types import Ge, Gt, Le, Lt
from places import REPOSITORY
from planning import Study, miniature, put
from pydantic import BaseModel

from emsteer import study
from emsteer.errors import ConfigError
from emsteer.recipes import FileDigest


@pytest.fixture
def raw(monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(REPOSITORY)
    return miniature()


def mistakes(raw: object) -> list[str]:
    """The numbered lines of the message."""
    with pytest.raises(ConfigError) as caught:
        study.parse(raw)
    return [line.strip().partition(". ")[2] for line in str(caught.value).splitlines()[1:]]


def unbounded(schema: dict[str, Any], shape: Any, place: str) -> Iterator[str]:
    """Numbers of a JSON schema that lack a smallest or a largest value."""
    if not isinstance(shape, dict):
        return
    if "$ref" in shape:
        yield from unbounded(schema, schema["$defs"][shape["$ref"].rpartition("/")[2]], place)
    if shape.get("type") in ("integer", "number"):
        bounds = [{"minimum", "exclusiveMinimum"} & shape.keys(), {"maximum", "exclusiveMaximum"} & shape.keys()]
        if not all(bounds):
            yield place
    for name, inner in shape.get("properties", {}).items():
        yield from unbounded(schema, inner, f"{place}.{name}")
    for inner in (*shape.get("anyOf", ()), *shape.get("oneOf", ()), *shape.get("prefixItems", ())):
        yield from unbounded(schema, inner, place)
    for key in ("items", "additionalProperties"):
        yield from unbounded(schema, shape.get(key), f"{place}.*")


def test_every_number_of_a_study_file_is_bounded_on_both_sides() -> None:
    schema = study.Study.model_json_schema()
    assert "sweeps" in schema["properties"] and list(unbounded(schema, {"type": "number"}, "x")) == ["x"]
    assert sorted(set(unbounded(schema, schema, "study"))) == []


CLAIM = "claims.steering_spreads"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("seed", 2**63, "seed: expected at most 9223372036854775807; got 9223372036854775808"),
        ("models.mini.corpus.turn_weights", [1, -1, 1], "models.mini.corpus.turn_weights.1: expected at least 0; got -1"),
        (
            "models.mini.corpus.turn_weights",
            [0, 0, 0],
            "models.mini.corpus.turn_weights: expected one of them above zero; got [0, 0, 0]",
        ),
        ("answers.temperature", True, "answers.temperature: expected a number; got True"),
        ("answers.samples_per_block", "1", "answers.samples_per_block: expected a whole number; got '1'"),
        ("models.mini.n_layers", 1.5, "models.mini.n_layers: expected a whole number"),
        ("models.mini.n_layers", float("inf"), "models.mini.n_layers: expected a whole number"),
        (f"{CLAIM}.smallest_effect", float("nan"), f"{CLAIM}.smallest_effect: expected a finite number; got nan"),
        (f"{CLAIM}.smallest_effect", 2, f"{CLAIM}.smallest_effect: expected a share of at most 1: on_topic_em is one; got 2"),
        (f"{CLAIM}.declared", "2026-13-01", f"{CLAIM}.declared: expected a day, YYYY-MM-DD; got '2026-13-01'"),
        (f"{CLAIM}.against", {}, f"{CLAIM}.against: expected something in which the other side differs"),
        (f"{CLAIM}.against", {"model": "mni"}, "Did you mean `mini`?; got 'mni'"),
        (f"{CLAIM}.against", {"arm": "base", "adapter": "lora"}, "against.adapter: expected none: the base arm has no adapters"),
        (
            f"{CLAIM}.who",
            {"arm": "steered", "tasks": ["roses"]},
            "who.tasks.0: expected one of ['gardening'] (defined under `tasks`)",
        ),
        (
            f"{CLAIM}.who",
            {"arm": "finetuned", "layers": [1]},
            "who.layers: expected none: the finetuned arm has no layers; got [1]",
        ),
        (f"{CLAIM}.needs", {"of": "layers", "at_least": 2}, "needs.of: expected `layers` under `who`; got 'layers'"),
        (f"{CLAIM}.needs", {"of": "categories", "at_least": 2}, "needs.of: expected `each_category: true` under `who`"),
        (f"{CLAIM}.needs", {"of": "models", "at_least": 0}, "needs.at_least"),
        (
            "tasks.gardening.domain",
            "gardning",
            "tasks.gardening.domain: expected one of the domains of data/grammar/everyday.yaml: ",
        ),
        ("tasks.gardening.domain", "gardning", "Did you mean `gardening`?; got 'gardning'"),
        ("tasks.gardening.in_domain", ["roses"], "tasks.gardening.in_domain.0: expected one of the categories of the benchmarks: "),
        ("models.mini.linkage.blocks", {"a": ["cooking", "sky"]}, "models.mini.linkage.blocks.a.1: expected one of the domains of"),
        (
            "models.mini.linkage.blocks",
            {"a": ["money"], "b": ["money"]},
            "blocks.b.0: expected a domain in one block; it is in a too",
        ),
        ("models.mini.linkage.blocks", {"money": ["money"]}, "blocks.money: expected a name that no domain has; got 'money'"),
    ],
)
def test_what_can_be_known_before_running_is_said_before_running(raw: Study, path: str, value: object, said: str) -> None:
    put(raw, path, value)
    assert any(said in line for line in mistakes(raw)), mistakes(raw)


def test_a_grammar_that_is_not_at_hand_or_broken_is_left_to_whoever_reads_it(raw: Study, tmp_path: Path) -> None:
    (tmp_path / "grammar.yaml").write_text("domains: [1\n")
    for model in raw["models"].values():
        model["grammar"] = str(tmp_path / "grammar.yaml")
    study.parse(raw)


def test_a_name_that_is_too_long_for_a_file_name_is_refused(raw: Study) -> None:
    raw["vectors"]["v" * 41] = raw["vectors"]["trained"]
    assert any(line.startswith(f"vectors.{'v' * 41}: expected") for line in mistakes(raw)), mistakes(raw)


def test_an_adapter_has_no_name_of_vectors(raw: Study) -> None:
    raw["adapters"]["mean_difference"] = raw["adapters"]["lora"]
    (only,) = mistakes(raw)
    assert only.startswith("adapters.mean_difference: expected a name that no vectors have") and only.endswith(
        "got 'mean_difference'"
    )


def test_what_is_trained_on_safe_answers_is_no_base_point_and_has_no_subspace(raw: Study) -> None:
    put(raw, "vectors.trained.side", "safe")
    put(raw, "adapters.lora.side", "safe")
    found = mistakes(raw)
    assert [line.partition(":")[0] for line in found] == [
        "vectors.low_rank.of",
        "base_point.steered.vector",
        "base_point.finetuned.adapter",
    ]
    assert all("control" in line for line in found[1:])


def test_no_field_says_a_limit_twice_of_which_pydantic_would_keep_one() -> None:
    """`x: Count = Field(ge=100)` has two lower limits, and the wrong one is kept."""

    def all_of(kind: type[BaseModel]) -> Iterator[type[BaseModel]]:
        yield kind
        for one in kind.__subclasses__():
            yield from all_of(one)

    ours = [kind for kind in all_of(BaseModel) if kind.__module__.startswith("emsteer.")]
    limits = {
        f"{kind.__name__}.{name}": [type(one).__name__ for one in field.metadata if isinstance(one, Ge | Gt | Le | Lt)]
        for kind in ours
        for name, field in kind.model_fields.items()
    }
    assert len(ours) > 60 and [place for place, found in limits.items() if len(found) != len(set(found))] == []


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("analysis.bootstrap.n_resamples", 99, "expected at least 100; got 99"),
        ("models.mini.d_head", 2, "expected at least 4; got 2"),
        ("relatedness.n_permutations", 98, "expected at least 99; got 98"),
        ("judges.rubric.relevance.n_dimensions", 1, "expected at least 2; got 1"),
        ("report.panels", [], "expected at least 1 entry; got []"),
        ("report.panels", ["mini_none"], "expected mini among them, the model of the base point; got ['mini_none']"),
    ],
)
def test_limits_that_are_narrower_than_those_of_their_kind_hold(raw: Study, place: str, value: object, message: str) -> None:
    put(raw, place, value)
    with pytest.raises(ConfigError) as caught:
        study.parse(raw)
    assert f"{place}: {message}" in str(caught.value)


def test_a_panel_is_of_a_model_that_there_is(raw: Study) -> None:
    put(raw, "report.panels", ["mini", "big"])
    with pytest.raises(
        ConfigError, match=r"report.panels.1: expected one of \['mini', 'mini_none'\] \(defined under `models`\); got 'big'"
    ):
        study.parse(raw)


def test_a_file_of_a_model_may_be_larger_than_a_gigabyte() -> None:
    assert FileDigest(sha256="0" * 64, size=4_976_698_672).size > 2**32
