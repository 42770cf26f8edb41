"""The embedded model organism: a tiny chat model with a planted persona of known breadth."""
