// SPDX-License-Identifier: GPL-3.0-or-later
//
// URLs of RPC providers: what is taken apart, and what is refused for which reason.
#include "chain/http.h"
#include "chain/url.h"

#include "tests/unit/unit.h"

static const struct chain_url_rules own = {0};
static const struct chain_url_rules own_http = {.allow_http = true};
static const struct chain_url_rules suggested = {.suggested = true};
static const struct chain_url_rules suggested_http = {.suggested = true, .allow_http = true};

static enum chain_url_fault check(const char *text, const struct chain_url_rules *rules)
{
    struct chain_url url;
    return chain_url_check(span_of_text(text), rules, &url);
}

static void urls_come_apart(void **)
{
    struct chain_url url;
    const char *text = "HTTPS://Base.Example.ORG.:8443/v2/KEY?a=b";
    assert_int_equal(chain_url_check(span_of_text(text), &suggested, &url), CHAIN_URL_GOOD);
    assert_string_equal(url.host, "base.example.org");
    assert_int_equal(url.port, 8443);
    assert_true(url.tls);
    assert_false(url.numeric);
    assert_false(url.local_name);

    text = "http://[::1]";
    assert_int_equal(chain_url_check(span_of_text(text), &own, &url), CHAIN_URL_GOOD);
    struct address loopback = {.family = FAMILY_IPV6, .ip = {[15] = 1}, .port = 80};
    assert_true(url.numeric && address_equal(&url.address, &loopback));
    assert_false(url.tls);

    text = "https://192.0.2.7?x";
    assert_int_equal(chain_url_check(span_of_text(text), &suggested, &url), CHAIN_URL_GOOD);
    struct address numeric = address_of_ipv4(192, 0, 2, 7, 443);
    assert_true(url.numeric && address_equal(&url.address, &numeric));
}

static void malformed_urls_are_refused(void **)
{
    static const char *const bad[] = {"", "https", "https:/", "https://", "https:///x",
        "https://:443", "https://a:", "https://a:0", "https://a:65536", "https://a:08",
        "https://a:1:2", "https://a b.example", "https://a.example/\n", "https://a.example/#frag",
        "https://a..example", "https://-a.example", "https://a-.example", "https://a.example-",
        "https://.", "https://[::1", "https://[::1]x", "https://[127.0.0.1]",
        "https://[192.0.2.1:9]", "https://[]", "https://::1", "https://a%2eexample",
        "https://a.example\\@b.example", "https://\xc3\xa4.de", "https://[fe80::1%25eth0]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(check(bad[i], &own_http), CHAIN_URL_MALFORMED);
    }
    struct chain_url url;
    struct span nul = span_of("https://a.example\0.b", 20);
    assert_int_equal(chain_url_check(nul, &own, &url), CHAIN_URL_MALFORMED);
}

static void disguised_addresses_are_refused(void **)
{
    static const char *const bad[] = {"https://127.1", "https://2130706433", "https://0x7f000001",
        "https://0177.0.0.1", "https://127.0.0.0x1", "https://1.2.3", "https://1.2.3.4.5",
        "https://256.0.0.1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(check(bad[i], &own_http), CHAIN_URL_MALFORMED);
    }
}

static void other_schemes_and_credentials_are_refused(void **)
{
    assert_int_equal(check("file:///etc/passwd", &own_http), CHAIN_URL_SCHEME);
    assert_int_equal(check("wss://a.example", &own_http), CHAIN_URL_SCHEME);
    assert_int_equal(check("https://user@a.example", &own), CHAIN_URL_CREDENTIALS);
    assert_int_equal(check("https://user:secret@a.example/x", &own), CHAIN_URL_CREDENTIALS);
    assert_int_equal(check("https://a.example/x@y", &own), CHAIN_URL_GOOD);
}

static void long_urls_are_refused(void **)
{
    char text[CHAIN_URL_MAX + 2];
    memset(text, 'a', sizeof text);
    memcpy(text, "https://a.example/", 18);
    text[CHAIN_URL_MAX] = '\0';
    assert_int_equal(check(text, &own), CHAIN_URL_GOOD);
    text[CHAIN_URL_MAX] = 'a';
    text[CHAIN_URL_MAX + 1] = '\0';
    assert_int_equal(check(text, &own), CHAIN_URL_TOO_LONG);

    char name[9 + CHAIN_URL_HOST_MAX + 2] = "https://";
    for (size_t i = 8; i < 8 + CHAIN_URL_HOST_MAX + 1; i++) {
        name[i] = i % 2 == 0 ? 'a' : '.';
    }
    name[8 + CHAIN_URL_HOST_MAX] = '\0';
    assert_int_equal(check(name, &own), CHAIN_URL_GOOD);
    name[8 + CHAIN_URL_HOST_MAX - 1] = 'a';
    name[8 + CHAIN_URL_HOST_MAX] = 'a';
    name[8 + CHAIN_URL_HOST_MAX + 1] = '\0';
    assert_int_equal(check(name, &own), CHAIN_URL_MALFORMED);
}

