"""The bot author's API; ``hookyard`` itself exports it. Rule: needs nothing else of ours."""
