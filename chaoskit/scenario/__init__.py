"""What the author wrote: reading it with positions, its models, its lints and its JSON Schema."""
