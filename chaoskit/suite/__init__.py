"""Suites: which scenarios run, in which order, side by side, and what they amount to together."""
