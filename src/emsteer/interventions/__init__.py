"""The only place that touches forward hooks: what is added to the residual stream, and how directions are built."""
