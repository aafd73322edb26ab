"""The command ``new``: a bot to begin with."""
