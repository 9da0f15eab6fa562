// SPDX-License-Identifier: GPL-3.0-or-later
//
// The back end on wireguard-go: its process, and its control socket
// /var/run/wireguard/NAME.sock.
//
// The process is started in a session of its own, so that Ctrl-C at our terminal does not end it
// before we have tidied up, and carries DEEDMESH_INSTANCE=NAME in its environment: that tells our
// own leftovers from other people's even if we were killed before the interface had its alias.
// Processes are held by pidfd, so that a signal can never hit a stranger who got the pid later.
#include "base/clock_posix.h"
#include "wg/backend.h"
#include "wg/detail_posix.h"
#include "wg/uapi.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    REPLY_SIZE_FIRST = 1 << 16,
    REPLY_SIZE_MAX = 1 << 22, // some 10,000 peers
    LOG_SIZE_MAX = 1 << 14,   // what is kept of the process's own words
    START_POLL_MS = 5,        // its socket appears some 50 ms after the start
    KILL_TIMEOUT_MS = 1000,   // after SIGKILL
    ENVIRON_SIZE_MAX = 1 << 16,
};

static const char socket_directory[] = "/var/run/wireguard";
static const char marker_name[] = "DEEDMESH_INSTANCE";

struct wg_carrier {
    char name[WG_LINK_NAME_SIZE];
    pid_t pid; // 0: not known (attached from another pid namespace)
    int pid_fd;
    bool child; // ours to reap
    int log_fd; // memory file that holds a child's stderr; -1 if attached
    uint8_t *reply;
    size_t reply_capacity;
};

// --- time and buffers ----------------------------------------------------------------------------

// Waits until `fd` has `events`; false if `deadline` came first.
static bool wait_for(int fd, short events, struct mono deadline)
{
    for (;;) {
        uint64_t left_ms = mono_since(clock_mono(), deadline);
        struct pollfd wait = {.fd = fd, .events = events};
        int ready = poll(&wait, 1, (int)left_ms);
        if (ready > 0) {
            return true;
        }
        if (ready == 0 || errno != EINTR) {
            return false;
        }
    }
}

static bool reply_grow(struct wg_carrier *carrier)
{
    if (carrier->reply_capacity >= REPLY_SIZE_MAX) {
        return false;
    }
    size_t capacity = carrier->reply_capacity == 0 ? REPLY_SIZE_FIRST : carrier->reply_capacity * 2;
    uint8_t *reply = malloc(capacity);
    if (reply == NULL) {
        return false;
    }
    if (carrier->reply != NULL) {
        memcpy(reply, carrier->reply, carrier->reply_capacity);
        sodium_memzero(carrier->reply, carrier->reply_capacity);
        free(carrier->reply);
    }
    carrier->reply = reply;
    carrier->reply_capacity = capacity;
    return true;
}

static struct wg_carrier *carrier_new(const char *name)
{
    struct wg_carrier *carrier = calloc(1, sizeof *carrier);
    if (carrier != NULL) {
        (void)snprintf(carrier->name, sizeof carrier->name, "%s", name);
        carrier->pid_fd = -1;
        carrier->log_fd = -1;
    }
    return carrier;
}

static void userspace_release(struct wg_carrier *carrier)
{
    if (carrier->pid_fd >= 0) {
        (void)close(carrier->pid_fd);
    }
    if (carrier->log_fd >= 0) {
        (void)close(carrier->log_fd);
    }
    free(carrier->reply);
    free(carrier);
}

// --- the control socket --------------------------------------------------------------------------

static struct sockaddr_un socket_address(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/%s.sock", socket_directory, name);
    return address;
}

