"""Probes: repeated observations of the stack, one file per kind, and the sampler that runs them."""
