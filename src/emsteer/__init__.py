"""emsteer: emergent misalignment under activation steering, compared with finetuning on the same narrow examples."""

import emsteer.kernels  # noqa: F401 (pins CPU kernels, which must happen before torch computes)
