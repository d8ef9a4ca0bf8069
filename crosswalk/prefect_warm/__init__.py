"""A worker whose runs start in forked processes, with what every run imports already imported.

``zygote``: the process that imports once and forks. ``child``: what a forked process does. ``pool``: starting zygotes,
renewing them when code changed, asking them for processes. ``worker``: the worker of a Prefect work pool.
"""
