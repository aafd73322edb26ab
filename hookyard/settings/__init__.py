"""Every setting, once: its environment variable, its default, and what it must satisfy."""
