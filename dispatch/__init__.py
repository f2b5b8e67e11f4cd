"""Kapok: finds the units that can be there in time, asks them, and keeps at it until somebody goes."""
