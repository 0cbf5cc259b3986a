#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# The demo's page in Perl: a cart, one line for each thing in it.
#
# The session stands in the environment; headers change it. A form of another site cannot: the cookie is SameSite=Lax.
use strict;
use warnings;

my %FORM;
if (($ENV{REQUEST_METHOD} // '') eq 'POST') {
    read STDIN, my $body, $ENV{CONTENT_LENGTH} // 0;
    for my $pair (split /&/, $body) {
        my ($name, $value) = map { s/\+/ /gr =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ger } split /=/, $pair, 2;
        $FORM{$name} = $value;
    }
    # The application hands over names and values as a form does: encoded.
    if ($FORM{item}) {
        my $line = substr($FORM{item}, 0, 80) . "\n";
        $line =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ge;
        print "X-Session-Append: cart=$line\r\n";
    } elsif ($FORM{empty}) {
        print "X-Session-Unset: cart\r\n";
    }
    # Asked again with GET, so that reloading the page puts nothing into the cart.
    print "Status: 303 See Other\r\nLocation: /perl/cart\r\n\r\n";
    exit;
}

sub text {
    my ($text) = @_;
    my %entity = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;', '"' => '&quot;');
    return $text =~ s/([&<>"])/$entity{$1}/gr;
}

my $theme = text($ENV{SESSION_FIELD_THEME} // 'light');
my $cart = text($ENV{SESSION_FIELD_CART} // '');
my $user = text($ENV{SESSION_USER} // 'nobody');
my $visits = text($ENV{SESSION_FIELD_VISITS} // '0');
print <<"END";
Content-Type: text/html; charset=utf-8\r
\r
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Cart - session-fast</title>
<link rel="stylesheet" href="/style.css">
<body class="$theme">
<header><b>session-fast</b> <a href="/c/visits">Visits</a> <a href="/perl/cart">Cart</a> <a href="/php/theme">Theme</a>
<a href="/shell/session">Session</a> <a href="/logout">Log out</a></header>
<main>
<h1>Cart</h1>
<p class="what">A CGI in Perl. It answers with <code>X-Session-Append: cart=WHAT</code> or
<code>X-Session-Unset: cart</code>.</p>
<form method="post"><label>What <input name="item" maxlength="80" required></label>
<button>Put into the cart</button></form>
<form method="post"><button name="empty" value="1">Empty the cart</button></form>
<dl>
<dt>User</dt><dd id="user">$user</dd>
<dt>Visits</dt><dd id="visits">$visits</dd>
<dt>Theme</dt><dd id="theme">$theme</dd>
<dt>Cart</dt><dd id="cart">$cart</dd>
</dl>
</main>
</body>
</html>
END
