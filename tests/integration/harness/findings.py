# SPDX-License-Identifier: Apache-2.0
"""What session-fast store check and doctor say, by what was looked at."""
import json

LEVELS = ["ok", "warning", "error"]


class Findings(list):
    def __init__(self, text):
        super().__init__(json.loads(text))

    def of(self, what, where=""):
        return [found for found in self if found["what"] == what and where in found["where"]]

    def level(self, what, where=""):
        """The worst."""
        assert self.of(what, where), f"nothing is said of {what}: {self}"
        return max((found["level"] for found in self.of(what, where)), key=LEVELS.index)

    def errors(self):
        return {(found["area"], found["what"]) for found in self if found["level"] == "error"}

    def why(self, what):
        return "; ".join(found["why"] for found in self.of(what))

    def bad(self):
        return {found["what"] for found in self if found["level"] != "ok"}
