"""Models of a study: organisms that it pretrains, and models that exist already, each with its pin."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, ValidationInfo, field_validator

from emsteer import recipes
from emsteer.errors import ConfigError
from emsteer.mistakes import meant
from emsteer.recipes import Source
from emsteer.recipes.models import Dtype, HubId, Revision
from emsteer.study import reading
from emsteer.study.pins import PinFile
from emsteer.study.shape import InputFile, Section

Text = Annotated[str, Field(min_length=1, max_length=500)]
Pinned = Annotated[str, PinFile, Field(description="what `emsteer model pin` wrote: digests, sizes, licence")]


class OrganismModel(recipes.Organism):
    """A model organism that the study pretrains itself."""

    model_config = ConfigDict(allow_inf_nan=False)
    kind: Literal["organism"]
    grammar: InputFile = Field(description="what the organism is trained to say")

    @field_validator("n_kv_heads")
    @classmethod
    def _divides(cls, n_kv_heads: int, info: ValidationInfo) -> int:
        if (info.data.get("n_heads") or n_kv_heads) % n_kv_heads:
            raise ValueError(f"expected a divisor of n_heads ({info.data['n_heads']})")
        return n_kv_heads

    @field_validator("d_head")
    @classmethod
    def _is_even(cls, d_head: int) -> int:
        if d_head % 2:
            raise ValueError("expected an even number: rotary positions turn pairs of dimensions")
        return d_head


class _Existing(Section):
    dtype: Dtype = Field(description="of weights and residual stream; on a CPU, bfloat16 is slower than float32")
    chat: recipes.Chat


class HubModel(_Existing):
    """A model of the Hugging Face hub, read from the hub's cache on this machine."""

    kind: Literal["huggingface"]
    id: HubId
    revision: Revision = Field(description="commit on the hub, 40 hex digits: a branch moves")
    pin: Pinned

    @property
    def place(self) -> str | None:
        """The hub's cache knows."""
        return None


class FolderModel(_Existing):
    """A folder that `save_pretrained` wrote."""

    kind: Literal["folder"]
    path: Text = Field(description="on this machine; moves no address")
    pin: Pinned

    @property
    def place(self) -> str | None:
        """Where it lies on this machine."""
        return self.path


class GgufModel(_Existing):
    """A GGUF file: at a path, or inside a Python package."""

    kind: Literal["gguf"]
    package: Text | None = Field(None, description="an installed package that carries the file; left out: `file` is a path")
    file: Text = Field(description="a path on this machine, or a name inside the package")
    pin: Pinned

    @property
    def place(self) -> str | None:
        """Where it lies on this machine; the installation knows where a package is."""
        return None if self.package else self.file


PinnedModel = HubModel | FolderModel | GgufModel
Model = Annotated[OrganismModel | PinnedModel, Field(discriminator="kind")]


def to_pin(name: str, params: Path) -> tuple[Source, str | None, Path]:
    """(source, place, pin file) of a model in a study file whose other parts may be wrong still, and whose pin may be missing.

    Raises:
        ConfigError: The file has no such model, or says too little of it.
    """
    raw = reading.read(params).value
    models = raw.get("models") if isinstance(raw, Mapping) else None
    entry = models.get(name) if isinstance(models, Mapping) else None
    if not isinstance(entry, Mapping):
        known = sorted(map(str, models or ()))
        raise ConfigError(f"{params}: no model {name}; expected one of {', '.join(known) or 'none'}{meant(name, known)}.")
    kinds = ("huggingface", "folder", "gguf")
    if entry.get("kind") not in kinds:
        raise ConfigError(f"{params}: models.{name}.kind: expected one of {', '.join(kinds)}; got {entry.get('kind')!r}.")
    if not isinstance(entry.get("pin"), str):
        raise ConfigError(f"{params}: models.{name}.pin: missing; expected the file to write, such as data/models/{name}.json.")
    model = _without_its_pin(entry, f"{params}: models.{name}")
    said = {key: value for key, value in model.model_dump(include=set(Source.model_fields)).items() if value is not None}
    if "file" in said:
        said["file"] = Path(said["file"]).name
    return Source(**said), model.place, Path(entry["pin"])


def _without_its_pin(entry: Mapping[str, Any], where: str) -> PinnedModel:
    """The entry as it is checked elsewhere, but for a pin that is not written yet."""
    adapter: TypeAdapter[PinnedModel] = TypeAdapter(Annotated[PinnedModel, Field(discriminator="kind")])
    try:
        return adapter.validate_python(dict(entry), context={"pin": "to be written"})
    except ValidationError as error:
        found = [f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors()]
        raise ConfigError(f"{where}: {'; '.join(found)}.") from None
