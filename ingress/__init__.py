"""The door: one request in, one delivery in the ledger, 202 out.

It imports ``hookyard`` and nothing else of ours, and never runs a handler.
"""
