#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# The demo's login behind nginx, where no mod_auth_form does it: POST /login logs in, GET /logout out.
use strict;
use warnings;
use Digest::SHA 'sha1_base64';

# The file that httpd's AuthUserFile names, too. The form's fields are those of mod_auth_form.
sub is_user {
    my ($user, $password) = @_;
    open my $users, '<', '../users' or die "users: $!";
    return grep { $_ eq "$user:{SHA}" . sha1_base64($password) . "=\n" } <$users>;
}

my $page = '/login.html';
if ($ENV{SCRIPT_NAME} eq '/logout') {
    print "X-Session-Logout: 1\r\n";
} elsif ($ENV{REQUEST_METHOD} eq 'POST') {
    read STDIN, my $body, $ENV{CONTENT_LENGTH} // 0;
    my %form = map { s/\+/ /gr =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ger } map { (split(/=/, $_, 2), '')[0, 1] } split /&/, $body;
    my $user = $form{httpd_username} // '';
    if (is_user($user, $form{httpd_password} // '')) {
        # Encoded, as all values that an application hands over.
        print 'X-Session-Login: ', $user =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger, "\r\n";
        $page = '/c/visits';
    }
}
print "Status: 302 Found\r\nLocation: $page\r\n\r\n";
