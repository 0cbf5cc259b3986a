/* SPDX-License-Identifier: Apache-2.0 */
/* Each rule across options: what it says, and what it lets pass. */
#include "common/config/config.h"

#include <check.h>
#include <stdio.h>

#include "tests/support/run_suite.h"

static struct sf_config config;

static void
make_defaults(void)
{
    sf_config_init(&config);
}

static void
assert_allowed(void)
{
    struct sf_error error;
    enum sf_status status = sf_config_check(&config, &error);
    ck_assert_msg(status == SF_OK, "%s", error.text);
}

static void
assert_refused(const char *text)
{
    struct sf_error error;
    ck_assert_int_eq(sf_config_check(&config, &error), SF_INVALID);
    ck_assert_str_eq(error.text, text);
}

START_TEST(test_defaults_are_allowed)
{
    assert_allowed();
}
END_TEST

static void
assert_refused_without_store(const char *wrong)
{
    char text[160];
    snprintf(text, sizeof text, "%s goes with SessionFastStore none", wrong);
    assert_refused(text);
    sf_config_init(&config);
    config.store = SF_CONFIG_NO_STORE;
    assert_allowed();
}

START_TEST(test_without_a_store_nothing_is_promised_that_needs_one)
{
    ck_assert_str_eq(sf_config_tier(&config), "cached store");
    config.store = SF_CONFIG_NO_STORE;
    ck_assert_str_eq(sf_config_tier(&config), "cache only");
    assert_allowed();
    config.durability = SF_DURABILITY_JOURNAL;
    assert_refused_without_store("SessionFastDurability: only memory");
    config.is_set[SF_OPTION_AT_login_durability] = true;
    config.login_durability = SF_DURABILITY_STORE;
    assert_refused_without_store("SessionFastLoginDurability: only memory");
    config.l2 = "memcached://127.0.0.1";
    assert_refused_without_store("SessionFastL2: only \"\"");
    config.migrate = "redis://127.0.0.1 percent=10";
    assert_refused_without_store("SessionFastMigrate: only \"\"");
    config.shared_store = SF_SHARED_ON;
    assert_refused_without_store("SessionFastSharedStore: only off");
}
END_TEST

START_TEST(test_without_a_cache_there_is_a_store_and_no_other_cache)
{
    config.cache_size = 0;
    assert_allowed();
    ck_assert_uint_eq(sf_config_cache_bytes(&config), SF_CONFIG_NO_CACHE_BYTES);
    ck_assert_str_eq(sf_config_tier(&config), "store only");
    config.l2 = "memcached://127.0.0.1";
    assert_refused("SessionFastL2: nothing goes with SessionFastCacheSize 0, for it is a cache, too");
    config.l2 = "";
    config.migrate = "redis://127.0.0.1 percent=10";
    config.durability = SF_DURABILITY_MEMORY;
    assert_allowed();
    config.migrate = "";
    config.store = SF_CONFIG_NO_STORE;
    assert_refused("SessionFastCacheSize 0 and SessionFastStore none leave no place for a session");
}
END_TEST

START_TEST(test_a_cache_has_a_smallest_size)
{
    config.cache_size = 1;
    assert_refused("SessionFastCacheSize: a cache has at least 1M; 0: there is none");
    config.cache_size = (1 << 20) - 1;
    assert_refused("SessionFastCacheSize: a cache has at least 1M; 0: there is none");
    config.cache_size = 1 << 20;
    assert_allowed();
    ck_assert_uint_eq(sf_config_cache_bytes(&config), 1 << 20);
}
END_TEST

START_TEST(test_cookie_name_must_be_a_token)
{
    static const char *const refused[] = {"a b", "a=b", "a;b", "a,b", "a\"b", "(a)", "caf\xc3\xa9"};
    config.cookie_name = "SID-1_x!#$%&'*+.^`|~";
    assert_allowed();
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        config.cookie_name = refused[i];
        ck_assert_int_eq(sf_config_check(&config, NULL), SF_INVALID);
    }
    config.cookie_name = "my id";
    assert_refused("SessionFastCookieName: 'my id' is not a cookie name "
                   "(letters, digits, !#$%&'*+-.^_`|~)");
    config.cookie_name = "";
    ck_assert_int_eq(sf_config_check(&config, NULL), SF_INVALID);
}
END_TEST

START_TEST(test_imported_cookie_is_a_token_and_another_one)
{
    config.imported_cookie = "PHPSESSID";
    assert_allowed();
    config.imported_cookie = "a;b";
    assert_refused("SessionFastImportedCookie: 'a;b' is not a cookie name "
                   "(letters, digits, !#$%&'*+-.^_`|~)");
    config.imported_cookie = "__Host-id";
    assert_refused("SessionFastImportedCookie: '__Host-id' is SessionFastCookieName, too");
}
END_TEST

START_TEST(test_host_prefix_needs_secure)
{
    config.cookie_secure = false;
    assert_refused("SessionFastCookieName: '__Host-id' needs SessionFastCookieSecure On");
}
END_TEST

