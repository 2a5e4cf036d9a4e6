"""From a record to a verdict: no clock, no client, no stack."""
