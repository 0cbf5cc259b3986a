#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The probe in shell: see probe.c; it obeys one header only, and that must stand in the query string as it is.
case $QUERY_STRING in
header=*) printf '%s\r\n' "${QUERY_STRING#header=}" ;;
esac
printf 'Content-Type: text/plain\r\n\r\n'
env -0
