"""The stack: its Compose file, the copy of it with proxies in it, and that copy as it runs."""
