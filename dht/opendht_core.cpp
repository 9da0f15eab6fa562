// SPDX-License-Identifier: GPL-3.0-or-later
//
// The one C++ file: dht::Dht of libopendht 2.4.12, driven. Three things are not as in the library:
// - The socket is the caller's. It claims IPv6 always: without, a listen has no token and can never
//   be cancelled; the caller refuses what it has no IPv6 for.
// - A stranger's value is never stored by OpenDHT's own put. The store and edit policies, called
//   once the token is proven, ask the caller, refuse, and what was accepted goes in through
//   importValues afterwards. So it replaces a value with the same id, has the lifetime that the
//   caller says, and has no entry in OpenDHT's accounts per address, whose errors make expireStore
//   loop for ever once the storage limit is passed. There is no such limit either: the caller's
//   table of what it accepted is the bound.
// - Own values are put once and not kept up by OpenDHT ("permanent"): then it sends each put whole.
//   With it, it first asks for the id and never replaces an unsigned value.
#include "dht/opendht_core.h"

#include <opendht/dht.h>

#include <chrono>
#include <cstring>
#include <map>
#include <vector>

namespace {

constexpr auto value_lifetime = std::chrono::minutes(10); // OpenDHT's, of type 0
constexpr int passes_max = 8;         // of what is due at once, before others have a turn
constexpr size_t keys_max = 1U << 16; // a listen makes a key; those of strangers go after 30 s

dht::SockAddr socket_address(const dht_driven_address &from)
{
    dht::SockAddr address;
    if (from.family == 4) {
        address.setFamily(AF_INET);
        std::memcpy(&address.getIPv4().sin_addr, from.ip, 4);
    } else {
        address.setFamily(AF_INET6);
        std::memcpy(&address.getIPv6().sin6_addr, from.ip, 16);
    }
    address.setPort(from.port);
    return address;
}

// False for anything but IPv4 and IPv6.
bool plain_address(const dht::SockAddr &address, dht_driven_address &ret)
{
    ret = {};
    if (address.getFamily() == AF_INET) {
        ret.family = 4;
        std::memcpy(ret.ip, &address.getIPv4().sin_addr, 4);
    } else if (address.getFamily() == AF_INET6) {
        ret.family = 6;
        std::memcpy(ret.ip, &address.getIPv6().sin6_addr, 16);
    } else {
        return false;
    }
    ret.port = address.getPort();
    return true;
}

dht::InfoHash hash_of(const dht_infohash &key)
{
    return {key.d, sizeof(key.d)};
}

dht_infohash plain_hash(const dht::InfoHash &hash)
{
    dht_infohash ret;
    std::memcpy(ret.d, hash.data(), sizeof(ret.d));
    return ret;
}

class DrivenSocket : public dht::net::DatagramSocket {
  public:
    explicit DrivenSocket(const dht_driven_calls &calls) : calls_(calls)
    {
        none_.setFamily(AF_INET);
    }

    int sendTo(const dht::SockAddr &to, const uint8_t *data, size_t size, bool) override
    {
        dht_driven_address address;
        if (!plain_address(to, address)) {
            return EAFNOSUPPORT;
        }
        return calls_.send(calls_.context, &address, {data, size});
    }

    bool hasIPv4() const override
    {
        return true;
    }

    bool hasIPv6() const override
    {
        return true;
    }

    const dht::SockAddr &getBoundRef(sa_family_t) const override
    {
        return none_;
    }

    std::vector<dht::SockAddr> resolve(const std::string &, const std::string &) override
    {
        return {}; // names are the caller's business
    }

    void stop() override
    {
    }

  private:
    dht_driven_calls calls_;
    dht::SockAddr none_;
};

struct Accepted {
    dht::InfoHash key;
    dht_driven_stored how;
    dht::Blob value;
};

} // namespace

struct dht_driven {
    dht_driven_calls calls;
    bool closing = false;
    uint64_t exceptions = 0;
    std::vector<Accepted> accepted;
    std::unique_ptr<dht::Dht> node;
};

