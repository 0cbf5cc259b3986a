# SPDX-License-Identifier: Apache-2.0
#
# Part of ./demo: the steps of --once. Each says what it does and what came of it.

# The server that is asked from here on.
behind_httpd ()
{
    port=$httpd_port
}

behind_nginx ()
{
    port=$nginx_port
}

# ask METHOD PATH [curl's arguments]: the answer is in $head and $body, its status in $status.
ask ()
{
    local method=$1 path=$2
    shift 2
    status=$(curl -s -m 20 -X "$method" -b "$folder/jar" -c "$folder/jar" -D "$folder/head" -o "$folder/body" \
        -w '%{http_code}' "$@" "http://localhost:$port$path")
    head=$(tr -d '\r' < "$folder/head")
    body=$(cat "$folder/body")
}

# header NAME: all lines of that header in the last answer
header ()
{
    printf '%s\n' "$head" | grep -i "^$1:" | cut -d ' ' -f 2-
}

# shown ID: what the page of the last answer shows there, lines joined by blanks
shown ()
{
    printf '%s' "$body" | tr '\n' ' ' | sed -n "s/.*<dd id=\"$1\">\([^<]*\)<.*/\1/p" | sed 's/ *$//'
}

cookies_set ()
{
    header set-cookie | grep -c .
}

# expect WHAT IS SHOULD_BE
expect ()
{
    if [ "$2" = "$3" ]; then
        printf '   ok   %s: %s\n' "$1" "$2"
    else
        printf '   BAD  %s: %s, expected %s\n' "$1" "${2:-nothing}" "$3"
        bad=$((bad + 1))
    fi
}

expect_location ()
{
    local location
    location=$(header location)
    expect "leads to" "${location#"http://localhost:$port"}" "$1"
}

step ()
{
    printf '%2d %s\n' $((++steps)) "$*"
}

tour ()
{
    local status head body old_id new_id daemon steps=0 bad=0
    behind_httpd
    tour_login
    tour_pages
    tour_gateway
    tour_many_at_once
    tour_restarts
    tour_logout
    tour_login_behind_nginx
    if [ "$bad" != 0 ]; then
        say "$bad things were not as they should be. The logs:" >&2
        tail -n 30 "$folder"/*.log >&2
        return 1
    fi
    say "All $steps steps did what they should."
}

expect_login_first ()
{
    expect status "$status" 302
    expect_location /login.html
}

tour_login ()
{
    step "A page for members, without a session"
    ask GET /c/visits
    expect_login_first
    expect "cookies set" "$(cookies_set)" 0

    step "Log in with a wrong password"
    ask POST /login -d 'httpd_username=demo&httpd_password=wrong'
    expect_login_first
    expect "cookies set" "$(cookies_set)" 0

    step "Log in"
    ask POST /login -d 'httpd_username=demo&httpd_password=demo'
    expect_location /c/visits
    expect "cookies set" "$(cookies_set)" 1
    expect "its attributes" "$(header set-cookie | sed 's/^[^;]*; *//')" "Path=/; Secure; HttpOnly; SameSite=Lax"
}

tour_pages ()
{
    step "The page in C counts three visits"
    for visit in 1 2 3; do
        ask GET /c/visits
        expect "visits" "$(shown visits)" "$visit"
    done
    expect "user" "$(shown user)" demo
    expect "cookies set" "$(cookies_set)" 0

    step "The page in PHP sets the theme"
    ask POST /php/theme -d 'theme=dark'
    expect status "$status" 303

    step "The page in Perl puts two things into the cart"
    ask POST /perl/cart -d 'item=bread'
    ask POST /perl/cart --data-urlencode 'item=milk & <honey>'
    expect status "$status" 303

    step "All four pages show the same session"
    expect_all_pages dark "bread milk &amp; &lt;honey&gt;"
    expect visits "$(shown visits)" 4

    step "The shell page asks for a new id"
    old_id=$(session_id)
    ask POST /shell/session
    new_id=$(session_id)
    expect "another id" "$([ -n "$new_id" ] && [ "$new_id" != "$old_id" ] && echo yes)" yes
    ask GET /php/theme
    expect "the same session" "$(shown user), $(shown visits) visits" "demo, 4 visits"
}

# expect_all_pages THEME CART
expect_all_pages ()
{
    for page in /perl/cart /php/theme /shell/session /c/visits; do
        ask GET "$page"
        expect "$page" "$(shown user), $(shown theme), $(shown cart)" "demo, $1, $2"
    done
}

