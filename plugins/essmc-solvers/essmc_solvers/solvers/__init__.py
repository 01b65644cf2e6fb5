"""The solvers: training, evaluation, and what they have in common."""
