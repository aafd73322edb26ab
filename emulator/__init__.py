"""A stand-in for GitLab: sends webhooks the way GitLab does, answers the REST calls that bots make.

It imports nothing of the other packages, so it serves any bot. It is no GitLab for people to work
in: everything is kept in memory and gone when it stops, and nobody is kept from doing anything.
"""
