# SPDX-License-Identifier: Apache-2.0
#
# Part of ./demo: its servers, all below $folder: httpd with the module, nginx with the gateway behind it, php-fpm.
# Each runs in a session of its own: a Ctrl-C is for ./demo, which then ends everything in order.

# Copied, because the servers' user can perhaps not go where the source is.
copy_files ()
{
    local example=$source_folder/examples/demo
    chmod 755 "$folder"
    if ! {
        mkdir "$folder/bin" "$folder/run" "$folder/cgi" "$folder/tmp" && chmod 1777 "$folder/tmp" &&
            (cd "$build" && cp mod_session_fast.so session-fastd session-fast-gateway session-fast "$folder/bin/") &&
            cp -r "$example/site" "$example/php" "$example/users" "$folder/" &&
            cp "$example/cgi/cart.pl" "$example/cgi/login.pl" "$example/cgi/session.sh" "$folder/cgi/" &&
            gcc -O2 -o "$folder/cgi/visits" "$example/cgi/visits.c" &&
            chmod -R a+rX "$folder"
    }; then
        fail "cannot set up $folder"
    fi
}

# fill_in FILE PORT [LINE FOR ROOT]: from the template of that name, in which @IDENTITY@ stands for what root must say.
fill_in ()
{
    local identity=${3-}
    [ "$(id -u)" = 0 ] || identity=
    sed -e "s|@FOLDER@|$folder|g" -e "s|@PORT@|$2|g" -e "s|@MODULES@|/usr/lib/apache2/modules|g" \
        -e "s|@IDENTITY@|$identity|g" "$source_folder/examples/demo/$1.in" > "$folder/$1"
}

is_free ()
{
    ! (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null
}

# start_on_free_port SERVER FIRST LAST: leaves it in $port. Whoever else looks for one may be faster: then the next.
start_on_free_port ()
{
    for port in $(seq "$2" "$3"); do
        is_free "$port" || continue
        "start_$1" "$port" 2> "$folder/start.out" && return
        grep -q 'Address already in use' "$folder/start.out" && continue
        cat "$folder/start.out" >&2
        fail "$1 does not start"
    done
    fail "no free port from $2 to $3; try --port"
}

start_php ()
{
    local program identity=''
    [ "$(id -u)" != 0 ] || identity=$'user = www-data\ngroup = www-data\nlisten.owner = www-data'
    cat > "$folder/php-fpm.conf" << END
[global]
daemonize = no
error_log = $folder/php-fpm.log
[demo]
$identity
listen = $folder/php.sock
pm = static
pm.max_children = 2
END
    program=$(compgen -G '/usr/sbin/php-fpm[0-9]*' | tail -n 1)
    setsid "$program" -F -n -y "$folder/php-fpm.conf" > "$folder/php-fpm.out" 2>&1 &
    php=$!
    wait_until php_listens 10 || fail "php-fpm does not start: $(tail -n 3 "$folder/php-fpm.out")"
}

php_listens ()
{
    [ -S "$folder/php.sock" ]
}

# start_httpd PORT
start_httpd ()
{
    fill_in httpd.conf "$1" 'User www-data\nGroup www-data'
    rm -f "$folder/httpd.pid"
    setsid /usr/sbin/apache2 -f "$folder/httpd.conf" -DFOREGROUND > "$folder/httpd.out" 2>&1 &
    httpd=$!
    wait_until httpd_is_decided 20 && kill -0 "$httpd" 2> /dev/null && return
    end_process "$httpd"
    httpd=
    cat "$folder/httpd.out" "$folder/error.log" >&2 2> /dev/null
    return 1
}

# It serves, or it has ended.
httpd_is_decided ()
{
    [ -s "$folder/httpd.pid" ] || ! kill -0 "$httpd" 2> /dev/null
}

# start_nginx PORT
start_nginx ()
{
    fill_in nginx.conf "$1" 'user www-data;'
    rm -f "$folder/nginx.pid"
    setsid /usr/sbin/nginx -e "$folder/nginx.log" -c "$folder/nginx.conf" > "$folder/nginx.out" 2>&1 &
    nginx=$!
    wait_until nginx_is_decided 20 && kill -0 "$nginx" 2> /dev/null && return
    end_process "$nginx"
    nginx=
    cat "$folder/nginx.out" >&2
    return 1
}

nginx_is_decided ()
{
    [ -s "$folder/nginx.pid" ] || ! kill -0 "$nginx" 2> /dev/null
}

start_gateway ()
{
    fill_in gateway.conf '' 'GatewayUser www-data'
    setsid "$folder/bin/session-fast-gateway" --config "$folder/gateway.conf" > "$folder/gateway.log" 2>&1 &
    gateway=$!
    wait_until gateway_is_decided 20 && kill -0 "$gateway" 2> /dev/null && return
    fail "session-fast-gateway does not start: $(cat "$folder/gateway.log")"
}

# SF0701: it takes requests.
gateway_is_decided ()
{
    grep -qs SF0701 "$folder/gateway.log" || ! kill -0 "$gateway" 2> /dev/null
}
