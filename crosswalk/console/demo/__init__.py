"""``python -m crosswalk.console.demo``: the main job against the practice systems, from nothing to the verdict.

Everything runs on this machine and below ``.crosswalk/demo``. It ends with exit code 0 only if the practice books and
the database agree with what the seed generator worked out by itself. ``KEEP=1`` leaves all of it running.
"""
