"""THE EYES: the command line ``hookyard``, for operators.

It imports ``deliveries``, starts the other parts as processes, and never runs a handler itself.
"""
