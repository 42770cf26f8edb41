"""Loading models, finding their decoder blocks, writing prompts."""
