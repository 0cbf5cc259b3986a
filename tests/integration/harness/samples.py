# SPDX-License-Identifier: Apache-2.0
"""The sample configurations that are installed, as tests use them: other places, all else as it stands there."""
from . import build


def text(name, places):
    """packaging/<name> with other texts for those in `places`; each of these must be there."""
    sample = (build.SOURCE / "packaging" / name).read_text()
    for old, new in places.items():
        assert old in sample, f"packaging/{name}: no {old}"
        sample = sample.replace(old, str(new))
    return sample