namespace {

// Runs `work`; an exception is counted and ends nothing but it.
template <typename Work> bool guarded(dht_driven &driven, Work &&work) noexcept
{
    try {
        work();
        return true;
    } catch (...) {
        driven.exceptions++;
        return false;
    }
}

bool judge(dht_driven &driven, const dht::InfoHash &key, const dht::Value &value,
    const dht::SockAddr &from)
{
    dht_driven_address address;
    if (driven.closing || !plain_address(from, address)) {
        return false;
    }
    const dht_infohash hash = plain_hash(key);
    dht_driven_stored how{};
    if (driven.calls.judge(driven.calls.context, &address, &hash, value.id,
            {value.data.data(), value.data.size()}, &how)) {
        driven.accepted.push_back({key, how, value.data});
    }
    return false; // see above: stored by import
}

void register_type(dht_driven &driven)
{
    auto *self = &driven;
    driven.node->registerType(dht::ValueType(
        dht::ValueType::USER_DATA.id, "user data", value_lifetime,
        [self](dht::InfoHash key, std::shared_ptr<dht::Value> &value, const dht::InfoHash &,
            const dht::SockAddr &from) { return judge(*self, key, *value, from); },
        [self](dht::InfoHash key, const std::shared_ptr<dht::Value> &,
            std::shared_ptr<dht::Value> &value, const dht::InfoHash &,
            const dht::SockAddr &from) { return judge(*self, key, *value, from); }));
}

// What exportValues writes: [[time of creation, value]...].
dht::Blob packed_for_import(const Accepted &one, dht::time_point created)
{
    dht::Value value(one.value);
    value.id = one.how.id;
    msgpack::sbuffer buffer;
    msgpack::packer<msgpack::sbuffer> packer(&buffer);
    packer.pack_array(1);
    packer.pack_array(2);
    packer.pack(created.time_since_epoch().count());
    packer.pack(value);
    return {buffer.data(), buffer.data() + buffer.size()};
}

// OpenDHT forgets values when they are 10 minutes old: one with less to live is born older.
void import_one(dht_driven &driven, const Accepted &one)
{
    const auto lifetime = std::chrono::milliseconds(one.how.lifetime_ms);
    const auto age = lifetime < value_lifetime ? value_lifetime - lifetime : dht::duration(0);
    driven.node->importValues({{one.key, packed_for_import(one, dht::clock::now() - age)}});
}

void import_accepted(dht_driven &driven)
{
    while (!driven.accepted.empty()) {
        std::vector<Accepted> batch;
        batch.swap(driven.accepted);
        for (const auto &one : batch) {
            guarded(driven, [&] {
                import_one(driven, one);
                const dht_infohash key = plain_hash(one.key);
                driven.calls.stored(
                    driven.calls.context, &key, one.how.id, {one.value.data(), one.value.size()});
            });
        }
    }
}

uint64_t run(dht_driven &driven, const dht_driven_address *from, dht_data_view bytes)
{
    auto wake = dht::time_point::min();
    if (from != nullptr && bytes.size > 0) {
        guarded(driven, [&] {
            driven.node->periodic(bytes.data, bytes.size, socket_address(*from), dht::clock::now());
        });
        import_accepted(driven);
    }
    // The first pass may be cut short by an exception; imports and answers make work for another.
    for (int pass = 0; pass < passes_max && wake <= dht::clock::now(); pass++) {
        wake = dht::time_point::max();
        guarded(driven,
            [&] { wake = driven.node->periodic(nullptr, 0, dht::SockAddr{}, dht::clock::now()); });
    }
    guarded(driven, [&] {
        driven.node->updateStatus(AF_INET);
        driven.node->updateStatus(AF_INET6);
    });
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(wake - dht::clock::now());
    return left.count() < 0 ? 1 : static_cast<uint64_t>(left.count()) + 1;
}

// Calls the caller for each value that is one of ours in kind. False: it has enough.
bool deliver(dht_driven &driven, uint64_t operation, const dht_infohash &key,
    const std::vector<std::shared_ptr<dht::Value>> &values, bool expired)
{
    for (const auto &value : values) {
        if (driven.closing) {
            return false;
        }
        if (value->type != dht::ValueType::USER_DATA.id || value->isEncrypted() || value->owner) {
            continue;
        }
        if (!driven.calls.value(driven.calls.context, operation, &key, value->id,
                {value->data.data(), value->data.size()}, expired)) {
            return false;
        }
    }
    return true;
}

} // namespace

struct dht_driven *dht_driven_new(const struct dht_driven_config *config)
{
    try {
        auto driven = std::make_unique<dht_driven>();
        driven->calls = config->calls;
        dht::Config settings;
        settings.node_id = hash_of(config->node_id);
        settings.network = config->network;
        settings.max_req_per_sec = -1; // the caller's budgets stand before it
        settings.max_peer_req_per_sec = -1;
        settings.max_store_size = -1;
        settings.max_store_keys = keys_max;
        driven->node = std::make_unique<dht::Dht>(
            std::make_unique<DrivenSocket>(config->calls), settings, dht::Logger{});
        register_type(*driven);
        return driven.release();
    } catch (...) {
        return nullptr;
    }
}

