"""Wakes phones that sleep: by push and SMS, through one signed webhook, at least once."""
