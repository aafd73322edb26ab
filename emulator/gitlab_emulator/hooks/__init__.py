"""Webhooks the way GitLab handles them: matching, sending, logging, disabling.

Never reads or changes issues, merge requests and the like; it is notified that something happened.
"""
