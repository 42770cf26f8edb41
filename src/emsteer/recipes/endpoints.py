"""Judges behind an endpoint: how they are asked, and where."""

from pydantic import BaseModel, ConfigDict, Field

from emsteer.recipes.base import Count, Natural, Recipe

VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"


class Asking(Recipe):
    """How a language model is asked to judge: all that its replies depend on, but for instruction, question and answer."""

    model: str = Field(min_length=1, description="dated, where the endpoint has dated names: what stands behind others changes")
    temperature: float = Field(ge=0, le=2)
    max_tokens: Count = Field(ge=3, description="of a reply; a number may be three tokens long")
    top_logprobs: Natural = Field(le=20, description="tokens of a position that are told with their probability; 0: none are")


class Service(BaseModel):
    """Where a judge is asked, how fast, and for how much; changes no address."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    base_url: str = Field(pattern=r"^https?://", description="of the OpenAI-compatible endpoint, with its /v1")
    key_from: str | None = Field(pattern=VARIABLE, description="environment variable that holds the key; null: there is none")
    concurrency: Count = Field(le=512, description="requests under way")
    requests_per_minute: float = Field(gt=0)
    timeout_s: float = Field(gt=0, description="of one request [s]")
    attempts: Count = Field(le=20, description="at one judgement")
    budget_tokens: Count | None = Field(description="read and written, in one job; null: no limit")
    budget_usd: float | None = Field(gt=0, description="in one job, where the price of the model is known; null: no limit")
