# SPDX-License-Identifier: Apache-2.0
#
# SF_APPEND_COMPILE_FLAGS(VARIABLE, FLAGS)
# SF_APPEND_LINK_FLAGS(VARIABLE, FLAGS)
#
# Append to the shell variable those of the blank-separated flags that the compiler (linker) takes.

# gcc refuses a warning flag that it does not know, clang only warns of it, unless told otherwise. A plain -Werror
# would not do: the macros that autoconf puts into every probe fail -Wunused-macros.
AC_DEFUN([_SF_PROBE_STRICTLY], [
sf_probe_strictly=
AC_COMPILE_IFELSE([AC_LANG_SOURCE([[
#ifndef __clang__
#error "not clang"
#endif
extern int sf_probe;
]])], [sf_probe_strictly="-Werror=unknown-warning-option -Werror=unused-command-line-argument"])
])

AC_DEFUN([SF_APPEND_COMPILE_FLAGS], [
AC_LANG_ASSERT([C])
AC_REQUIRE([_SF_PROBE_STRICTLY])
for sf_flag in m4_normalize([$2]); do
    AC_MSG_CHECKING([whether $CC takes $sf_flag])
    sf_saved_cflags=$CFLAGS
    CFLAGS="$CFLAGS $sf_probe_strictly $sf_flag"
    AC_COMPILE_IFELSE([AC_LANG_SOURCE([[extern int sf_probe; int sf_probe;]])],
        [sf_takes_flag=yes
         AS_VAR_APPEND([$1], [" $sf_flag"])],
        [sf_takes_flag=no])
    CFLAGS=$sf_saved_cflags
    AC_MSG_RESULT([$sf_takes_flag])
done
])

AC_DEFUN([SF_APPEND_LINK_FLAGS], [
AC_LANG_ASSERT([C])
for sf_flag in m4_normalize([$2]); do
    AC_MSG_CHECKING([whether the linker takes $sf_flag])
    sf_saved_ldflags=$LDFLAGS
    LDFLAGS="$LDFLAGS $sf_flag"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
        [sf_takes_flag=yes
         AS_VAR_APPEND([$1], [" $sf_flag"])],
        [sf_takes_flag=no])
    LDFLAGS=$sf_saved_ldflags
    AC_MSG_RESULT([$sf_takes_flag])
done
])
