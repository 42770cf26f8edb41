"""Models that exist already: what was pinned of them."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from emsteer.recipes.answers import RelevanceModel
from emsteer.recipes.base import Count, Recipe, Seed

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Revision = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
Dtype = Literal["float32", "bfloat16", "float16"]
HubId = Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]


class Source(Recipe):
    """Where a model comes from, whichever machine reads it; a path on one machine is none of it."""

    kind: Literal["huggingface", "folder", "gguf"]
    id: HubId | None = Field(None, description="on the Hugging Face hub")
    revision: Revision | None = Field(None, description="commit on the hub")
    package: str | None = Field(None, description="Python package that carries the GGUF file or the folder")
    folder: str | None = Field(None, description="of the package: the one with the model's files")
    file: str | None = Field(None, description="name of the GGUF file")


class FileDigest(Recipe):
    """The bytes of one file."""

    sha256: Sha256
    size: Annotated[int, Field(ge=1, le=10**15)] = Field(description="[bytes]")


class ModelShape(Recipe):
    """Sizes of a decoder."""

    n_layers: Count = Field(description="decoder blocks")
    d_model: Count = Field(description="width of the residual stream")
    n_heads: Count
    n_kv_heads: Count
    d_head: Count
    d_mlp: Count
    n_vocabulary: Count = Field(description="tokens with an embedding")
    n_positions: Count | None = Field(description="longest text that the model was made for [tokens]")
    n_parameters: Annotated[int, Field(ge=1, le=10**15)]


class Pin(Source):
    """What the study knows of a model without reading it: `emsteer model pin` writes it, loading checks it."""

    version: str | None = Field(None, description="of the package")
    files: dict[str, FileDigest] = Field(description="every file that loading may read; none: only the revision is known yet")
    chat_template: Sha256 | None = Field(None, description="of the template's text; left out: no model that chats")
    licence: str | None = Field(description="as the model's files call it")
    shape: ModelShape

    @model_validator(mode="after")
    def _is_identified(self) -> Self:
        if not self.files and self.kind != "huggingface":
            raise ValueError("expected files: only a commit of the hub says by itself which bytes it is of")
        return self

    @property
    def is_declared(self) -> bool:
        """Nobody has read the bytes here yet: the study can be planned, and the model cannot be loaded."""
        return not self.files

    @property
    def n_bytes(self) -> int:
        """Of its files; where they have not been read, two a parameter, as the hub's models have."""
        return sum(file.size for file in self.files.values()) or 2 * self.shape.n_parameters


class Chat(Recipe):
    """What every chat with a model says besides the question."""

    system: str | None = Field(description="before questions without a line of their own; null: what the template writes by itself")
    thinking: bool | None = Field(description="the template's `enable_thinking`; null: not given")


class PinnedEmbedder(Recipe):
    """A sentence model that exists already, and how its tokens become one vector."""

    module = "emsteer.models.pinned"
    pin: Pin
    pooling: Literal["mean", "first"] = Field(description="of the last layer's tokens: their mean, or the first one")
    max_tokens: Count = Field(description="of a text; what comes after them is not read")


class LatentSpace(RelevanceModel):
    """As an embedder."""

    module = "emsteer.models.latent"
    seed: Seed = Field(description="draws the chats, and starts the randomised SVD")


class Embeddings(Recipe):
    """The prompts of a task or benchmark, placed by an embedder."""

    module = "emsteer.models.embedders"


class PinnedModel(Recipe):
    """A model that exists already, as the study uses it."""

    module = "emsteer.models.pinned"
    pin: Pin
    dtype: Dtype
    chat: Chat
