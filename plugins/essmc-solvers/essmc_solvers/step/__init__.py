"""One optimizer step: losses weighed, gradients added up, looked at, averaged and clipped."""