// A connection, or -1 with errno: ENOENT (no socket), ECONNREFUSED (nobody behind it).
static int socket_connect(const char *name)
{
    struct sockaddr_un address = socket_address(name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        int error = errno;
        (void)close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static pid_t socket_peer(int fd)
{
    struct ucred peer = {.pid = 0};
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : 0;
}

static int send_all(int fd, struct span text, struct mono deadline)
{
    size_t sent = 0;
    while (sent < text.size) {
        if (!wait_for(fd, POLLOUT, deadline)) {
            return ETIMEDOUT;
        }
        ssize_t size = send(fd, text.data + sent, text.size - sent, MSG_NOSIGNAL);
        if (size < 0 && errno != EAGAIN && errno != EINTR) {
            return errno;
        }
        sent += size > 0 ? (size_t)size : 0;
    }
    return 0;
}

// Reads up to the empty line that ends an answer.
static int receive_all(struct wg_carrier *carrier, int fd, struct mono deadline, size_t *ret_size)
{
    size_t size = 0;
    for (;;) {
        if (size == carrier->reply_capacity && !reply_grow(carrier)) {
            return EMSGSIZE;
        }
        if (!wait_for(fd, POLLIN, deadline)) {
            return ETIMEDOUT;
        }
        ssize_t part = recv(fd, carrier->reply + size, carrier->reply_capacity - size, 0);
        if (part < 0 && errno != EAGAIN && errno != EINTR) {
            return errno;
        }
        if (part == 0) {
            return ECONNRESET;
        }
        size += part > 0 ? (size_t)part : 0;
        if (size >= 2 && memcmp(carrier->reply + size - 2, "\n\n", 2) == 0) {
            *ret_size = size;
            return 0;
        }
    }
}

// One request and its answer, which stands in carrier->reply afterwards: wipe it.
static enum status exchange(struct wg_carrier *carrier, struct span request, struct span *ret_reply,
    struct wg_detail *detail)
{
    struct mono deadline = mono_add(clock_mono(), WG_REQUEST_TIMEOUT_MS);
    size_t size = 0;
    int fd = socket_connect(carrier->name);
    int error = fd < 0 ? errno : send_all(fd, request, deadline);
    if (error == 0) {
        error = receive_all(carrier, fd, deadline, &size);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    if (error != 0) {
        bool late = error == ETIMEDOUT || error == EAGAIN;
        wg_detail_set(detail, "interface %s: wireguard-go does not answer on %s/%s.sock: %s",
            carrier->name, socket_directory, carrier->name, strerror(error));
        return late ? ERR_TIMEOUT : ERR_UNREACHABLE;
    }
    *ret_reply = span_of(carrier->reply, size);
    return OK;
}

static void wipe_reply(struct wg_carrier *carrier)
{
    if (carrier->reply != NULL) {
        sodium_memzero(carrier->reply, carrier->reply_capacity);
    }
}

static enum status judge(struct wg_carrier *carrier, enum status parsed, uint32_t error,
    const char *what, struct wg_detail *detail)
{
    if (parsed != OK) {
        wg_detail_set(detail, "interface %s: the answer of wireguard-go to \"%s\": %s",
            carrier->name, what, status_text(parsed));
        return parsed == ERR_FULL ? ERR_FULL : ERR_IO;
    }
    if (error != 0) {
        wg_detail_set(detail, "interface %s: wireguard-go refused to %s: %s", carrier->name, what,
            strerror((int)error));
    }
    return wg_status_of_errno((int)error);
}

static enum status send_set(
    struct wg_carrier *carrier, struct span request, const char *what, struct wg_detail *detail)
{
    struct span reply;
    enum status status = exchange(carrier, request, &reply, detail);
    if (status != OK) {
        return status;
    }
    uint32_t error = 0;
    enum status parsed = uapi_parse_reply(reply, &error);
    return judge(carrier, parsed, error, what, detail);
}

static enum status userspace_configure(
    struct wg_carrier *carrier, const struct wg_config *config, struct wg_detail *detail)
{
    uint8_t text[UAPI_CONFIG_SIZE_MAX + 16];
    struct writer writer = writer_of(text, sizeof text);
    uapi_write_set_begin(&writer);
    uapi_write_config(&writer, config);
    uapi_write_set_end(&writer);
    ASSERT(writer_finish(&writer) == OK);
    enum status status =
        send_set(carrier, writer_written(&writer), "set key, port or mark", detail);
    if (status == ERR_BUSY) {
        wg_detail_set(detail, "interface %s: UDP port %u is in use; set another listen port",
            carrier->name, (unsigned)config->listen_port);
    }
    sodium_memzero(text, sizeof text);
    return status;
}

static enum status userspace_apply(
    struct wg_carrier *carrier, const struct wg_op *ops, size_t count, struct wg_detail *detail)
{
    size_t capacity = count * UAPI_OP_SIZE_MAX + 16;
    uint8_t *text = malloc(capacity);
    if (text == NULL) {
        wg_detail_set(detail, "out of memory");
        return ERR_IO;
    }
    struct writer writer = writer_of(text, capacity);
    uapi_write_set_begin(&writer);
    for (size_t i = 0; i < count; i++) {
        uapi_write_op(&writer, &ops[i]);
    }
    uapi_write_set_end(&writer);
    ASSERT(writer_finish(&writer) == OK);
    enum status status = send_set(carrier, writer_written(&writer), "change peers", detail);
    free(text);
    return status;
}

static enum status userspace_read(
    struct wg_carrier *carrier, struct wg_device_state *ret, struct wg_detail *detail)
{
    uint8_t text[16];
    struct writer writer = writer_of(text, sizeof text);
    uapi_write_get(&writer);
    struct span reply;
    enum status status = exchange(carrier, writer_written(&writer), &reply, detail);
    if (status == OK) {
        uint32_t error = 0;
        enum status parsed = uapi_parse_state(reply, ret, &error);
        status = judge(carrier, parsed, error, "tell its state", detail);
    }
    wipe_reply(carrier); // it held the secret key
    return status;
}

// --- the process ---------------------------------------------------------------------------------

static int userspace_exit_fd(const struct wg_carrier *carrier)
{
    return carrier->pid_fd;
}

static bool has_ended(const struct wg_carrier *carrier)
{
    return carrier->pid_fd >= 0 && wait_for(carrier->pid_fd, POLLIN, clock_mono());
}

// The last line of the process's own words, or "".
static void last_words(const struct wg_carrier *carrier, char *ret, size_t capacity)
{
    char text[LOG_SIZE_MAX];
    ret[0] = '\0';
    ssize_t size = carrier->log_fd < 0 ? 0 : pread(carrier->log_fd, text, sizeof text, 0);
    size_t end = size > 0 ? strnlen(text, (size_t)size) : 0;
    while (end > 0 && (text[end - 1] == '\n' || text[end - 1] == ' ')) {
        end--;
    }
    size_t begin = end;
    while (begin > 0 && text[begin - 1] != '\n') {
        begin--;
    }
    (void)snprintf(ret, capacity, "%.*s", (int)(end - begin), text + begin);
}

static void userspace_exit_reason(struct wg_carrier *carrier, struct wg_detail *ret)
{
    siginfo_t info = {.si_pid = 0};
    char words[160];
    last_words(carrier, words, sizeof words);
    const char *separator = words[0] == '\0' ? "" : ": ";
    if (!carrier->child || waitid(P_PIDFD, (id_t)carrier->pid_fd, &info, WEXITED | WNOHANG) != 0 ||
        info.si_pid == 0) {
        wg_detail_set(ret, "wireguard-go (pid %d) ended%s%s", (int)carrier->pid, separator, words);
        return;
    }
    carrier->child = false; // reaped
    const char *how = info.si_code == CLD_EXITED ? "ended with status" : "was killed by signal";
    wg_detail_set(ret, "wireguard-go (pid %d) %s %d%s%s", (int)carrier->pid, how, info.si_status,
        separator, words);
}

// A memory file of fixed size: what is written beyond its end is refused, so the process cannot
// fill the memory with its log, and never meets a closed pipe when we are gone.
static int log_open(void)
{
    int fd = memfd_create("wireguard-go.log", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd >= 0 && (ftruncate(fd, LOG_SIZE_MAX) != 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) != 0)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static int spawn_actions(int log_fd, posix_spawn_file_actions_t *actions)
{
    int error = posix_spawn_file_actions_init(actions);
    if (error != 0) {
        return error;
    }
    (void)posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (log_fd >= 0) {
        (void)posix_spawn_file_actions_adddup2(actions, log_fd, STDOUT_FILENO);
    } else {
        (void)posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    }
    (void)posix_spawn_file_actions_adddup2(actions, STDOUT_FILENO, STDERR_FILENO);
    (void)posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
    return 0;
}

static int spawn(struct wg_carrier *carrier, const char *program)
{
    char path[1024];
    char marker[sizeof marker_name + 1 + WG_LINK_NAME_SIZE];
    const char *own_path = getenv("PATH");
    (void)snprintf(
        path, sizeof path, "PATH=%s", own_path != NULL ? own_path : "/usr/sbin:/usr/bin");
    (void)snprintf(marker, sizeof marker, "%s=%s", marker_name, carrier->name);
    char foreground[] = "-f";
    char name[] = "wireguard-go";
    char level[] = "LOG_LEVEL=error";
    char *arguments[] = {name, foreground, carrier->name, NULL};
    char *environment[] = {path, marker, level, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t all;
    sigset_t none;
    (void)sigfillset(&all);
    (void)sigemptyset(&none);
    int error = spawn_actions(carrier->log_fd, &actions);
    if (error != 0) {
        return error;
    }
    error = posix_spawnattr_init(&attributes);
    if (error == 0) {
        (void)posix_spawnattr_setsigmask(&attributes, &none);
        (void)posix_spawnattr_setsigdefault(&attributes, &all);
        (void)posix_spawnattr_setflags(
            &attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        error = posix_spawnp(&carrier->pid, program, &actions, &attributes, arguments, environment);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    if (error == 0) {
        carrier->child = true;
        carrier->pid_fd = pidfd_open(carrier->pid, 0);
        error = carrier->pid_fd < 0 ? errno : 0;
    }
    return error;
}

static enum status explain_failed_start(struct wg_carrier *carrier, struct wg_detail *detail)
{
    struct wg_detail reason;
    userspace_exit_reason(carrier, &reason);
    bool no_tun = access("/dev/net/tun", R_OK | W_OK) != 0;
    bool no_right = no_tun || strstr(reason.text, "not permitted") != NULL;
    wg_detail_set(detail, "interface %s: could not start: %.220s%s", carrier->name, reason.text,
        no_right ? "; CAP_NET_ADMIN and /dev/net/tun are needed" : "");
    return no_right ? ERR_PERMISSION : ERR_IO;
}

// Waits until the new process answers on its socket.
static enum status await_start(struct wg_carrier *carrier, struct wg_detail *detail)
{
    struct mono deadline = mono_add(clock_mono(), WG_START_TIMEOUT_MS);
    while (!mono_due(deadline, clock_mono())) {
        int fd = socket_connect(carrier->name);
        if (fd >= 0) {
            bool own = socket_peer(fd) == carrier->pid;
            (void)close(fd);
            if (own) {
                return OK;
            }
        }
        if (wait_for(carrier->pid_fd, POLLIN, mono_add(clock_mono(), START_POLL_MS))) {
            return explain_failed_start(carrier, detail);
        }
    }
    wg_detail_set(detail, "interface %s: wireguard-go made no control socket within %d ms",
        carrier->name, WG_START_TIMEOUT_MS);
    return ERR_TIMEOUT;
}

// Signals the process and waits for its end. True once it has ended.
static bool end_by(struct wg_carrier *carrier, int signal, uint64_t timeout_ms)
{
    (void)pidfd_send_signal(carrier->pid_fd, signal, NULL, 0);
    return wait_for(carrier->pid_fd, POLLIN, mono_add(clock_mono(), timeout_ms));
}

static enum status userspace_destroy(struct wg_carrier *carrier, struct wg_detail *detail)
{
    enum status status = OK;
    if (carrier->pid_fd >= 0) {
        if (!has_ended(carrier) && !end_by(carrier, SIGTERM, WG_STOP_TIMEOUT_MS) &&
            !end_by(carrier, SIGKILL, KILL_TIMEOUT_MS)) {
            wg_detail_set(detail, "interface %s: wireguard-go (pid %d) does not end; kill it",
                carrier->name, (int)carrier->pid);
            status = ERR_TIMEOUT;
        }
        siginfo_t info;
        if (carrier->child) {
            (void)waitid(P_PIDFD, (id_t)carrier->pid_fd, &info, WEXITED | WNOHANG);
        }
    }
    // One that was killed leaves its socket behind.
    int fd = socket_connect(carrier->name);
    if (fd >= 0) {
        (void)close(fd);
    } else if (errno == ECONNREFUSED) {
        struct sockaddr_un address = socket_address(carrier->name);
        (void)unlink(address.sun_path);
    }
    userspace_release(carrier);
    return status;
}

static enum status userspace_create(
    const struct wg_device_options *options, struct wg_carrier **ret, struct wg_detail *detail)
{
    const char *program = options->program != NULL ? options->program : "wireguard-go";
    struct wg_carrier *carrier = carrier_new(options->name);
    if (carrier == NULL) {
        wg_detail_set(detail, "out of memory");
        return ERR_IO;
    }
    carrier->log_fd = log_open();
    int error = spawn(carrier, program);
    enum status status = wg_status_of_errno(error);
    if (status == ERR_NOT_FOUND) {
        wg_detail_set(detail, "%s is not installed; install the package wireguard-go", program);
    } else if (status != OK) {
        wg_detail_set(detail, "could not start %s: %s", program, strerror(error));
    } else {
        status = await_start(carrier, detail);
    }
    if (status != OK) {
        struct wg_detail ignored;
        (void)userspace_destroy(carrier, &ignored);
        return status;
    }
    *ret = carrier;
    return OK;
}

static enum status userspace_attach(
    const char *name, struct wg_carrier **ret, struct wg_detail *detail)
{
    int fd = socket_connect(name);
    if (fd < 0) {
        wg_detail_set(detail, "no process answers for interface %s", name);
        return ERR_NOT_FOUND;
    }
    struct wg_carrier *carrier = carrier_new(name);
    if (carrier == NULL) {
        (void)close(fd);
        wg_detail_set(detail, "out of memory");
        return ERR_IO;
    }
    carrier->pid = socket_peer(fd);
    (void)close(fd);
    carrier->pid_fd = carrier->pid > 0 ? pidfd_open(carrier->pid, 0) : -1;
    // Any whole answer will do; that there is no room for its peers does not matter here.
    struct wg_device_state none = {.peer_capacity = 0};
    enum status status = userspace_read(carrier, &none, detail);
    *ret = carrier;
    return status == OK || status == ERR_FULL ? OK : ERR_UNREACHABLE;
}

static bool userspace_is_ours(const struct wg_carrier *carrier, const char *name)
{
    char path[64];
    char marker[sizeof marker_name + 1 + WG_LINK_NAME_SIZE];
    if (carrier->pid <= 0) {
        return false;
    }
    (void)snprintf(path, sizeof path, "/proc/%d/environ", (int)carrier->pid);
    (void)snprintf(marker, sizeof marker, "%s=%s", marker_name, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text = fd < 0 ? NULL : calloc(1, ENVIRON_SIZE_MAX);
    ssize_t size = text == NULL ? 0 : read(fd, text, ENVIRON_SIZE_MAX - 1);
    bool found = false;
    for (size_t at = 0; size > 0 && at < (size_t)size; at += strlen(text + at) + 1) {
        found = found || strcmp(text + at, marker) == 0;
    }
    free(text);
    if (fd >= 0) {
        (void)close(fd);
    }
    return found;
}

const struct wg_backend wg_backend_userspace = {
    .name = "wireguard-go",
    .create = userspace_create,
    .attach = userspace_attach,
    .is_ours = userspace_is_ours,
    .configure = userspace_configure,
    .apply = userspace_apply,
    .read = userspace_read,
    .exit_fd = userspace_exit_fd,
    .exit_reason = userspace_exit_reason,
    .release = userspace_release,
    .destroy = userspace_destroy,
};
