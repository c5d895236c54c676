"""Changes to Ray Serve for which it has no setting.

Each is checked as it is installed: a release of Ray that no longer has what is changed stops the process with a
sentence, instead of running on without the change.
"""
