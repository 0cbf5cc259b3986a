# SPDX-License-Identifier: Apache-2.0
"""What a test has measured, beside what it asserts."""
import os


def tell(text):
    """In the test's own output, and in the file that SF_FIGURES names: ./check shows that at its end."""
    print(text)
    if os.environ.get("SF_FIGURES"):
        with open(os.environ["SF_FIGURES"], "a") as figures:
            figures.write(text + "\n")
