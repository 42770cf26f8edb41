"""Lineage: any number, table, figure or artifact, walked back to bytes, parameters and code."""

from emsteer.lineage.graph import Graph, Node
from emsteer.lineage.show import as_dot, as_json, screen
from emsteer.lineage.target import Target, target_of
from emsteer.lineage.verify import Verified, verify

__all__ = ["Graph", "Node", "Target", "Verified", "as_dot", "as_json", "screen", "target_of", "verify"]
