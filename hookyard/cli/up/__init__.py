"""``hookyard up``: all of Hookyard in one terminal."""
