"""What GitLab does with a webhook: which hooks an event meets, how it is sent, what is kept of it.

Never reads or changes issues, merge requests and the like; it is told that something happened.
"""
