"""For bots' own tests: a pytest plugin with a GitLab, a Redis and a Hookyard that are real and one's own.

pytest loads ``plugin`` by its entry point, in every run on a machine that has Hookyard; so that
module imports nothing but pytest until a test asks for one of the fixtures. Nothing here is needed
to run a bot, and pytest is no dependency of Hookyard's.
"""
