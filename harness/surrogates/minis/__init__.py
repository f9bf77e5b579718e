"""Small learned surrogates of the embedded MHD truth.

All predict the next frame as the last frame plus an increment (`increments`).  They hold no
constraint of any kind: no projection of B, no conserved mean, no bound.  All are equivariant under
translations of the periodic box by whole cells; rotations and reflections are learned.

`fno-mini`   Fourier neural operator (Li et al., arXiv 2010.08895) on 3 frames, with residual layers
             and, for its size, spectral weights per channel; pointwise maps mix the channels.
`conv-mini`  residual convolutional network on 1 frame: circular stencils per channel, and pointwise
             maps that mix the channels (depthwise separable, as in Chollet, arXiv 1610.02357).
`revin-mini` the network of fno-mini under Walrus's normalisation (arXiv 2511.15684): frames and
             increments in units of the history's own rms, per sample and channel.

`training/train_minis.py` makes the shipped weights.
"""

from harness.surrogates.minis.checkpoints import WEIGHTS, CheckpointError, load_mini, save_mini
from harness.surrogates.minis.models import MINIS, Mini, build

__all__ = ["MINIS", "WEIGHTS", "CheckpointError", "Mini", "build", "load_mini", "save_mini"]
