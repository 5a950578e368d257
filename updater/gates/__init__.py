"""Decide whether an update is allowed: the eligibility of candidates, and guards; pure."""
