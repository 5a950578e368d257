"""The page for people: one fleet, one subscription, live."""
