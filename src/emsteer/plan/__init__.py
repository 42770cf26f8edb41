"""study → cells, addresses, code digests, packs. Imports no science."""

from emsteer.plan.cells import KINDS, Cell, Raw
from emsteer.plan.obtaining import check_all_here, to_obtain
from emsteer.plan.packing import Pack, Plan
from emsteer.plan.resolve import resolve

__all__ = ["KINDS", "Cell", "Pack", "Plan", "Raw", "check_all_here", "resolve", "to_obtain"]
