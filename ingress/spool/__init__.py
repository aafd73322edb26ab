"""Deliveries on the ingress's own disk while Redis cannot take them."""