START_TEST(test_host_prefix_needs_the_root_path)
{
    config.cookie_path = "/shop";
    assert_refused("SessionFastCookieName: '__Host-id' needs SessionFastCookiePath /");
}
END_TEST

START_TEST(test_host_prefix_goes_without_a_domain)
{
    config.cookie_domain = "example.org";
    assert_refused("SessionFastCookieName: '__Host-id' does not go with SessionFastCookieDomain");
}
END_TEST

START_TEST(test_prefixes_count_in_any_case)
{
    config.cookie_name = "__hOST-id";
    config.cookie_path = "/shop";
    assert_refused("SessionFastCookieName: '__hOST-id' needs SessionFastCookiePath /");
    config.cookie_name = "__SECURE-id";
    config.cookie_secure = false;
    assert_refused("SessionFastCookieName: '__SECURE-id' needs SessionFastCookieSecure On");
}
END_TEST

START_TEST(test_secure_prefix_needs_secure_only)
{
    config.cookie_name = "__Secure-id";
    config.cookie_path = "/shop";
    config.cookie_domain = "example.org";
    assert_allowed();
    config.cookie_secure = false;
    assert_refused("SessionFastCookieName: '__Secure-id' needs SessionFastCookieSecure On");
}
END_TEST

START_TEST(test_http_prefixes_need_http_only)
{
    config.cookie_name = "__Http-id";
    config.cookie_path = "/shop";
    assert_allowed();
    config.cookie_secure = false;
    assert_refused("SessionFastCookieName: '__Http-id' needs SessionFastCookieSecure On");
    config.cookie_secure = true;
    config.cookie_http_only = false;
    assert_refused("SessionFastCookieName: '__Http-id' needs SessionFastCookieHttpOnly On");
    config.cookie_name = "__Host-Http-id";
    config.cookie_path = "/";
    assert_refused("SessionFastCookieName: '__Host-Http-id' needs SessionFastCookieHttpOnly On");
    config.cookie_name = "__Host-id";
    assert_allowed();
}
END_TEST

START_TEST(test_plain_name_needs_nothing)
{
    config.cookie_name = "id";
    config.cookie_secure = false;
    config.cookie_path = "/shop";
    config.cookie_domain = ".example.org";
    assert_allowed();
}
END_TEST

START_TEST(test_same_site_none_needs_secure)
{
    config.cookie_name = "id";
    config.cookie_same_site = SF_SAME_SITE_NONE;
    assert_allowed();
    config.cookie_secure = false;
    assert_refused("SessionFastCookieSameSite: 'None' needs SessionFastCookieSecure On");
}
END_TEST

START_TEST(test_domain_must_be_a_domain_name)
{
    static const char *const refused[] = {"a;b",          "a,b", "a b", "a\nb",
                                          "b\xc3\xbc.de", "a/b", "a:80", ".",
                                          "..",           "a.",  "a..b", "..a",
                                          "-a.b",         "a-.b"};
    static const char *const allowed[] = {"a", "a-b.example.org", ".example.org", "127.0.0.1"};
    config.cookie_name = "id";
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        config.cookie_domain = refused[i];
        ck_assert_int_eq(sf_config_check(&config, NULL), SF_INVALID);
    }
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
        config.cookie_domain = allowed[i];
        assert_allowed();
    }
    config.cookie_domain = "a;b";
    assert_refused("SessionFastCookieDomain: 'a;b' is not a domain name");
}
END_TEST

START_TEST(test_path_must_begin_with_a_slash)
{
    config.cookie_name = "id";
    config.cookie_path = "shop";
    assert_refused("SessionFastCookiePath: 'shop' does not begin with '/'");
    config.cookie_path = "";
    assert_refused("SessionFastCookiePath: '' does not begin with '/'");
}
END_TEST

START_TEST(test_path_must_not_end_the_attribute)
{
    static const char *const refused[] = {"/a;b", "/a,b", "/a b", "/a\tb", "/\x7f", "/caf\xc3\xa9"};
    config.cookie_name = "id";
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        config.cookie_path = refused[i];
        ck_assert_int_eq(sf_config_check(&config, NULL), SF_INVALID);
    }
    config.cookie_path = "/a; Domain=b";
    assert_refused("SessionFastCookiePath: '/a; Domain=b' has a blank, ';', ',' or non-ASCII");
}
END_TEST

START_TEST(test_cookie_lives_for_a_second_at_least)
{
    config.cookie_max_age = SF_SECOND;
    assert_allowed();
    config.cookie_max_age = 999;
    assert_refused(
        "SessionFastCookieMaxAge: '999ms' would delete the cookie (0, or at least 1s)");
    config.cookie_max_age = 1;
    ck_assert_int_eq(sf_config_check(&config, NULL), SF_INVALID);
}
END_TEST

START_TEST(test_absolute_timeout_is_not_below_the_idle_timeout)
{
    config.absolute_timeout = config.idle_timeout;
    assert_allowed();
    config.absolute_timeout = 0;
    assert_allowed();
    config.absolute_timeout = 10 * SF_MINUTE;
    assert_refused(
        "SessionFastAbsoluteTimeout: '10min' is shorter than SessionFastIdleTimeout (30min)");
}
END_TEST

