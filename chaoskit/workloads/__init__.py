"""Workloads: clients that write and read through the app, one file per kind, and their driver."""
