"""Reach Redis: URLs and clients, the pipelined connection, scripts, batching, and the embedded server.

Imports nothing else of ours. It knows no delivery.
"""
