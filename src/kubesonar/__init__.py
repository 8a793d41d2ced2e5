"""kubesonar: is the cluster's network healthy and, if not, which part is sick, since when and how do we know."""

__version__ = "0.1.0.dev0"
