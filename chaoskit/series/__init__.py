"""Runs beside each other: the statistics, and what one series of runs says against another."""
