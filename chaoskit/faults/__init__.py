"""Faults: one file per kind; the class is its YAML schema, its documentation and its behaviour.

Below them lie `contract`, what every fault shares, and `engines`, the means to act on a stack.
"""

from chaoskit.faults.contract import REGISTRY, Fault, fault
from chaoskit.faults.engines.containers import ServiceFault
from chaoskit.faults.engines.toxics import EdgeFault

__all__ = ["REGISTRY", "EdgeFault", "Fault", "ServiceFault", "fault"]
