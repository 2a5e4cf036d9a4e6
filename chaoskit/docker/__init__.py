"""The Docker engine and Compose: one file for each thing asked of them."""
