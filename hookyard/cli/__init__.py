"""The command ``hookyard``: one module per group of commands. It starts the others as processes."""
