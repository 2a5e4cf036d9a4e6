"""A mock of the external messenger: it knows the true counts, and misbehaves on request."""
