#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# The probe in Perl: see probe.c; it cannot wait.
use strict;
use warnings;

for my $pair (split /&/, $ENV{QUERY_STRING} // '') {
    my ($name, $value) = split /=/, $pair, 2;
    $value =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge;
    print "$value\r\n" if $name eq 'header';
    print "Status: $value\r\n" if $name eq 'status';
}
print "Content-Type: text/plain\r\n\r\n";
print "$_=$ENV{$_}\0" for sort keys %ENV;
