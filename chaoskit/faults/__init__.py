"""Faults: one file per kind; the class is its YAML schema, its documentation and its behaviour."""

from chaoskit.faults.contract import REGISTRY, EdgeFault, Fault, ServiceFault, fault

__all__ = ["REGISTRY", "EdgeFault", "Fault", "ServiceFault", "fault"]
