"""The operators' pages: HTML that works without scripts, live where there are some."""
