"""Lineage: any number, table, figure or artifact, walked back to bytes, parameters and code."""

from emsteer.lineage.graph import Graph, Node
from emsteer.lineage.show import as_dot, as_json, screen
from emsteer.lineage.target import Target, target_of

__all__ = ["Graph", "Node", "Target", "as_dot", "as_json", "screen", "target_of"]