void dht_driven_delete(struct dht_driven *driven)
{
    if (driven == nullptr) {
        return;
    }
    driven->closing = true;
    guarded(*driven, [&] { driven->node.reset(); });
    delete driven;
}

uint64_t dht_driven_periodic(
    struct dht_driven *driven, const struct dht_driven_address *from, dht_data_view bytes)
{
    return run(*driven, from, bytes);
}

bool dht_driven_put(struct dht_driven *driven, uint64_t operation, const dht_infohash *key,
    dht_value_id id, dht_data_view value)
{
    return guarded(*driven, [&] {
        auto fresh = std::make_shared<dht::Value>(dht::Blob(value.data, value.data + value.size));
        fresh->id = id;
        driven->node->put(hash_of(*key), fresh,
            [driven, operation](bool ok, const std::vector<std::shared_ptr<dht::Node>> &) {
                if (!driven->closing) {
                    driven->calls.done(driven->calls.context, operation, ok);
                }
            });
    });
}

bool dht_driven_get(struct dht_driven *driven, uint64_t operation, const dht_infohash *key)
{
    return guarded(*driven, [&] {
        driven->node->get(
            hash_of(*key),
            [driven, operation, copy = *key](
                const std::vector<std::shared_ptr<dht::Value>> &values) {
                return deliver(*driven, operation, copy, values, false);
            },
            [driven, operation](bool ok, const std::vector<std::shared_ptr<dht::Node>> &) {
                if (!driven->closing) {
                    driven->calls.done(driven->calls.context, operation, ok);
                }
            });
    });
}

bool dht_driven_listen(
    struct dht_driven *driven, const dht_infohash *key, uint64_t operation, size_t *ret_token)
{
    return guarded(*driven, [&] {
        *ret_token = driven->node->listen(hash_of(*key),
            [driven, operation, copy = *key](
                const std::vector<std::shared_ptr<dht::Value>> &values, bool expired) {
                deliver(*driven, operation, copy, values, expired);
                return true; // ends by cancel alone: a listen ended from within leaves its token
            });
    });
}

void dht_driven_cancel_listen(struct dht_driven *driven, const dht_infohash *key, size_t token)
{
    guarded(*driven, [&] { driven->node->cancelListen(hash_of(*key), token); });
}

void dht_driven_drop(struct dht_driven *driven, const dht_infohash *key, dht_value_id id)
{
    guarded(*driven, [&] {
        driven->node->cancelPut(hash_of(*key), id);
        // That leaves the stored copy, and there is no call to erase one: an empty value that is
        // about to expire takes its place.
        if (driven->node->getLocalById(hash_of(*key), id)) {
            import_one(*driven, {hash_of(*key), {id, 1}, {}});
        }
    });
}

void dht_driven_ping(struct dht_driven *driven, const struct dht_driven_address *address)
{
    guarded(*driven, [&] { driven->node->pingNode(socket_address(*address)); });
}

void dht_driven_insert_node(struct dht_driven *driven, const struct dht_driven_node *node)
{
    guarded(*driven,
        [&] { driven->node->insertNode(hash_of(node->id), socket_address(node->address)); });
}

size_t dht_driven_export_nodes(
    struct dht_driven *driven, struct dht_driven_node *ret, size_t capacity)
{
    size_t count = 0;
    guarded(*driven, [&] {
        for (const auto &node : driven->node->exportNodes()) {
            if (count == capacity) {
                return;
            }
            const dht::SockAddr address(node.ss, node.sslen);
            if (plain_address(address, ret[count].address)) {
                ret[count++].id = plain_hash(node.id);
            }
        }
    });
    return count;
}

void dht_driven_connectivity_changed(struct dht_driven *driven)
{
    guarded(*driven, [&] { driven->node->connectivityChanged(); });
}

void dht_driven_get_stats(struct dht_driven *driven, struct dht_driven_stats *ret)
{
    *ret = {};
    guarded(*driven, [&] {
        const sa_family_t families[2] = {AF_INET, AF_INET6};
        for (size_t i = 0; i < 2; i++) {
            const auto stats = driven->node->getNodesStats(families[i]);
            ret->good[i] = stats.good_nodes;
            ret->dubious[i] = stats.dubious_nodes;
            ret->searches[i] = stats.searches;
        }
        const auto size = driven->node->getStoreSize();
        ret->store_bytes = size.first;
        ret->store_values = size.second;
    });
    ret->exceptions = driven->exceptions;
}
