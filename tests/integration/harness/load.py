# SPDX-License-Identifier: Apache-2.0
"""Requests from many threads: all at once, or on and on while something happens to the server."""
import threading
import time

from .client import Closed
from .site import log_in, probe_target
from .waiting import PAUSE, wait_until


def at_once(tasks):
    """Runs every task in a thread of its own, together; returns their results in order, or raises what one raised."""
    results = [None] * len(tasks)
    errors = []
    start = threading.Barrier(len(tasks))

    def run(index, task):
        try:
            start.wait(20)
            results[index] = task()
        except Exception as error:  # pylint: disable=broad-except
            errors.append(error)

    threads = [threading.Thread(target=run, args=item) for item in enumerate(tasks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[0]
    return results


class Load:
    """
    Logged-in browsers, each counting in its own session as fast as the server lets it. Behind php-fpm, which is not restarted
    with httpd: mod_cgid's own helper is, and its requests fail with 503 meanwhile.

    A connection may be closed or refused while the server changes; an answer must always be that of the living session.
    """

    def __init__(self, server, browsers=4):
        self.server = server
        self.running = threading.Event()
        self.browsers = [_Counting(server, self.running, index) for index in range(browsers)]

    def __enter__(self):
        self.running.set()
        for browser in self.browsers:
            browser.start()
        self.wait_for_answers(5)
        return self

    def wait_for_answers(self, count):
        """Until every browser got that many more answers."""
        goals = [(browser, browser.answered + count) for browser in self.browsers]
        wait_until(lambda: all(browser.answered >= goal or browser.wrong for browser, goal in goals),
                   "answers under load", 20)

    def __exit__(self, *_):
        self.running.clear()
        for browser in self.browsers:
            browser.join(20)

    def check(self):
        """Nobody was logged out, nothing that was acknowledged is lost, nothing was done twice."""
        for browser in self.browsers:
            browser.check()


class _Counting(threading.Thread):
    def __init__(self, server, running, index):
        super().__init__()
        self.running = running
        self.user = ["alice", "bob"][index % 2]
        self.browser = server.browser()
        self.sent = self.answered = 0
        self.wrong = []
        assert log_in(self.browser, self.user).status == 302

    def run(self):
        while self.running.is_set() and not self.wrong:
            self.sent += 1
            try:
                response = self.browser.get(probe_target("/php/probe.php", header="X-Session-Increment: n"))
            except (Closed, OSError):
                time.sleep(PAUSE)  # nobody listens: not as fast as possible
                continue
            if response.status != 200 or response.session.get("SESSION_USER") != self.user:
                self.wrong.append(response)
            self.answered += 1

    def check(self):
        assert not self.wrong, f"{self.user} got {self.wrong}"
        # What the browser holds may have been sent twice: a connection that was closed under a request.
        session = self.browser.get("/app/probe").session
        assert session["SESSION_USER"] == self.user
        count = int(session["SESSION_FIELD_N"])
        assert self.answered <= count <= 2 * self.sent, (self.answered, count, self.sent)
        self.browser.close()
