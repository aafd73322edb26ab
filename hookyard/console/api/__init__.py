"""The JSON API, ``/api/v1``: what it answers is what its OpenAPI document says."""
