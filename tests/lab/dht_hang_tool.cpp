// SPDX-License-Identifier: GPL-3.0-or-later
//
// The remote hang of OpenDHT 2.4.12, against a plain node and against ours.
//
//   dht_hang_tool plain|ours      prints what the victim did; exit 0: alive, 3: it hangs
//
// A stranger puts a signed value, lets it grow in place, and waits until it has expired: OpenDHT's
// account of the stranger's address is now below zero by the growth, and, as it is unsigned, the
// largest of all. Then it puts more than the storage limit from other addresses, and expireStore
// looks for ever for something to throw out at the first. The attacker and the plain victim are
// OpenDHT's own nodes (SecureDht over Dht, as its runner has them), on a virtual clock and an
// in-memory network; ours is the engine with a policy that takes everything, which is the worst
// case. This and the wrapper of the engine are the project's only C++.
#include <opendht/securedht.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <deque>
#include <unistd.h>

#include "tests/lab/dht_hang_victim.h"

namespace {

constexpr uint64_t start_ms = 1000 * 1000;
constexpr unsigned hang_after_s = 5; // of real time, in one call that takes microseconds
uint64_t clock_ms = start_ms;

} // namespace

extern "C" int clock_gettime(clockid_t clock, struct timespec *ret) noexcept
{
    ret->tv_sec = static_cast<std::time_t>(clock_ms / 1000);
    ret->tv_nsec = static_cast<long>(clock_ms % 1000) * 1000000;
    if (clock == CLOCK_REALTIME) {
        ret->tv_sec += 1700000000;
    }
    return 0;
}

namespace {

enum Who { attacker, victim };

struct Flight {
    Who to;
    dht::Blob bytes;
};

std::deque<Flight> flights;
unsigned attacker_host = 0; // the attacker has nine addresses

dht::SockAddr address_of(Who who)
{
    dht::SockAddr address;
    address.setFamily(AF_INET);
    const std::string own = "198.51.100." + std::to_string(200 + attacker_host);
    address.setAddress(who == attacker ? own.c_str() : "203.0.113.10");
    address.setPort(4222);
    return address;
}

class MemorySocket : public dht::net::DatagramSocket {
  public:
    explicit MemorySocket(Who own) : own_(own), address_(address_of(own))
    {
    }

    int sendTo(const dht::SockAddr &to, const uint8_t *data, size_t size, bool) override
    {
        if (to.getFamily() != AF_INET) {
            return ENETUNREACH;
        }
        flights.push_back({own_ == attacker ? victim : attacker, {data, data + size}});
        return 0;
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
        return address_;
    }

    void stop() override
    {
    }

  private:
    Who own_;
    dht::SockAddr address_;
};

std::unique_ptr<dht::SecureDht> make_node(Who who, const dht::crypto::Identity &identity)
{
    dht::SecureDhtConfig config;
    config.node_config.network = 7;
    config.node_config.max_store_size = 64 * 1024; // 64 MiB would only take longer
    config.id = identity;
    return std::make_unique<dht::SecureDht>(
        std::make_unique<dht::Dht>(
            std::make_unique<MemorySocket>(who), config.node_config, dht::Logger{}),
        config);
}

[[noreturn]] void hangs(int)
{
    static const char text[] = "{\"victim\":\"hangs\"}\n";
    (void)!write(STDOUT_FILENO, text, sizeof(text) - 1);
    _exit(3);
}

struct Lab {
    std::unique_ptr<dht::SecureDht> attacker_node;
    std::unique_ptr<dht::SecureDht> plain; // or ours
    struct hang_victim *ours = nullptr;

    void drive(dht::SecureDht &node, const dht::Blob *bytes, Who from)
    {
        try {
            node.periodic(bytes != nullptr ? bytes->data() : nullptr,
                bytes != nullptr ? bytes->size() : 0, address_of(from), dht::clock::now());
            node.updateStatus(AF_INET);
        } catch (const std::exception &) {
            return; // its own receive loop swallows them too
        }
    }

    void drive_victim(const dht::Blob *bytes)
    {
        alarm(hang_after_s);
        if (plain) {
            drive(*plain, bytes, attacker);
        } else {
            hang_victim_drive(ours, clock_ms, attacker_host,
                bytes != nullptr ? bytes->data() : nullptr, bytes != nullptr ? bytes->size() : 0);
            const uint8_t *data = nullptr;
            size_t size = 0;
            while (hang_victim_next_send(ours, &data, &size)) {
                flights.push_back({attacker, {data, data + size}});
            }
        }
        alarm(0);
    }

    void run(uint64_t ms)
    {
        for (const uint64_t end = clock_ms + ms; clock_ms < end; clock_ms += 10) {
            while (!flights.empty()) {
                const Flight flight = flights.front();
                flights.pop_front();
                if (flight.to == victim) {
                    drive_victim(&flight.bytes);
                } else {
                    drive(*attacker_node, &flight.bytes, victim);
                }
            }
            drive_victim(nullptr);
            drive(*attacker_node, nullptr, attacker);
        }
    }
};

void attack(Lab &lab)
{
    const auto key = dht::InfoHash::get("grown");
    for (const size_t size : {20U, 30000U}) {
        auto value = std::make_shared<dht::Value>(dht::Blob(size, 'v'));
        value->id = 1;
        lab.attacker_node->putSigned(key, value, {}, false);
        lab.run(2000);
    }
    for (const size_t size : {20U, 400U}) { // and one that is not signed
        auto value = std::make_shared<dht::Value>(dht::Blob(size, 'v'));
        value->id = 2;
        lab.attacker_node->put(key, value, dht::DoneCallback{});
        lab.run(2000);
    }
    lab.run(11 * 60 * 1000);
    for (int i = 0; i < 400; i++) {
        attacker_host = 1 + static_cast<unsigned>(i) % 8;
        auto value = std::make_shared<dht::Value>(dht::Blob(450, 'v'));
        value->id = static_cast<dht::Value::Id>(i) + 10;
        lab.attacker_node->put(dht::InfoHash::get(std::to_string(i)), value, dht::DoneCallback{});
        lab.run(100);
    }
    lab.run(20 * 1000);
}

} // namespace

int main(int argc, char **argv)
{
    const bool ours = argc > 1 && std::strcmp(argv[1], "ours") == 0;
    const auto identity = dht::crypto::generateIdentity("attacker", {}, 2048);
    std::signal(SIGALRM, hangs);
    Lab lab;
    lab.attacker_node = make_node(attacker, identity);
    if (ours) {
        lab.ours = hang_victim_new(clock_ms);
    } else {
        lab.plain = make_node(victim, {});
    }
    lab.attacker_node->pingNode(address_of(victim));
    lab.run(2000);
    attack(lab);
    std::printf("{\"victim\":\"alive\",\"values\":%llu,\"bytes\":%llu,\"peer_good\":%u}\n",
        static_cast<unsigned long long>(
            ours ? hang_victim_values(lab.ours) : lab.plain->getStoreSize().second),
        static_cast<unsigned long long>(
            ours ? hang_victim_bytes(lab.ours) : lab.plain->getStoreSize().first),
        lab.attacker_node->getNodesStats(AF_INET).good_nodes);
    std::fflush(stdout);
    hang_victim_delete(lab.ours);
    return 0;
}
