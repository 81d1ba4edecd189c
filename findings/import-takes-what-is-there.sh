#!/usr/bin/env bash
# `import tensorflow` imports all of Keras, and Keras imports matplotlib, pandas and scikit-learn wherever they
# are installed, though nothing asked for them: what a program pays for TensorFlow depends on its neighbours.
#
#   tensorflow-cpu 2.21.0, keras 3.15.1, matplotlib 3.11.2, pandas 3.1.1, scikit-learn 1.9.1, Python 3.11 on Linux
#   seen      alone                  keras
#             beside the other three keras, matplotlib.pyplot, pandas, sklearn
#             and the import takes longer and more memory there (printed, not tested: machines differ)
#   so        a chapter's kernel cannot start faster by asking for less (mnist_helpers/device.py)
#
# Fails if that has changed.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet tensorflow-cpu==2.21.0 keras==3.15.1
cat > "$scratch/taken.py" <<'PYTHON'
import os
import resource
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
began = time.process_time()
import tensorflow  # noqa: F401

seconds = time.process_time() - began
megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
watched = ("keras", "matplotlib.pyplot", "pandas", "sklearn")
taken = [name for name in watched if name in sys.modules]
print(f"{', '.join(taken)}: {seconds:.1f} core-seconds, {megabytes:.0f} MB")
assert taken == sys.argv[1].split(), taken
PYTHON
taken() { "$scratch/venv/bin/python" "$scratch/taken.py" "$1" 2>/dev/null; }
taken "keras" > /dev/null  # once for the files' caches
taken "keras"
"$scratch/venv/bin/pip" install --quiet matplotlib==3.11.2 pandas==3.1.1 scikit-learn==1.9.1
taken "keras matplotlib.pyplot pandas sklearn" > /dev/null
taken "keras matplotlib.pyplot pandas sklearn"
