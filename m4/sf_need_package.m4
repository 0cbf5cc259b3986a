# SPDX-License-Identifier: Apache-2.0
#
# SF_NEED_PACKAGE(PREFIX, PKG-CONFIG MODULE, DEBIAN PACKAGE)
#
# As PKG_CHECK_MODULES, but a missing library is noted and all of them are reported at once by SF_REPORT_MISSING:
# nobody likes to run configure once for each package.

AC_DEFUN([SF_NEED_PACKAGE], [
PKG_CHECK_MODULES([$1], [$2], [], [AS_VAR_APPEND([sf_missing], [" $3"])])
])

AC_DEFUN([SF_REPORT_MISSING], [
AS_IF([test -n "$sf_missing"],
    [AC_MSG_ERROR([something that session-fast needs was not found. On Debian and Ubuntu: apt-get install$sf_missing])])
])
