"""The pages for people: what is in this GitLab, what its hooks did, and forms to make something happen.

All work without scripts. The templates escape everything; what changes something is a form that is sent
by POST, from these pages only, and answered with a redirect.
"""
