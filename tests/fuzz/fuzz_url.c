// SPDX-License-Identifier: GPL-3.0-or-later
//
// URLs of providers, as a manifest may suggest them: what passes, libcurl must read in the same
// way, else the rules judge another host than the one that is connected to.
#include "chain/url.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// The part of `text` by libcurl's own parser, compared with ours.
static void agrees(CURLU *parser, CURLUPart part, const char *ours)
{
    char *theirs = NULL;
    ASSERT(curl_url_get(parser, part, &theirs, CURLU_DEFAULT_PORT) == CURLUE_OK);
    ASSERT(strcmp(theirs, ours) == 0);
    curl_free(theirs);
}

static void compare(const char *text, const struct chain_url *url)
{
    CURLU *parser = curl_url();
    ASSERT(parser != NULL);
    ASSERT(curl_url_set(parser, CURLUPART_URL, text, 0) == CURLUE_OK);
    agrees(parser, CURLUPART_SCHEME, url->tls ? "https" : "http");
    char *host = NULL;
    ASSERT(curl_url_get(parser, CURLUPART_HOST, &host, 0) == CURLUE_OK);
    // Brackets and the root dot are form; everything else must be the same.
    size_t begin = host[0] == '[' ? 1 : 0;
    size_t end = strlen(host);
    end -= begin == 1 || (end > 1 && host[end - 1] == '.') ? 1 : 0;
    struct address address;
    bool numeric = address_parse(span_of(host + begin, end - begin), false, &address) == OK;
    ASSERT(numeric == url->numeric);
    ASSERT(numeric ? address_same_ip(&address, &url->address)
                   : strlen(url->host) == end - begin &&
                         strncasecmp(host + begin, url->host, end - begin) == 0);
    curl_free(host);
    char *user = NULL;
    ASSERT(curl_url_get(parser, CURLUPART_USER, &user, 0) == CURLUE_NO_USER);
    curl_url_cleanup(parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct chain_url_rules rules = {
        .suggested = (data[0] & 1) != 0, .allow_http = (data[0] & 2) != 0};
    struct span text = span_of(data + 1, size - 1);
    struct chain_url url;
    if (chain_url_check(text, &rules, &url) != CHAIN_URL_GOOD) {
        return 0;
    }
    ASSERT(url.tls || rules.allow_http || url.numeric || url.local_name);
    ASSERT(!url.numeric || chain_url_address_allowed(&url, &rules, &url.address));
    char *copy = calloc(1, text.size + 1);
    ASSERT(copy != NULL);
    memcpy(copy, text.data, text.size);
    compare(copy, &url);
    free(copy);
    return 0;
}
