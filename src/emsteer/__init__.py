"""emsteer: emergent misalignment under activation steering, compared with finetuning on the same narrow examples."""
