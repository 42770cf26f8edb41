"""study → cells, addresses, code digests, packs. Imports no science."""

from emsteer.plan.cells import KINDS, Cell, Raw
from emsteer.plan.obtaining import to_obtain
from emsteer.plan.packing import Pack, Plan
from emsteer.plan.resolve import resolve

__all__ = ["KINDS", "Cell", "Pack", "Plan", "Raw", "resolve", "to_obtain"]
