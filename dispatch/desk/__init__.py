"""The one way to change anything: load, decide, commit, apply, effects."""