static void plain_http_stays_on_this_machine(void **)
{
    assert_int_equal(check("http://127.0.0.1:8545", &own), CHAIN_URL_GOOD);
    assert_int_equal(check("http://localhost:8545", &own), CHAIN_URL_GOOD);
    assert_int_equal(check("http://192.168.1.5:8545", &own), CHAIN_URL_PLAIN_HTTP);
    assert_int_equal(check("http://a.example", &own), CHAIN_URL_PLAIN_HTTP);
    assert_int_equal(check("http://192.168.1.5:8545", &own_http), CHAIN_URL_GOOD);
    assert_int_equal(check("http://a.example", &suggested), CHAIN_URL_PLAIN_HTTP);
    assert_int_equal(check("http://a.example", &suggested_http), CHAIN_URL_GOOD);
}

static void suggestions_must_be_global(void **)
{
    static const char *const local[] = {"https://127.0.0.1", "https://[::1]", "https://10.0.0.1",
        "https://100.64.0.1", "https://169.254.169.254", "https://[fe80::1]", "https://[fd00::1]",
        "https://localhost", "https://x.localhost", "https://router", "https://nas.local",
        "https://metadata.google.internal", "https://[64:ff9b::7f00:1]", "https://[2002:a00:1::]"};
    for (size_t i = 0; i < sizeof local / sizeof *local; i++) {
        assert_int_equal(check(local[i], &suggested), CHAIN_URL_SCOPE);
        assert_int_equal(check(local[i], &own), CHAIN_URL_GOOD);
    }
    assert_int_equal(check("https://224.0.0.1", &own), CHAIN_URL_SCOPE);
    assert_int_equal(check("https://0.0.0.0", &own), CHAIN_URL_SCOPE);
    assert_int_equal(check("https://[::ffff:127.0.0.1]", &own), CHAIN_URL_SCOPE);
    assert_int_equal(check("http://127.0.0.1", &suggested_http), CHAIN_URL_SCOPE);
    assert_int_equal(check("https://[64:ff9b::c000:201]", &suggested), CHAIN_URL_GOOD);
}

static void a_resolved_address_is_judged_again(void **)
{
    struct chain_url tls;
    struct chain_url plain;
    struct span text = span_of_text("https://a.example");
    assert_int_equal(chain_url_check(text, &own, &tls), CHAIN_URL_GOOD);
    text = span_of_text("http://localhost");
    assert_int_equal(chain_url_check(text, &own, &plain), CHAIN_URL_GOOD);
    struct address lan = address_of_ipv4(192, 168, 0, 1, 443);
    struct address global = address_of_ipv4(198, 51, 100, 1, 443);
    struct address loopback = address_of_ipv4(127, 0, 0, 1, 443);
    assert_true(chain_url_address_allowed(&tls, &own, &lan));
    assert_false(chain_url_address_allowed(&tls, &suggested, &lan));
    assert_false(chain_url_address_allowed(&tls, &suggested, &loopback));
    assert_true(chain_url_address_allowed(&tls, &suggested, &global));
    assert_true(chain_url_address_allowed(&plain, &own, &loopback));
    assert_false(chain_url_address_allowed(&plain, &own, &global));
    assert_true(chain_url_address_allowed(&plain, &own_http, &global));
}

static void every_fault_has_a_text(void **)
{
    for (int fault = CHAIN_URL_GOOD; fault <= CHAIN_URL_SCOPE; fault++) {
        assert_true(strlen(chain_url_fault_text((enum chain_url_fault)fault)) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_come_apart),
        cmocka_unit_test(malformed_urls_are_refused),
        cmocka_unit_test(disguised_addresses_are_refused),
        cmocka_unit_test(other_schemes_and_credentials_are_refused),
        cmocka_unit_test(long_urls_are_refused),
        cmocka_unit_test(plain_http_stays_on_this_machine),
        cmocka_unit_test(suggestions_must_be_global),
        cmocka_unit_test(a_resolved_address_is_judged_again),
        cmocka_unit_test(every_fault_has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
