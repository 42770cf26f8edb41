"""The engine without a study: any model on this machine, any vectors and adapters."""
