"""Pull requests of forges: what they look like to us, and who asks which forge for them."""
