"""The hosts of one worker: child processes that import the bot and run its handlers, seen from outside."""
