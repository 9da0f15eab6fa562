// SPDX-License-Identifier: GPL-3.0-or-later
//
// Listing: the survey runs until it is done; then the records of all tokens that have an owner are
// looked for, many at a time.
#include "node/cli/seats.h"

#include "base/clock_posix.h"
#include "base/text.h"
#include "node/cli/config_file.h"
#include "node/cli/network.h"
#include "node/cli/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TURN_MS = 200, // a signal is noticed within it
    SAVE_MS = 5000,
    LOOK_MS = 5000, // for the record of one token
    LOOKS = 32,     // at a time
    RESUME_MAX = 256 * 1024 * 1024,
    DAY_S = 24 * 3600,
};

static volatile sig_atomic_t interrupted;

static void on_signal(int)
{
    interrupted = 1;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal}; // without SA_RESTART: polls end
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

// --- the source ---

int seats_open(struct cli *cli, struct seats_source *ret)
{
    struct manifest manifest;
    struct config config;
    struct state_error error;
    ret->cli = cli;
    enum status status =
        state_open(cli->directories.state, cli->instance, STATE_EXISTING, &ret->state, &error);
    if (status != OK && status != ERR_NOT_FOUND) {
        return complain_state(cli, status, &error);
    }
    int result = chosen_network(cli, ret->state, &manifest);
    if (result == DONE) {
        result = config_file_read(cli, &config);
    }
    if (result != DONE) {
        return result;
    }
    ret->network = manifest.network;
    ret->profile = manifest.profile;
    ret->trust = config.trust;
    if (config.delegate_registry) {
        ret->registry = config.registry;
    }
    ret->window_s = (uint64_t)manifest.delegation_window_days * DAY_S;
    ret->has_prefix = manifest.version != 0; // one that was made of --contract has none
    ret->prefix = manifest.ipv4;
    return chain_client_open(cli, ret->network.chain_id, &ret->chain);
}

void seats_close(struct seats_source *source)
{
    dht_client_close(source->dht);
    chain_client_close(source->chain);
    state_close(source->state);
    *source = (struct seats_source){.cli = source->cli};
}

void seats_open_dht(struct seats_source *source)
{
    struct dht_client *dht = NULL;
    struct cli cli = *source->cli;
    cli.arguments.json = false; // a warning: the answer on standard output follows
    if (dht_client_open(&cli, source->state, &source->network, DHT_CLIENT_JOIN_MS, &dht) == DONE) {
        source->dht = dht;
    } else {
        warn("deedmesh: going on without the records in the DHT");
    }
}

// --- records ---

const char *sight_kind_name(enum sight_kind kind)
{
    switch (kind) {
    case SIGHT_UNKNOWN:
        return "unknown";
    case SIGHT_NONE:
        return "none";
    case SIGHT_RECORD:
        return "record";
    case SIGHT_RETIRED:
        return "retired";
    }
    return "invalid";
}

static struct sight sight_of(const struct record *record)
{
    return (struct sight){
        .kind = record_is_tombstone(record) ? SIGHT_RETIRED : SIGHT_RECORD,
        .node_key = record->node_key,
        .wg_key = record->wg_key,
        .sequence = record->sequence,
        .not_after_s = record->not_after_s,
    };
}

// One search under way; its operation in the DHT client is its place + 1, plus LOOKS for each turn
// of that place, so that what comes late meets no other search.
struct look {
    bool used;
    bool found;
    uint64_t operation;
    size_t row;
    struct dht_key at;
    struct mono until;
    struct record best;
};

struct looking {
    const struct seats_source *source;
    struct seats *seats;
    struct look looks[LOOKS];
    size_t next; // row
    size_t done;
    size_t total; // rows that have an owner
    uint64_t last;
};

static bool has_owner(const struct survey_row *row)
{
    return row->read && row->kind == VERDICT_YES;
}

static void end_look(struct looking *looking, struct look *look, bool answered)
{
    struct sight *sight = &looking->seats->sights[look->row];
    if (look->found) {
        *sight = sight_of(&look->best);
    } else {
        sight->kind = answered ? SIGHT_NONE : SIGHT_UNKNOWN;
    }
    look->used = false;
    looking->done++;
}

