"""Listeners: metrics and logs. None of them can fail a landing."""
