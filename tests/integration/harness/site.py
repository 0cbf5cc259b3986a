# SPDX-License-Identifier: Apache-2.0
"""
The site that most tests use: the same probes under every kind of application.

  /plain/    CGI without sessions                     /app/      CGI with SessionFast, without mod_session
  /member/   mod_auth_form in front of pages and CGI  /legacy/   CGI with mod_session's SessionEnv and SessionHeader
  /php/      php-fpm behind mod_proxy_fcgi            /login, /logout   handlers of mod_auth_form
"""

PASSWORD = "password"

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

<Location "/member/">
    SessionFast On
    Session On
    SessionEnv On
    SessionHeader X-Replace-Session
    AuthType form
    AuthName members
    AuthFormProvider file
    AuthUserFile "{folder}/users"
    Require valid-user
</Location>

<Location "/login">
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
</Location>

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
