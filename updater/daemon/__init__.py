"""The composition root: how the rooms are put together.

Two lifetimes. A `Process` holds what outlives a configuration: metrics, HTTP connections, mirrors, cache. A
`Generation` holds what one configuration asks for: subscriptions, registry settings, schedule, workers. A
reload validates, drains the old generation and starts the new one; an invalid file keeps the old one.
"""
