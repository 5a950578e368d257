"""Where subscriptions come from: the configuration file; objects of a cluster stand beside it."""
