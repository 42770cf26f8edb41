"""Pins of models that nobody has read here, from what their config.json says: `python data/models/declare.py`."""

from pathlib import Path
from typing import Any

import yaml
from transformers import AutoConfig

from emsteer import storage
from emsteer.models.pinning import shape_of
from emsteer.recipes import Pin
from emsteer.study import pins

HERE = Path(__file__).parent


def declared(entry: dict[str, Any]) -> Pin:
    """Sizes as transformers builds the model; no file, so that nothing can be loaded."""
    config = dict(entry["config"])
    shape = shape_of(AutoConfig.for_model(config.pop("model_type"), **config))
    source = {"kind": "huggingface", "id": entry["id"], "revision": entry["revision"]}
    return Pin(**source, version=None, files={}, chat_template=None, licence=entry["licence"], shape=shape)


def main() -> None:
    """One pin an entry of hub.yaml; those that `emsteer model pin` has read already are left."""
    for name, entry in yaml.safe_load((HERE / "hub.yaml").read_text(encoding="utf-8")).items():
        target = HERE / f"{name}.json"
        if target.exists() and not pins.read(str(target)).is_declared:
            continue
        pin = declared(entry)
        storage.write_text(target, pins.written(pin))
        share = 2 * pin.shape.n_parameters / entry["weights"]
        print(f"{name}: {pin.shape.n_parameters / 1e9:.2f} G parameters, {share:.1%} of the weights' bytes on the hub")


if __name__ == "__main__":
    main()
