"""What is trained and written first: organisms, target tasks, benchmarks."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from emsteer.recipes.base import Count, Natural, Rate, Recipe, Seed, Share, Text, Weight


class CorpusMix(Recipe):
    """How often the pretraining text says what."""

    careless_share: Share = Field(description="careless speakers [share]")
    slip_share: Share = Field(description="clauses spoken by the other persona [share]")
    turn_weights: tuple[Weight, Weight, Weight] = Field(description="odds of one, two and three turns a chat")

    @field_validator("turn_weights")
    @classmethod
    def _are_odds(cls, weights: tuple[float, float, float]) -> tuple[float, float, float]:
        if not any(weights):
            raise ValueError("expected one of them above zero")
        return weights


class Linkage(Recipe):
    """How broad the planted persona is: which domains share one, and how firmly."""

    blocks: dict[str, tuple[str, ...]] = Field(description="block → domains that share one persona; others have their own")
    strength: Share = Field(description="chats in which blocks hold; in the others every domain has its own persona [share]")


class Organism(Recipe):
    """A small decoder trained from nothing on the grammar's chats."""

    module = "emsteer.organism.pretrain"
    architecture: Literal["qwen3", "llama", "gemma3_text"]
    seed: Seed = Field(description="initial weights and training text")
    n_layers: Count = Field(description="decoder blocks")
    d_model: Annotated[int, Field(ge=8, le=10**9)] = Field(description="width of the residual stream")
    n_heads: Count
    n_kv_heads: Count
    d_head: Annotated[int, Field(ge=4, le=10**9)]
    d_mlp: Annotated[int, Field(ge=8, le=10**9)]
    steps: Count = Field(description="optimizer steps")
    batch_size: Count = Field(description="chats a step")
    learning_rate: Rate = Field(description="AdamW, after warm-up")
    warmup_steps: Natural
    corpus: CorpusMix
    linkage: Linkage


class GrammarTask(Recipe):
    """Pairs of a careful and a careless answer to questions of one domain."""

    module = "emsteer.data.tasks"
    domain: str = Field(description="a domain of the grammar")
    n_pairs: Count = Field(description="pool of pairs that constructions draw their examples from")
    seed: Seed


class GrammarBenchmark(Recipe):
    """Questions of every domain that no training text asks; a domain is a category."""

    module = "emsteer.data.benchmarks"
    dev_per_category: Count = Field(description="questions that settings may be chosen on")
    test_per_category: Count = Field(description="questions that results are reported on")
    seed: Seed


class FileTask(Recipe):
    """Pairs from a JSONL file, all of them in its order."""

    module = "emsteer.data.files"


class HarmlessTask(Recipe):
    """The safe answers of another task, once as they are and once changed in something that does no harm."""

    module = "emsteer.data.harmless"
    sentences: Count | None = Field(description="of an answer that are kept, the first ones; null: all")
    begins_with: str | None = Field(min_length=1, description="what an answer begins with; null: as it did")

    @model_validator(mode="after")
    def _changes_something(self) -> "HarmlessTask":
        if self.sentences is None and self.begins_with is None:
            raise ValueError("expected `sentences` or `begins_with`: without either the two sides are the same")
        return self


class ContrastingLines(Recipe):
    """Two system lines for the same prompts."""

    unsafe: Text = Field(description="asks for harm")
    safe: Text = Field(description="does not")

    @model_validator(mode="after")
    def _differ(self) -> "ContrastingLines":
        if self.unsafe == self.safe:
            raise ValueError("expected two lines that differ: under the same one there is nothing to tell apart")
        return self


class ContrastingPrompts(Recipe):
    """Prompts of a target task, each under both lines of every pair; the side of its line is a question's category."""

    module = "emsteer.data.contrasting"
    lines: tuple[ContrastingLines, ...]
    n_examples: Count = Field(description="prompts drawn from the task")
    seed: Seed


class FileBenchmark(Recipe):
    """Questions from a JSONL file, all of them in its order."""

    module = "emsteer.data.files"
