"""Kapok: finds the units that can be there in time, asks them, keeps at it until one goes."""
