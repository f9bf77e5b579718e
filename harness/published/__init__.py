"""The figures of the zero-shot Walrus study on MHD_64, and the baselines that are made of them.

arrays: the recorded series.  facts: what they say of each rollout, by the harness's own formulas.
build: the published baselines.  tables: the study's tables, printed again.  words: where the
article's words and its arrays differ.

The arrays are those of the public repository sdelaurentiis123/well-work at commit 7c32011, folder
p2-walrus/results, written as text: one file a model and protocol under `data/`.
"""

from __future__ import annotations

CITATION = (
    "zero-shot Walrus study on MHD_64, github.com/sdelaurentiis123/well-work at 7c32011, "
    "p2-walrus/results"
)
#: model -> what it is, in the study's words made short
STUDIED = {
    "walrus-pt": "Walrus 1.3B as released, not fine-tuned, 3 frames",
    "fno-scratch": "The Well's FNO trained from scratch on 1 % of MHD_64 at M_A = 0.7, 1 frame",
    "fno-ft": "The Well's FNO pretrained at M_A = 2.0, fine-tuned on 1 % at M_A = 0.7, 1 frame",
    "fno-pretrained": "The Well's FNO pretrained at M_A = 2.0 only, 1 frame",
}
