# SPDX-License-Identifier: Apache-2.0
#
# SF_APPEND_COMPILE_FLAGS(VARIABLE, FLAGS)
# SF_APPEND_LINK_FLAGS(VARIABLE, FLAGS)
#
# Append to the shell variable those of the blank-separated flags that the compiler (linker) takes.
# Warnings are errors during the probe, because clang only warns about a warning flag that it does not know;
# without autoconf's macros, because -Wunused-macros would refuse them.

AC_DEFUN([SF_APPEND_COMPILE_FLAGS], [
AC_LANG_ASSERT([C])
for sf_flag in m4_normalize([$2]); do
    AC_MSG_CHECKING([whether $CC takes $sf_flag])
    sf_saved_cflags=$CFLAGS
    CFLAGS="$CFLAGS -Werror $sf_flag"
    AC_COMPILE_IFELSE([AC_LANG_DEFINES_PROVIDED[extern int sf_probe; int sf_probe;]],
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
