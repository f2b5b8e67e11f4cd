"""The common operating picture in memory: a fold of fixes and committed entries, a hint."""
