// SPDX-License-Identifier: GPL-3.0-or-later
//
// The configuration file: whatever it says, either a whole configuration within its bounds or an
// error that names the file.
#include "node/instance/config.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config;
    struct config_error error;
    if (config_parse(span_of(data, size), "f", "deed0", &config, &error) != OK) {
        ASSERT(strncmp(error.text, "f:", 2) == 0);
        return 0;
    }
    ASSERT(error.text[0] == '\0');
    ASSERT(config.mtu >= 1280 && config.listen_port != config.dht_port);
    ASSERT(config.poll_ms == 0 || (config.poll_ms >= 2000 && config.poll_ms <= 30000));
    for (size_t i = 0; i < config.bootstraps_count; i++) {
        char text[ENDPOINT_NAME_TEXT_SIZE];
        struct endpoint_name again;
        endpoint_name_format(&config.bootstraps[i].endpoint, text);
        ASSERT(endpoint_name_parse(span_of_text(text), &again) == OK);
    }
    return 0;
}
