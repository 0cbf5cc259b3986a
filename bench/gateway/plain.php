<?php // SPDX-License-Identifier: Apache-2.0
header('Content-Type: text/plain');
echo "n=0\n";
