// SPDX-License-Identifier: GPL-3.0-or-later
//
// A gate on its HTTP edge, as a node drives it, with what it costs: for benches. Besides the clocks
// and the quantiles that they print by.
#pragma once

#include "chain/chain.h"
#include "chain/http.h"

struct drive_cost {
    size_t calls;
    size_t bytes_out; // bodies; HTTP adds some 150 bytes to a request and 110 to an answer
    size_t bytes_in;
    size_t turns;
    double cpu_us;      // of this process: gate, HTTP and system calls
    double gate_cpu_us; // of that, the gate's own
    double begin_us;    // only of a burst: the first call,
    double end_us;      // and the last reply
};

struct drive {
    struct gate *gate;
    struct chain_http *http;
    size_t pending;
    struct drive_cost total;
    struct drive_cost burst; // calls from one silence to the next
    bool over;               // it is
};

// Fills in config->providers. False, with a line on stderr: no such gate or URL.
bool drive_open(struct drive *drive, struct gate_config *config, char **urls, size_t url_count);
void drive_close(struct drive *drive);

// What is due, then waits for what comes, `wait_ms` at most. True, without waiting: a burst is
// over, and `burst` says what it cost. Events are left to the caller.
bool drive_turn(struct drive *drive, uint64_t wait_ms);

// Time that the caller spent in the gate.
void drive_spend(struct drive *drive, double gate_cpu_us);

// Waits for one of the sockets.
void drive_wait(struct chain_http *http, uint64_t wait_ms);

double clock_wall_us(void);
double clock_cpu_us(void); // of the process

// Nearest rank; sorts. 100 = the largest.
double quantile(double *samples, size_t count, unsigned percent);
