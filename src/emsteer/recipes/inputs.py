"""What is trained and written first: organisms, target tasks, benchmarks."""

from typing import Literal

from pydantic import Field

from emsteer.recipes.base import Recipe, Share


class CorpusMix(Recipe):
    """How often the pretraining text says what."""

    careless_share: Share = Field(description="careless speakers [share]")
    slip_share: Share = Field(description="clauses spoken by the other persona [share]")
    turn_weights: tuple[float, float, float] = Field(description="odds of one, two and three turns a chat")


class Linkage(Recipe):
    """How broad the planted persona is: which domains share one, and how firmly."""

    blocks: dict[str, tuple[str, ...]] = Field(description="block → domains that share one persona; others have their own")
    strength: Share = Field(description="chats in which blocks hold; in the others every domain has its own persona [share]")


class Organism(Recipe):
    """A small decoder trained from nothing on the grammar's chats."""

    module = "emsteer.organism.pretrain"
    architecture: Literal["qwen3", "llama"]
    seed: int = Field(ge=0, description="initial weights and training text")
    n_layers: int = Field(ge=1, description="decoder blocks")
    d_model: int = Field(ge=8, description="width of the residual stream")
    n_heads: int = Field(ge=1)
    n_kv_heads: int = Field(ge=1)
    d_head: int = Field(ge=4)
    d_mlp: int = Field(ge=8)
    steps: int = Field(ge=1, description="optimizer steps")
    batch_size: int = Field(ge=1, description="chats a step")
    learning_rate: float = Field(gt=0, description="AdamW, after warm-up")
    warmup_steps: int = Field(ge=0)
    corpus: CorpusMix
    linkage: Linkage


class GrammarTask(Recipe):
    """Pairs of a careful and a careless answer to questions of one domain."""

    module = "emsteer.data.tasks"
    domain: str = Field(description="a domain of the grammar")
    n_pairs: int = Field(ge=1, description="pool of pairs that constructions draw their examples from")
    seed: int = Field(ge=0)


class GrammarBenchmark(Recipe):
    """Questions of every domain that no training text asks; a domain is a category."""

    module = "emsteer.data.benchmarks"
    dev_per_category: int = Field(ge=1, description="questions that settings may be chosen on")
    test_per_category: int = Field(ge=1, description="questions that results are reported on")
    seed: int = Field(ge=0)
