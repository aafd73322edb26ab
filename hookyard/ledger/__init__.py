"""Deliveries in Redis: their records, their transitions, and the only code that reads or writes them."""