START_TEST(test_grace_ends_before_the_tombstone_is_forgotten)
{
    config.tombstone_lifetime = 10 * SF_SECOND;
    config.rotate_grace = 10 * SF_SECOND;
    assert_allowed();
    config.rotate_grace = 11 * SF_SECOND;
    assert_refused(
        "SessionFastRotateGrace: '11s' is longer than SessionFastTombstoneLifetime (10s)");
}
END_TEST

START_TEST(test_deadline_is_below_the_idle_timeout)
{
    config.idle_timeout = SF_SECOND;
    config.deadline = 999;
    assert_allowed();
    config.deadline = SF_SECOND;
    assert_refused("SessionFastDeadline: '1s' is not shorter than SessionFastIdleTimeout (1s)");
}
END_TEST

START_TEST(test_store_needs_a_scheme)
{
    static const char *const refused[] = {"sessions.db", "/var/db/x", ":memory", "//u:secret@h/",
                                          "1a:b"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        config.store = refused[i];
        assert_refused("SessionFastStore: no scheme, such as sqlite: in sqlite:sessions.db");
    }
    config.store = "redis+tls://host/1";
    assert_allowed();
}
END_TEST

START_TEST(test_sqlite_needs_a_file)
{
    static const char *const refused[] = {"sqlite:",       "sqlite::memory:", "sqlite:/tmp/",
                                          "sqlite:../x",   "sqlite:a/../x",   "sqlite:/a/..",
                                          "sqlite:.."};
    static const char *const allowed[] = {"sqlite:a.db", "sqlite:/a/b", "sqlite:a..b",
                                          "sqlite:/a/..b/c", "sqlite:...", "memory:"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        config.store = refused[i];
        ck_assert_int_eq(sf_config_check(&config, NULL), SF_INVALID);
    }
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
        config.store = allowed[i];
        assert_allowed();
    }
    config.store = "sqlite:/a/../b";
    assert_refused("SessionFastStore: 'sqlite:/a/../b' must not contain '..'");
}
END_TEST

START_TEST(test_options_at_odds_are_named)
{
    uint64_t options;
    ck_assert_int_eq(sf_config_judge(&config, &options, NULL), SF_OK);
    ck_assert_uint_eq(options, 0);
    config.cookie_path = "/shop";
    ck_assert_int_eq(sf_config_judge(&config, &options, NULL), SF_INVALID);
    ck_assert_uint_eq(options, SF_OPTION_BIT(SF_OPTION_AT_cookie_name) |
                                   SF_OPTION_BIT(SF_OPTION_AT_cookie_path));
}
END_TEST

START_TEST(test_options_without_a_rule_are_known)
{
    ck_assert(sf_config_has_rule(SF_OPTION_AT_cookie_secure));
    ck_assert(sf_config_has_rule(SF_OPTION_AT_idle_timeout));
    ck_assert(!sf_config_has_rule(SF_OPTION_AT_enabled));
    ck_assert(!sf_config_has_rule(SF_OPTION_AT_export));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("config_check");
    TCase *tests = tcase_create("rules");
    suite_add_tcase(suite, tests);
    tcase_add_checked_fixture(tests, make_defaults, NULL);
    tcase_add_test(tests, test_defaults_are_allowed);
    tcase_add_test(tests, test_cookie_name_must_be_a_token);
    tcase_add_test(tests, test_imported_cookie_is_a_token_and_another_one);
    tcase_add_test(tests, test_host_prefix_needs_secure);
    tcase_add_test(tests, test_host_prefix_needs_the_root_path);
    tcase_add_test(tests, test_host_prefix_goes_without_a_domain);
    tcase_add_test(tests, test_prefixes_count_in_any_case);
    tcase_add_test(tests, test_secure_prefix_needs_secure_only);
    tcase_add_test(tests, test_plain_name_needs_nothing);
    tcase_add_test(tests, test_same_site_none_needs_secure);
    tcase_add_test(tests, test_domain_must_be_a_domain_name);
    tcase_add_test(tests, test_path_must_begin_with_a_slash);
    tcase_add_test(tests, test_path_must_not_end_the_attribute);
    tcase_add_test(tests, test_absolute_timeout_is_not_below_the_idle_timeout);
    tcase_add_test(tests, test_grace_ends_before_the_tombstone_is_forgotten);
    tcase_add_test(tests, test_deadline_is_below_the_idle_timeout);
    tcase_add_test(tests, test_store_needs_a_scheme);
    tcase_add_test(tests, test_sqlite_needs_a_file);
    tcase_add_test(tests, test_options_at_odds_are_named);
    tcase_add_test(tests, test_options_without_a_rule_are_known);
    tcase_add_test(tests, test_without_a_store_nothing_is_promised_that_needs_one);
    tcase_add_test(tests, test_without_a_cache_there_is_a_store_and_no_other_cache);
    tcase_add_test(tests, test_a_cache_has_a_smallest_size);
    tcase_add_test(tests, test_http_prefixes_need_http_only);
    tcase_add_test(tests, test_cookie_lives_for_a_second_at_least);
    return sf_run_suite(suite);
}
