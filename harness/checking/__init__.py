"""The contracts of a metric, tried on small networks, with explanations for whoever wrote their first one."""
