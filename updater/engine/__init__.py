"""Two reads, one pure decision, one write; `landing.py` tells the story."""
