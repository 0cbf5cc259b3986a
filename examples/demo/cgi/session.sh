#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The demo's page in shell: shows the whole session, and gives it a new id when asked to.

text ()
{
    printf '%s' "$1" | sed -e 's/&/\&amp;/g' -e 's/</\&lt;/g' -e 's/>/\&gt;/g' -e 's/"/\&quot;/g'
}

if [ "$REQUEST_METHOD" = POST ]; then
    printf 'X-Session-Rotate: 1\r\nStatus: 303 See Other\r\nLocation: /shell/session\r\n\r\n'
    exit
fi
theme=$(text "${SESSION_FIELD_THEME:-light}")
printf 'Content-Type: text/html; charset=utf-8\r\n\r\n'
cat << END
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Session - session-fast</title>
<link rel="stylesheet" href="/style.css">
<body class="$theme">
<header><b>session-fast</b> <a href="/c/visits">Visits</a> <a href="/perl/cart">Cart</a> <a href="/php/theme">Theme</a>
<a href="/shell/session">Session</a> <a href="/logout">Log out</a></header>
<main>
<h1>Session</h1>
<p class="what">A CGI in shell. It answers with <code>X-Session-Rotate: 1</code>: the same session under a new id.
What the browser holds is an id; what servers, stores and logs see is a key made of it,
here <code id="key">$(text "$SESSION_KEY")</code>.</p>
<form method="post"><button>New id</button></form>
<dl>
<dt>User</dt><dd id="user">$(text "${SESSION_USER:-nobody}")</dd>
<dt>Visits</dt><dd id="visits">$(text "${SESSION_FIELD_VISITS:-0}")</dd>
<dt>Theme</dt><dd id="theme">$theme</dd>
<dt>Cart</dt><dd id="cart">$(text "$SESSION_FIELD_CART")</dd>
<dt>Created</dt><dd>$(date -u -d "@$SESSION_CREATED" '+%F %T UTC')</dd>
<dt>Ends</dt><dd>$(date -u -d "@$SESSION_EXPIRES" '+%F %T UTC'), or later when it is used</dd>
</dl>
</main>
</body>
</html>
END