session_id ()
{
    awk '$6 == "__Host-id" { print $7 }' "$folder/jar"
}

tour_gateway ()
{
    step "The same pages behind nginx, by way of the gateway, show the same session"
    behind_nginx
    expect_all_pages dark "bread milk &amp; &lt;honey&gt;"
    expect visits "$(shown visits)" 5

    step "There the theme is set, something is put into the cart, a new id asked for"
    ask POST /php/theme -d 'theme=sepia'
    ask POST /perl/cart -d 'item=figs'
    old_id=$(session_id)
    ask POST /shell/session
    new_id=$(session_id)
    expect "another id" "$([ -n "$new_id" ] && [ "$new_id" != "$old_id" ] && echo yes)" yes

    step "Behind httpd all four pages show it"
    behind_httpd
    expect_all_pages sepia "bread milk &amp; &lt;honey&gt; figs"
    expect visits "$(shown visits)" 6
}

tour_many_at_once ()
{
    local visitors=() visit
    step "Fifty visits at once, half of them behind nginx"
    for visit in {1..25}; do
        for port in "$httpd_port" "$nginx_port"; do
            curl -s -m 20 -o /dev/null -b "__Host-id=$(session_id)" "http://localhost:$port/c/visits" &
            visitors+=($!)
        done
    done
    wait "${visitors[@]}"
    behind_httpd
    ask GET /php/theme
    expect visits "$(shown visits)" 56
}

tour_restarts ()
{
    step "The daemon is killed: pages go on, httpd or the gateway starts it again"
    daemon=$(daemon_process)
    kill -KILL "$daemon"
    ask GET /c/visits
    expect visits "$(shown visits)" 57
    behind_nginx
    ask GET /c/visits
    expect "visits behind nginx" "$(shown visits)" 58
    wait_until daemon_is_new 5
    expect "a new daemon" "$(daemon_is_new && echo yes)" yes

    # Not a page of mod_cgid, which does without its own daemon for a moment then.
    step "httpd restarts gracefully"
    behind_httpd
    kill -USR1 "$httpd"
    ask GET /php/theme
    expect visits "$(shown visits)" 58

    step "httpd is stopped: nginx and the gateway go on; httpd is started"
    end_process "$httpd"
    behind_nginx
    ask GET /c/visits
    expect "visits behind nginx" "$(shown visits)" 59
    start_httpd "$httpd_port"
    behind_httpd
    ask GET /c/visits
    expect_everything 60

    step "The gateway is stopped and started"
    end_process "$gateway"
    start_gateway
    behind_nginx
    ask GET /c/visits
    expect_everything 61
}

# expect_everything VISITS
expect_everything ()
{
    expect "still there" "$(shown user), $(shown visits) visits, $(shown theme), $(shown cart)" \
        "demo, $1 visits, sepia, bread milk &amp; &lt;honey&gt; figs"
}

daemon_is_new ()
{
    local now
    now=$(daemon_process)
    [ -n "$now" ] && [ "$now" != "$daemon" ]
}

tour_logout ()
{
    step "Log out behind httpd"
    behind_httpd
    old_id=$(session_id)
    ask GET /logout
    expect_logged_out

    step "The old cookie is good for nothing, wherever it comes"
    ask GET /c/visits -b "__Host-id=$old_id"
    expect_login_first
    behind_nginx
    ask GET /c/visits -b "__Host-id=$old_id"
    expect_login_first
}

expect_logged_out ()
{
    expect_location /login.html
    expect "the cookie is taken away" "$(header set-cookie | grep -o 'Max-Age=0')" Max-Age=0
}

tour_login_behind_nginx ()
{
    step "The other way round: log in behind nginx, with a wrong password and with the right one"
    ask POST /login -d 'httpd_username=demo&httpd_password=wrong'
    expect_login_first
    expect "cookies set" "$(cookies_set)" 0
    ask POST /login -d 'httpd_username=demo&httpd_password=demo'
    expect_location /c/visits
    expect "cookies set" "$(cookies_set)" 1
    ask GET /c/visits
    expect "visits" "$(shown visits)" 1

    step "Behind httpd it is the same user"
    behind_httpd
    ask GET /c/visits
    expect "user, visits" "$(shown user), $(shown visits)" "demo, 2"

    step "Log out behind nginx: httpd asks for a login"
    behind_nginx
    old_id=$(session_id)
    ask GET /logout
    expect_logged_out
    behind_httpd
    ask GET /c/visits -b "__Host-id=$old_id"
    expect_login_first
}
