# SPDX-License-Identifier: Apache-2.0
"""
The site that most tests use: the same probes under every kind of application.

  /plain/    CGI without sessions                     /app/      CGI with SessionFast, without mod_session
  /member/   mod_auth_form in front of pages and CGI  /legacy/   CGI with mod_session's SessionEnv and SessionHeader
  /php/      php-fpm behind mod_proxy_fcgi            /login, /logout   handlers of mod_auth_form
  /short/    like /app/, idle for a second at most    /aged/, /short-member/   like /member/ with SessionMaxAge
  /inline/   like /member/, the login form is the 401 page      /again/  /member/cgi/ by an internal redirect
  /noisy/    an error page that counts in the session
"""

PASSWORD = "Xq7-not-in-any-log"

SITE = """
DocumentRoot "{folder}/site"
DirectoryIndex index.html
TypesConfig /dev/null
AddType text/html .html
SetEnv SF_MEETING "{meeting}"
<Directory "{folder}/site">
    Require all granted
</Directory>
<Directory "{folder}/cgi">
    Require all granted
</Directory>
ScriptSock "{folder}/run/cgisock"
ScriptAlias /plain/ "{folder}/cgi/"
ScriptAlias /app/ "{folder}/cgi/"
ScriptAlias /member/cgi/ "{folder}/cgi/"
ScriptAlias /legacy/ "{folder}/cgi/"

<Location "/app/">
    SessionFast On
</Location>

ScriptAlias /short/ "{folder}/cgi/"
<Location "/short/">
    SessionFast On
    SessionFastIdleTimeout 1s
</Location>
<Location "/noisy/">
    ErrorDocument 404 "/app/probe?header=X-Session-Increment:%20errors"
</Location>
RewriteEngine On
<Directory "{folder}/site">
    RewriteEngine On
    RewriteRule ^again/(.*)$ /member/cgi/$1 [PT]
</Directory>

<Location "/legacy/">
    SessionFast On
    Session On
    SessionEnv On
    SessionHeader X-Replace-Session
</Location>

<Proxy "unix:{folder}/php.sock|fcgi://php/">
    ProxySet timeout=20
</Proxy>
<LocationMatch "^/php/(?<page>[a-z]+\\.php)$">
    SessionFast On
    SetHandler "proxy:unix:{folder}/php.sock|fcgi://php/"
</LocationMatch>
Alias /php/ "{folder}/cgi/"

# The same pages under different rules.
Alias /aged/ "{folder}/site/member/"
Alias /short-member/ "{folder}/site/member/"
Alias /inline/ "{folder}/site/member/"
<LocationMatch "^/(member|aged|short-member|inline)/">
    SessionFast On
    Session On
    SessionEnv On
    SessionHeader X-Replace-Session
    AuthType form
    AuthName members
    AuthFormProvider file
    AuthUserFile "{folder}/users"
    Require valid-user
</LocationMatch>
<Location "/aged/">
    SessionMaxAge 3600
</Location>
<LocationMatch "^/short-(member/|login$)">
    SessionMaxAge 1
</LocationMatch>
<Location "/inline/">
    ErrorDocument 401 /login.html
    ErrorDocument 404 /login.html
</Location>

<LocationMatch "^/(aged-|short-)?login$">
    SetHandler form-login-handler
    SessionFast On
    Session On
    AuthType form
    AuthName members
    AuthFormProvider file
    AuthUserFile "{folder}/users"
    AuthFormLoginRequiredLocation "/login.html"
    AuthFormLoginSuccessLocation "/member/index.html"
    Require valid-user
</LocationMatch>

<Location "/logout">
    SetHandler form-logout-handler
    SessionFast On
    Session On
    AuthType form
    AuthName members
    AuthFormProvider file
    AuthUserFile "{folder}/users"
    AuthFormLogoutLocation "/index.html"
</Location>
"""


def log_in(browser, user="alice", target="/login"):
    """Through mod_auth_form; returns the response."""
    return browser.post(target, f"httpd_username={user}&httpd_password={PASSWORD}")


def change(browser, header, target="/app/probe", **parameters):
    """Lets the application answer with one header, such as "X-Session-Set: theme=dark"."""
    return browser.get(probe_target(target, header=header, **parameters))


def probe_target(target="/app/probe", header=(), **parameters):
    from urllib.parse import quote
    headers = [header] if isinstance(header, str) else list(header)
    pairs = [("header", value) for value in headers] + sorted(parameters.items())
    return target + ("?" if pairs else "") + "&".join(f"{name}={quote(str(value), safe='')}" for name, value in pairs)