"""Logs and metrics: what a process tells of itself. Imports nothing else of ours."""
