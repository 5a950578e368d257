"""What everybody needs who serves the objects of a cluster: to watch them whole, to write their statuses, to record Events.

Generic over kind: which kinds there are, what is kept of them, what they mean, what their status says and which Events are
recorded is handed over by the room that knows its kinds.
"""
