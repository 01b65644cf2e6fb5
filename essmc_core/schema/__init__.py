"""What components accept: signatures read from source, the check of whole configurations, YAML stubs."""

from essmc_core.schema.check import Checker, check_component
from essmc_core.schema.signature import MISSING, Parameter, Signature, read_signature
from essmc_core.schema.stub import yaml_stub

__all__ = [
    "MISSING",
    "Checker",
    "Parameter",
    "Signature",
    "check_component",
    "read_signature",
    "yaml_stub",
]
