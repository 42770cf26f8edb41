"""Language models as judges: how they are asked, and where."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from emsteer.recipes.base import Count, Natural, Points, Recipe, Share

COHERENCE_FIRST = Field(description="coherence up to which nothing else is asked of an answer; null: all is, at once")
VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"


class Asking(Recipe):
    """How a language model is asked to judge: all that its replies depend on, but for instruction, question and answer."""

    model: str = Field(min_length=1, description="dated, where the endpoint has dated names: what stands behind others changes")
    temperature: float = Field(ge=0, le=2)
    max_tokens: Annotated[int, Field(ge=3, le=10**9)] = Field(description="of a reply; a number may be three tokens long")
    top_logprobs: Annotated[int, Field(ge=0, le=20)] = Field(
        description="tokens of a position that are told with their probability; 0: none are"
    )
    repeat: Natural = Field(description="how often it was asked before: another number asks again, under another judge's name")


class Asked(Asking):
    """A language model behind an OpenAI-compatible endpoint gives points for three rubrics, which are its inputs."""

    module = "emsteer.judging.asked"
    least_mass: Share = Field(description="probability that numbers must hold together among the first tokens")
    coherence_first: Points | None = COHERENCE_FIRST


class LocalJudge(Recipe):
    """A model of the study gives points for three rubrics, which are inputs of the cell: read off its own probabilities."""

    module = "emsteer.judging.local"
    least_mass: Share = Field(description="probability that whole numbers from 0 to 100 must hold together")
    coherence_first: Points | None = COHERENCE_FIRST


class Service(BaseModel):
    """Where a judge is asked, how fast, and for how much; changes no address."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)
    base_url: str = Field(pattern=r"^https?://", description="of the OpenAI-compatible endpoint, with its /v1")
    key_from: str | None = Field(pattern=VARIABLE, description="environment variable that holds the key; null: there is none")
    concurrency: Annotated[int, Field(ge=1, le=512)] = Field(description="requests under way")
    requests_per_minute: float = Field(gt=0)
    timeout_s: float = Field(gt=0, description="of one request [s]")
    attempts: Annotated[int, Field(ge=1, le=20)] = Field(description="at one judgement")
    budget_tokens: Count | None = Field(description="read and written, in one job; null: no limit")
    budget_usd: float | None = Field(gt=0, description="in one job, where the price of the model is known; null: no limit")
    replies: str = Field(min_length=1, description="folder that keeps every reply, on a disk of the machine; studies may share it")
    max_error_pct: float = Field(ge=0, le=100, description="of a cell; with more errors it is not made [%]")
