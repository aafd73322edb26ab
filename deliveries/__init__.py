"""THE LEDGER: what all processes share, and the only code that reads or writes deliveries in Redis.

It imports nothing else of ours, answers no HTTP request and runs no handler.
"""
