"""Settings from the columns by which tables name them."""

from collections.abc import Mapping, Sequence
from typing import Any

from emsteer.recipes import Setting

PLACE = ("arm", "model", "task")


def setting(columns: Mapping[str, Any], beneath: Sequence[Mapping[str, Any]] = ()) -> Setting:
    """Columns name one treatment or none; what is None does not apply. `beneath`: the values of other treatments."""
    values = {name: value for name, value in columns.items() if name not in PLACE and value is not None}
    treatments = [{"kind": "adapter" if "adapter" in one else "steering", **one} for one in (*beneath, values) if one]
    return Setting.model_validate({name: columns[name] for name in PLACE} | {"treatments": tuple(treatments)})
