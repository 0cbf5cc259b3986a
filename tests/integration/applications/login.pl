#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A login form: GET shows it, POST of a name logs in, POST without one logs out.
use strict;
use warnings;

if ($ENV{REQUEST_METHOD} eq 'POST') {
    read STDIN, my $body, $ENV{CONTENT_LENGTH};
    print $body =~ /^name=([a-z]+)$/ ? "X-Session-Login: $1\r\n" : "X-Session-Logout: 1\r\n";
    print "Status: 303 See Other\r\nLocation: http://$ENV{HTTP_HOST}/cgi-bin/visits\r\n\r\n";
} else {
    print "Content-Type: text/html\r\n\r\n<form method=\"post\"><input name=\"name\"></form>\n";
}
