"""May it: who among ranked candidates is eligible, and what stands against an update; pure."""
