"""Logs and metrics. Imports nothing else of ours."""
