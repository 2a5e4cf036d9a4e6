"""chaoskit: chaos and fault injection for Docker Compose stacks."""

__version__ = "0.1.0"
