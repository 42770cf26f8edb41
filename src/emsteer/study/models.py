"""Models of a study: organisms that it pretrains, and models that exist already, each with its pin; and embedders."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, ValidationInfo, field_validator

from emsteer import recipes
from emsteer.errors import ConfigError
from emsteer.mistakes import meant, mistakes
from emsteer.recipes import Count, Source
from emsteer.recipes.models import Dtype, HubId, Revision
from emsteer.study import pins, reading
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


class _Speaking(Section):
    dtype: Dtype = Field(description="of weights and residual stream; on a CPU, bfloat16 is slower than float32")
    chat: recipes.Chat

    @field_validator("pin", check_fields=False)
    @classmethod
    def _is_of_one_that_chats(cls, pin: str, info: ValidationInfo) -> str:
        if (info.context or {}).get("pin") or (found := pins.read(pin)).is_declared or found.chat_template is not None:
            return pin
        raise ValueError("expected the pin of a model that answers chats; this one has no chat template")


class _OfHub(Section):
    kind: Literal["huggingface"]
    id: HubId
    revision: Revision = Field(description="commit on the hub, 40 hex digits: a branch moves")
    pin: Pinned

    @property
    def place(self) -> str | None:
        """The hub's cache knows."""
        return None


class _InFolder(Section):
    kind: Literal["folder"]
    package: Text | None = Field(None, description="an installed package that carries the folder; left out: there is a `path`")
    folder: Text | None = Field(None, description="inside the package")
    path: Text | None = Field(None, description="on this machine; moves no address")
    pin: Pinned

    @field_validator("pin")
    @classmethod
    def _is_somewhere(cls, pin: str, info: ValidationInfo) -> str:
        package, folder, path = (info.data.get(name) for name in ("package", "folder", "path"))
        if (path is None) != (package is not None and folder is not None) or (package is None) != (folder is None):
            raise ValueError("expected either a `path`, or a `package` with the `folder` inside it")
        return pin

    @property
    def place(self) -> str | None:
        """Where it lies on this machine."""
        return self.path


class HubModel(_OfHub, _Speaking):
    """A model of the Hugging Face hub, read from the hub's cache on this machine."""


class FolderModel(_InFolder, _Speaking):
    """A folder that `save_pretrained` wrote."""


class GgufModel(_Speaking):
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


class _Embedding(Section):
    pooling: Literal["mean", "first"] = Field(description="of the last layer's tokens")
    max_tokens: Count = Field(description="of a text; the rest is not read")


class HubEmbedder(_OfHub, _Embedding):
    """A sentence model of the Hugging Face hub, read from the hub's cache on this machine."""


class FolderEmbedder(_InFolder, _Embedding):
    """A sentence model in a folder."""


class LatentEmbedder(recipes.LatentSpace):
    """Word statistics of a grammar's chats, for the text of organisms."""

    model_config = ConfigDict(allow_inf_nan=False)
    kind: Literal["lsa"]
    grammar: InputFile


def n_layers_of(model: OrganismModel | PinnedModel) -> int:
    """Decoder blocks."""
    return model.n_layers if isinstance(model, OrganismModel) else pins.read(model.pin).shape.n_layers


PinnedEmbedder = HubEmbedder | FolderEmbedder
Embedder = Annotated[PinnedEmbedder | LatentEmbedder, Field(discriminator="kind")]


@dataclass(frozen=True)
class ToPin:
    """What `emsteer model pin` reads and writes; `speaks`: it answers chats, so it needs a chat template."""

    source: Source
    place: str | None
    file: Path
    speaks: bool


def to_pin(name: str, params: Path) -> ToPin:
    """A model or embedder of a study file whose other parts may be wrong still, and whose pin may be missing.

    Raises:
        ConfigError: The file has no such model, or says too little of it.
    """
    raw = reading.read(params).value
    sections = {section: _entries(raw, section) for section in ("models", "embedders")}
    section = next((section for section, entries in sections.items() if name in entries), None)
    if section is None:
        known = sorted(str(one) for entries in sections.values() for one in entries)
        raise ConfigError(f"{params}: no model {name}; expected one of {', '.join(known) or 'none'}{meant(name, known)}.")
    entry, where = sections[section][name], f"{params}: {section}.{name}"
    kinds = ("huggingface", "folder", "gguf") if section == "models" else ("huggingface", "folder")
    if not isinstance(entry, Mapping) or entry.get("kind") not in kinds:
        got = entry.get("kind") if isinstance(entry, Mapping) else entry
        raise ConfigError(f"{where}.kind: expected one of {', '.join(kinds)}; got {got!r}.")
    if not isinstance(entry.get("pin"), str):
        raise ConfigError(f"{where}.pin: missing; expected the file to write, such as data/models/{name}.json.")
    model = _without_its_pin(entry, where, PinnedModel if section == "models" else PinnedEmbedder)
    said = {key: value for key, value in model.model_dump(include=set(Source.model_fields)).items() if value is not None}
    if "file" in said:
        said["file"] = Path(said["file"]).name
    return ToPin(Source(**said), model.place, Path(entry["pin"]), speaks=section == "models")


def _entries(raw: object, section: str) -> Mapping[Any, Any]:
    entries = raw.get(section) if isinstance(raw, Mapping) else None
    return entries if isinstance(entries, Mapping) else {}


def _without_its_pin(entry: Mapping[str, Any], where: str, kinds: Any) -> Any:
    """The entry as it is checked elsewhere, but for a pin that is not written yet."""
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[kinds, Field(discriminator="kind")])
    try:
        return adapter.validate_python(dict(entry), context={"pin": "to be written"})
    except ValidationError as error:
        raise ConfigError(f"{where}: {'; '.join(mistakes(error, kinds))}.") from None
