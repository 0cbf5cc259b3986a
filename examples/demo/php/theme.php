<?php
// SPDX-License-Identifier: Apache-2.0
//
// The demo's page in PHP, behind php-fpm: the theme of all pages.
//
// The session stands in $_SERVER; a header changes it. PHP's own sessions are not involved.

$themes = ['light', 'dark', 'sepia'];
if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    if (in_array($_POST['theme'] ?? '', $themes, true)) {
        header('X-Session-Set: theme=' . $_POST['theme']);
    }
    header('Location: /php/theme', true, 303);
    exit;
}

function text(string $text): string
{
    return htmlspecialchars($text, ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
}

$theme = $_SERVER['SESSION_FIELD_THEME'] ?? 'light';
header('Content-Type: text/html; charset=utf-8');
?>
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Theme - session-fast</title>
<link rel="stylesheet" href="/style.css">
<body class="<?= text($theme) ?>">
<header><b>session-fast</b> <a href="/c/visits">Visits</a> <a href="/perl/cart">Cart</a> <a href="/php/theme">Theme</a>
<a href="/shell/session">Session</a> <a href="/logout">Log out</a></header>
<main>
<h1>Theme</h1>
<p class="what">PHP behind php-fpm. It answers with <code>X-Session-Set: theme=NAME</code>.</p>
<form method="post"><label>Theme <select name="theme">
<?php foreach ($themes as $name): ?>
<option<?= $name === $theme ? ' selected' : '' ?>><?= $name ?></option>
<?php endforeach ?>
</select></label><button>Use it</button></form>
<dl>
<dt>User</dt><dd id="user"><?= text($_SERVER['SESSION_USER'] ?? 'nobody') ?></dd>
<dt>Visits</dt><dd id="visits"><?= text($_SERVER['SESSION_FIELD_VISITS'] ?? '0') ?></dd>
<dt>Theme</dt><dd id="theme"><?= text($theme) ?></dd>
<dt>Cart</dt><dd id="cart"><?= text($_SERVER['SESSION_FIELD_CART'] ?? '') ?></dd>
</dl>
</main>
</body>
</html>
