"""GitLab as the other side speaks it: the events it sends, and the REST client that handlers get."""
