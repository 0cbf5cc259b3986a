<?php // SPDX-License-Identifier: Apache-2.0
// The same counter in the session that the gateway gives.
header('Content-Type: text/plain');
header('X-Session-Increment: n');
echo 'n=', ($_SERVER['SESSION_FIELD_N'] ?? 0) + 1, "\n";
