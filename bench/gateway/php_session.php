<?php // SPDX-License-Identifier: Apache-2.0
// A counter in PHP's own session, wherever the pool keeps it.
header('Content-Type: text/plain');
session_start();
$_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1;
echo 'n=', $_SESSION['n'], "\n";
