"""A GitLab for tests and development: answers REST calls and sends webhooks the way GitLab does.

It imports nothing of the other packages, so it serves any bot. It is no GitLab for people to work
in: nobody signs in, nothing runs, and unless a file is named everything is gone when it stops.
"""
