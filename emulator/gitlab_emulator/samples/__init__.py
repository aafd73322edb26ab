"""Sample events of our own writing: the bodies that GitLab sends, made from the emulator's objects.

Fields as https://docs.gitlab.com/user/project/integrations/webhook_events/ documents them. Pure: a
scene (`scene.Scene`) goes in, a JSON object comes out; `catalogue` lists them all by name.
"""
