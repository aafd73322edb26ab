"""THE HANDS: claims deliveries, runs handlers, decides what comes next.

It imports ``deliveries`` and ``hookyard``, is told its handlers by an import string, and never
answers GitLab's webhook.
"""
