"""Training and evaluation of registered models: solvers, hooks, optimizers and schedules."""
