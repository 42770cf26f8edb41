"""A settings file: by name, what is done to a model.

```yaml
settings:
  base: {}
  harsh at 1.5: {steered: [{vector: harsh.safetensors, layer: 14, dose: 1.5}]}
  both: {steered: [{vector: harsh.safetensors, layer: 14, dose: 1, positions: answer}], adapter: {folder: lora, scale: 0.5}}
```

A vector is a `.safetensors` file of this study (several layers, or a map), or one that holds a single direction [d_model]. A dose
is a multiple of the vector as it is in the file.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from emsteer.errors import DataError
from emsteer.generation.rows import Changes
from emsteer.interventions.adapters import Dosed, read_adapter
from emsteer.interventions.hooks import Push, Steer
from emsteer.interventions.maps import PARTS, MapPush, read_map
from emsteer.interventions.vectors import direction_at
from emsteer.recipes import Dose, Natural, Positions
from emsteer.study import reading
from emsteer.study.shape import Section


def _here(exists: Callable[[Path], bool], what: str) -> AfterValidator:
    def check(path: str) -> str:
        if not exists(Path(path)):
            raise ValueError(f"expected a {what}; there is none")
        return path

    return AfterValidator(check)


Name = Annotated[str, Field(min_length=1, max_length=100)]
File = Annotated[str, _here(Path.is_file, "file")]
Folder = Annotated[str, _here(Path.is_dir, "folder")]


class Steered(Section):
    """A vector that is added to the residual stream."""

    vector: File = Field(description="a .safetensors file")
    layer: Natural = Field(description="0-based block whose output is steered")
    dose: Dose = Field(description="multiple of the vector as it is in the file")
    positions: Positions = Field("all", description="`answer`: from the last prompt token on")


class AdapterAt(Section):
    """A LoRA adapter and what its output is multiplied by."""

    folder: Folder = Field(description="that peft's `save_pretrained` wrote")
    scale: float = Field(1.0, description="1: as it was trained")


class Setting(Section):
    """What is done to the model; nothing: base."""

    steered: tuple[Steered, ...] = ()
    adapter: AdapterAt | None = None


class SettingsFile(Section):
    """The whole file."""

    settings: dict[Name, Setting] = Field(min_length=1)


def read(path: Path) -> Mapping[str, Setting]:
    """The settings in a file, by name.

    Raises:
        ConfigError: All mistakes, each with its line.
    """
    return reading.checked(reading.read(path), str(path), SettingsFile).settings


def one(vector: str, layer: int, dose: float, positions: Positions) -> Setting:
    """A setting of one vector, as the command line has it.

    Raises:
        ConfigError: All mistakes.
    """
    written = {"vector": vector, "layer": layer, "dose": dose, "positions": positions}
    return Setting(steered=(reading.checked(reading.Written(written), "the vector", Steered),))


def changes_of(setting: Setting) -> Changes:
    """What the engine does for a setting.

    Raises:
        DataError: A vector file holds no direction for that layer.
        ModelError: A folder holds no adapter.
    """
    adapter = None
    if setting.adapter:
        adapter = Dosed(read_adapter(Path(setting.adapter.folder)), setting.adapter.scale)
    return Changes(tuple(map(_steer, setting.steered)), adapter)


def _steer(steered: Steered) -> Steer:
    path = Path(steered.vector)
    tensors = _tensors(path)
    if {*PARTS, "layers"} <= set(tensors):
        return MapPush(steered.layer, read_map(path, steered.layer).times(steered.dose), steered.positions)
    if {"directions", "layers"} <= set(tensors):
        return Push(steered.layer, steered.dose * direction_at(path, steered.layer), steered.positions)
    if len(tensors) != 1 or (direction := next(iter(tensors.values()))).ndim != 1:
        shapes = ", ".join(f"{name} {tuple(of.shape)}" for name, of in sorted(tensors.items()))
        raise DataError(
            f"{path}: expected one direction [d_model], or a vector file of a study; got {shapes}.\n  Write one tensor."
        )
    return Push(steered.layer, steered.dose * direction.float(), steered.positions)


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: cannot be read as safetensors ({error}).\n  Pickled vectors are refused.") from error