static bool begin_look(struct looking *looking, size_t place)
{
    struct look *look = &looking->looks[place];
    while (looking->next < looking->seats->count) {
        size_t row = looking->next++;
        const struct survey_row *shown = survey_row(looking->seats->survey, row);
        if (!has_owner(shown)) {
            continue;
        }
        look->used = true;
        look->found = false;
        look->row = row;
        look->operation = ++looking->last;
        look->at = key_of_record(dht_client_keys(looking->source->dht), &shown->token);
        look->until = mono_add(clock_mono(), LOOK_MS);
        if (dht_client_get(looking->source->dht, look->operation, &look->at) == OK) {
            return true;
        }
        end_look(looking, look, false);
    }
    return false;
}

static void take_value(struct looking *looking, struct look *look, struct span value)
{
    struct record record;
    const struct survey_row *row = survey_row(looking->seats->survey, look->row);
    if (record_decode(dht_client_keys(looking->source->dht), &look->at, value, &record) == OK &&
        eth_address_equal(&record.delegation.owner, &row->owner) &&
        (!look->found || record_outranks(&record, &look->best))) {
        look->best = record;
        look->found = true;
    }
}

static void take_event(struct looking *looking, const struct dht_event *event)
{
    for (size_t i = 0; i < LOOKS; i++) {
        struct look *look = &looking->looks[i];
        if (!look->used || look->operation != event->operation) {
            continue;
        }
        if (event->kind == DHT_EVENT_VALUE) {
            take_value(looking, look, event->value);
        } else if (event->kind == DHT_EVENT_GET_DONE) {
            end_look(looking, look, event->ok || look->found);
        }
    }
}

static void look_for_records(const struct seats_source *source, struct seats *seats)
{
    struct looking *looking = calloc(1, sizeof *looking);
    if (looking == NULL) {
        return;
    }
    *looking = (struct looking){.source = source, .seats = seats};
    for (size_t i = 0; i < seats->count; i++) {
        looking->total += has_owner(survey_row(seats->survey, i)) ? 1 : 0;
    }
    while (looking->done < looking->total && interrupted == 0) {
        struct dht_event event;
        struct mono now = clock_mono();
        for (size_t i = 0; i < LOOKS; i++) {
            struct look *look = &looking->looks[i];
            if (look->used && mono_due(look->until, now)) {
                dht_client_cancel(source->dht, look->operation);
                end_look(looking, look, false);
            }
            if (!look->used) {
                (void)begin_look(looking, i);
            }
        }
        if (dht_client_next(source->dht, TURN_MS, &event)) {
            take_event(looking, &event);
        }
        progress_show(source->cli, "Looking for records:", looking->done, looking->total);
    }
    free(looking);
}

// --- the survey ---

static int complain_resume(const struct seats_source *source, const char *path, const char *why)
{
    return complain(source->cli, FAILED, "resume", "--resume %s: %s", path, why);
}

static int resume(const struct seats_source *source, const char *path, struct survey *survey)
{
    struct stat stat;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? DONE : complain_resume(source, path, strerror(errno));
    }
    int result = DONE;
    uint8_t *bytes = NULL;
    if (fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode) || stat.st_size > RESUME_MAX) {
        result = complain_resume(source, path, "that is no file of `deedmesh list`");
        goto out;
    }
    size_t size = (size_t)stat.st_size;
    bytes = malloc(size + 1);
    if (bytes == NULL || read(fd, bytes, size) != (ssize_t)size) {
        result = complain_resume(source, path, "it cannot be read");
        goto out;
    }
    enum status status = survey_state_import(survey, clock_now(), span_of(bytes, size));
    if (status != OK) {
        result = complain_resume(source, path,
            status == ERR_MISMATCH ? "it is of another network; name another file"
                                   : "it is damaged, or of another version; move it away");
    }
out:
    free(bytes);
    (void)close(fd);
    return result;
}

