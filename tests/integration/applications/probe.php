<?php
// SPDX-License-Identifier: Apache-2.0
// The probe in PHP: see probe.c; it cannot wait.
header('Content-Type: text/plain');
foreach (explode('&', $_SERVER['QUERY_STRING'] ?? '') as $pair) {
    [$name, $value] = explode('=', $pair, 2) + ['', ''];
    if ($name === 'header') {
        header(rawurldecode($value), false);
    } elseif ($name === 'status') {
        http_response_code((int) rawurldecode($value));
    }
}
foreach ($_SERVER as $name => $value) {
    if (is_string($value)) {
        echo "$name=$value\0";
    }
}
