// SPDX-License-Identifier: GPL-3.0-or-later
//
// Remembered nodes to bytes and back.
#include "node/instance/dht_nodes.h"

#include "base/assert.h"

struct span dht_nodes_encode(
    const struct dht_node *nodes, size_t count, uint8_t ret[static DHT_NODES_SIZE_MAX])
{
    struct writer writer = writer_of(ret, DHT_NODES_SIZE_MAX);
    ASSERT(count <= DHT_NODES_MAX);
    for (size_t i = 0; i < count; i++) {
        write_bytes(&writer, nodes[i].id.bytes, sizeof nodes[i].id.bytes);
        write_u8(&writer, (uint8_t)nodes[i].address.family);
        write_bytes(&writer, nodes[i].address.ip, sizeof nodes[i].address.ip);
        write_u16(&writer, nodes[i].address.port);
    }
    return writer_written(&writer);
}

enum status dht_nodes_read(const struct state *state, struct dht_node ret[static DHT_NODES_MAX],
    size_t *ret_count, struct state_error *error)
{
    struct state_content content = {0};
    size_t count = 0;
    enum status status =
        state_read(state, STATE_DHT_NODES, DHT_NODES_CONTENT_VERSION, &content, error);
    if (status != OK) {
        return status;
    }
    struct reader reader = reader_of(span_of(content.data, content.size));
    while (reader.failure == OK && reader.rest.size > 0 && count < DHT_NODES_MAX) {
        struct dht_node node = {0};
        read_bytes(&reader, node.id.bytes, sizeof node.id.bytes);
        uint8_t family = read_u8(&reader);
        read_bytes(&reader, node.address.ip, sizeof node.address.ip);
        node.address.port = read_u16(&reader);
        if (reader.failure == OK && (family == FAMILY_IPV4 || family == FAMILY_IPV6)) {
            node.address.family = (enum address_family)family;
            ret[count++] = node;
        }
    }
    state_content_clear(&content);
    *ret_count = count;
    return OK;
}