// Whole and at once, or not at all.
static void keep(const char *path, struct survey *survey)
{
    char temporary[CONFIG_PATH_SIZE];
    size_t capacity = survey_state_size(survey);
    uint8_t *bytes = malloc(capacity);
    struct writer writer = writer_of(bytes, bytes == NULL ? 0 : capacity);
    int size = snprintf(temporary, sizeof temporary, "%s.new", path);
    bool good = bytes != NULL && size > 0 && (size_t)size < sizeof temporary &&
                survey_state_export(survey, clock_now(), &writer) == OK &&
                writer_finish(&writer) == OK;
    int fd = good ? open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;
    struct span written = good ? writer_written(&writer) : span_of(NULL, 0);
    good =
        fd >= 0 && write(fd, written.data, written.size) == (ssize_t)written.size && fsync(fd) == 0;
    if (fd >= 0) {
        good = close(fd) == 0 && good;
    }
    if (!good || rename(temporary, path) != 0) {
        progress_end();
        warn("deedmesh: --resume %s: the progress cannot be kept: %s", path, strerror(errno));
    }
    free(bytes);
}

static void show_progress(const struct seats_source *source, const struct survey_progress *progress)
{
    if (progress->phase == SURVEY_FINDING) {
        progress_show(
            source->cli, "Searching for tokens:", progress->searched, progress->search_total);
    } else {
        progress_show(source->cli, "Reading tokens:", progress->read, progress->found);
    }
}

static void run_survey(
    const struct seats_source *source, const char *resume_path, struct seats *seats)
{
    struct chain_machine machine = machine_of_survey(seats->survey);
    struct mono save_at = mono_add(clock_mono(), SAVE_MS);
    do {
        chain_turn(source->chain, &machine, mono_add(clock_mono(), TURN_MS));
        seats->progress = survey_progress(seats->survey);
        show_progress(source, &seats->progress);
        if (resume_path != NULL && mono_due(save_at, clock_mono())) {
            keep(resume_path, seats->survey);
            save_at = mono_add(clock_mono(), SAVE_MS);
        }
    } while (interrupted == 0 &&
             (seats->progress.phase == SURVEY_FINDING || seats->progress.phase == SURVEY_READING));
    seats->interrupted = interrupted != 0;
    if (resume_path == NULL) {
        return;
    }
    if (seats->progress.phase == SURVEY_DONE) {
        (void)unlink(resume_path);
    } else {
        keep(resume_path, seats->survey);
    }
}

int seats_load(struct seats_source *source, const struct seats_options *options, struct seats *ret)
{
    const struct survey_config config = {
        .network = source->network,
        .profile = source->profile,
        .trust = source->trust,
        .providers = chain_client_count(source->chain),
        .tokens_max = options->tokens_max,
    };
    struct rng rng = chain_drive_rng();
    int result = DONE;
    catch_signals();
    enum status status = survey_create(&config, &rng, clock_now(), &ret->survey);
    if (status != OK) {
        return complain(source->cli, FAILED, "internal", "%s", status_text(status));
    }
    if (options->resume != NULL) {
        result = resume(source, options->resume, ret->survey);
    }
    if (result != DONE) {
        return result;
    }
    run_survey(source, options->resume, ret);
    ret->count = ret->progress.rows;
    if (options->records && source->dht != NULL && ret->count > 0) {
        ret->sights = calloc(ret->count, sizeof *ret->sights);
    }
    if (ret->sights != NULL) {
        look_for_records(source, ret);
    }
    progress_end();
    return DONE;
}

void seats_clear(struct seats *seats)
{
    survey_destroy(seats->survey);
    free(seats->sights);
    *seats = (struct seats){.survey = NULL};
}

// --- text ---

void node_id_format(const struct gate_detail *detail, char ret[static NODE_ID_TEXT_SIZE])
{
    json_t *text = json_stringn((const char *)detail->node_id, detail->node_id_size);
    bool whole = text != NULL && memchr(detail->node_id, 0, detail->node_id_size) == NULL;
    json_decref(text);
    if (whole) {
        memcpy(ret, detail->node_id, detail->node_id_size);
        ret[detail->node_id_size] = '\0';
        return;
    }
    memcpy(ret, "0x", 2);
    hex_format(span_of(detail->node_id, detail->node_id_size), ret + 2);
}
