"""THE DOOR: one request in, one delivery in the ledger, 202 out.

It imports ``deliveries`` and nothing else of ours, and never runs a handler.
"""
