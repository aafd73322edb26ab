"""The operators' console: pages, a JSON API, a stream of changes. A process of its own."""
