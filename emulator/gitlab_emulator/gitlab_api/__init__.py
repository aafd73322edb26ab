"""GitLab's REST API, version 4, over the emulator's state: one module per resource.

A resource's functions take a `Call` and give an `Answer` or raise `Refusal`; `routes` lists them all,
`api` is the only module that speaks HTTP.
"""
