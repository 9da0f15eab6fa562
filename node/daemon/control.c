// SPDX-License-Identifier: GPL-3.0-or-later
//
// The control socket's server on libuv. Clients stand in a fixed table; a request is found by its
// number, which is never reused, so an answer that comes after its client has gone finds nothing.
#include "node/daemon/control.h"

#include "base/bytes.h"
#include "node/instance/line.h"

#include <errno.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    MESSAGE_SIZE = 1024, // of an error for people
    SOCKET_MODE = 0660,
};

static const char group_name[] = "deedmesh";

struct pending {
    uint64_t id; // 0 = free
    json_int_t client_id;
};

struct client {
    struct control *control;
    uv_pipe_t pipe;
    bool closing;
    struct line_splitter lines;
    struct pending pending[CONTROL_REQUESTS_MAX];
    char buffer[CONTROL_LINE_MAX];
};

struct control {
    uv_pipe_t listener;
    char path[108];
    control_dispatch dispatch;
    void *context;
    uint64_t last_id;
    struct client *clients[CONTROL_CLIENTS_MAX];
    int handles_open; // the listener and every pipe that is not closed yet
    bool stopping;
};

struct line_write {
    uv_write_t request;
    char *line;
};

static void on_any_closed(struct control *control)
{
    if (--control->handles_open == 0) {
        free(control);
    }
}

static void on_client_closed(uv_handle_t *handle)
{
    struct client *client = handle->data;
    struct control *control = client->control;
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        if (control->clients[i] == client) {
            control->clients[i] = NULL;
        }
    }
    free(client);
    on_any_closed(control);
}

static void close_client(struct client *client)
{
    if (!client->closing) {
        client->closing = true;
        memset(client->pending, 0, sizeof client->pending);
        uv_close((uv_handle_t *)&client->pipe, on_client_closed);
    }
}

// --- writing ---

static void on_written(uv_write_t *request, int result)
{
    struct line_write *write = (struct line_write *)request;
    struct client *client = request->handle->data;
    if (result != 0) {
        close_client(client);
    }
    free(write->line);
    free(write);
}

// Takes over the reference to `object`. A client that does not read loses its connection.
static void send_object(struct client *client, json_t *object)
{
    struct line_write *write = calloc(1, sizeof *write);
    char *line = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);
    json_decref(object);
    if (write == NULL || line == NULL || client->closing) {
        goto failed;
    }
    size_t size = strlen(line);
    if (uv_stream_get_write_queue_size((uv_stream_t *)&client->pipe) + size >
        CONTROL_WRITE_QUEUE_MAX) {
        goto failed;
    }
    line[size] = '\n'; // in place of its NUL
    write->line = line;
    uv_buf_t buffer = uv_buf_init(line, (unsigned int)(size + 1));
    if (uv_write(&write->request, (uv_stream_t *)&client->pipe, &buffer, 1, on_written) == 0) {
        return;
    }
failed:
    free(line);
    free(write);
    close_client(client);
}

static json_t *error_object(json_t *id, const char *code, const char *message)
{
    // A message with a stranger's bytes that are not UTF-8 would make no JSON at all.
    json_t *text = json_string(message);
    if (text == NULL) {
        text = json_string("the reason cannot be shown; see the log");
    }
    return json_pack(
        "{s:o, s:b, s:{s:s, s:o}}", "id", id, "ok", 0, "error", "code", code, "message", text);
}

// --- requests ---

static struct pending *find(
    const struct control *control, struct control_request request, struct client **ret_client)
{
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX && request.id != 0; i++) {
        struct client *client = control->clients[i];
        for (size_t k = 0; client != NULL && k < CONTROL_REQUESTS_MAX; k++) {
            if (client->pending[k].id == request.id) {
                *ret_client = client;
                return &client->pending[k];
            }
        }
    }
    return NULL;
}

// The client's own number of a request, which is over from here on. False if it is gone.
static bool finish(struct control *control, struct control_request request,
    struct client **ret_client, json_int_t *ret_client_id)
{
    struct pending *pending = find(control, request, ret_client);
    if (pending == NULL) {
        return false;
    }
    *ret_client_id = pending->client_id;
    *pending = (struct pending){0};
    return true;
}

void control_reply_ok(struct control *control, struct control_request request, json_t *result)
{
    struct client *client = NULL;
    json_int_t id = 0;
    if (!finish(control, request, &client, &id)) {
        json_decref(result);
        return;
    }
    if (result == NULL) {
        result = json_object();
    }
    send_object(client, json_pack("{s:I, s:b, s:o}", "id", id, "ok", 1, "result", result));
}

void control_reply_error(struct control *control, struct control_request request, const char *code,
    const char *format, ...)
{
    struct client *client = NULL;
    json_int_t id = 0;
    char message[MESSAGE_SIZE];
    if (!finish(control, request, &client, &id)) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    send_object(client, error_object(json_integer(id), code, message));
}

bool control_reply_event(struct control *control, struct control_request request, json_t *event)
{
    struct client *client = NULL;
    struct pending *pending = find(control, request, &client);
    if (pending == NULL) {
        json_decref(event);
        return false;
    }
    send_object(client, json_pack("{s:I, s:o}", "id", pending->client_id, "event", event));
    return !client->closing;
}

bool control_request_is_open(const struct control *control, struct control_request request)
{
    struct client *client = NULL;
    return find(control, request, &client) != NULL;
}

static void dispatch(struct client *client, const struct control_message *message)
{
    struct control *control = client->control;
    struct pending *pending = NULL;
    for (size_t i = 0; i < CONTROL_REQUESTS_MAX && pending == NULL; i++) {
        if (client->pending[i].id == 0) {
            pending = &client->pending[i];
        }
    }
    if (pending == NULL) {
        send_object(
            client, error_object(json_integer(message->id), "busy",
                        "too many requests of this client are in flight; wait for their replies"));
        return;
    }
    *pending = (struct pending){.id = ++control->last_id, .client_id = message->id};
    struct control_request request = {.id = pending->id};
    control->dispatch(control->context, message->verb, message->args, request);
}

// Says why and closes; what follows on the line cannot be trusted to be framed.
static void refuse(struct client *client, const char *message)
{
    send_object(client, error_object(json_null(), "bad_request", message));
    close_client(client);
}

static void take_lines(struct client *client)
{
    struct span line;
    enum status status = line_splitter_next(&client->lines, &line);
    while (status == OK && !client->closing) {
        struct control_message message;
        if (control_message_parse(line, &message) != OK) {
            refuse(client,
                "expected one JSON object on a line: {\"id\":NUMBER,\"verb\":\"...\",\"args\":{}}");
            return;
        }
        dispatch(client, &message);
        control_message_clear(&message);
        status = line_splitter_next(&client->lines, &line);
    }
    if (status == ERR_TOO_LARGE && !client->closing) {
        refuse(client, "the request line is longer than 64 KiB");
    }
}

static void on_room_wanted(uv_handle_t *handle, size_t, uv_buf_t *ret)
{
    struct client *client = handle->data;
    struct line_room room = line_splitter_room(&client->lines);
    *ret = uv_buf_init(room.data, (unsigned int)room.size);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *)
{
    struct client *client = stream->data;
    if (size < 0) {
        close_client(client);
        return;
    }
    line_splitter_filled(&client->lines, (size_t)size);
    take_lines(client);
}

static void on_connection(uv_stream_t *stream, int result)
{
    struct control *control = stream->data;
    size_t slot = 0;
    while (slot < CONTROL_CLIENTS_MAX && control->clients[slot] != NULL) {
        slot++;
    }
    struct client *client = result != 0 ? NULL : calloc(1, sizeof *client);
    if (client == NULL) {
        return;
    }
    client->control = control;
    line_splitter_init(&client->lines, client->buffer, sizeof client->buffer);
    (void)uv_pipe_init(control->listener.loop, &client->pipe, 0);
    client->pipe.data = client;
    control->handles_open++;
    if (uv_accept(stream, (uv_stream_t *)&client->pipe) != 0) {
        close_client(client);
        return;
    }
    if (slot == CONTROL_CLIENTS_MAX) {
        send_object(
            client, error_object(json_null(), "busy", "too many clients are connected; try again"));
        close_client(client);
        return;
    }
    control->clients[slot] = client;
    (void)uv_read_start((uv_stream_t *)&client->pipe, on_room_wanted, on_read);
}

// --- start and stop ---

// True if somebody accepts connections at the path.
static bool is_served(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return false;
    }
    bool served = connect(fd, (const struct sockaddr *)&name, sizeof name) == 0 || errno == EAGAIN;
    (void)close(fd);
    return served;
}

// Only a socket is ever removed: anything else at the path is somebody else's.
static enum status clear_path(const char *path)
{
    struct stat info;
    if (lstat(path, &info) != 0) {
        return errno == ENOENT ? OK : ERR_IO;
    }
    if (!S_ISSOCK(info.st_mode) || is_served(path)) {
        return ERR_BUSY;
    }
    return unlink(path) == 0 ? OK : ERR_PERMISSION;
}

static enum status make_directory(const char *path)
{
    char directory[108];
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path) {
        return OK;
    }
    (void)snprintf(directory, sizeof directory, "%.*s", (int)(slash - path), path);
    if (mkdir(directory, 0755) == 0) {
        // Whatever the umask: the group has to get at the sockets in it.
        return chmod(directory, 0755) == 0 ? OK : ERR_PERMISSION;
    }
    if (errno != EEXIST) {
        return errno == EACCES || errno == EPERM ? ERR_PERMISSION : ERR_IO;
    }
    return OK;
}

static enum status listen_there(struct control *control)
{
    // Nobody may connect between bind and chmod.
    mode_t mask = umask(0177);
    int result = uv_pipe_bind(&control->listener, control->path);
    (void)umask(mask);
    if (result != 0) {
        return result == UV_EACCES ? ERR_PERMISSION : ERR_IO;
    }
    const struct group *group = getgrnam(group_name);
    if (group != NULL && chown(control->path, (uid_t)-1, group->gr_gid) != 0) {
        // Not root: only the owner's own groups then. The mode below still holds.
        group = NULL;
    }
    if (chmod(control->path, SOCKET_MODE) != 0 ||
        uv_listen((uv_stream_t *)&control->listener, CONTROL_CLIENTS_MAX, on_connection) != 0) {
        return ERR_IO;
    }
    return OK;
}

enum status control_start(uv_loop_t *loop, const char *path, control_dispatch on_request,
    void *context, struct control **ret)
{
    if (strlen(path) >= sizeof(((struct control *)NULL)->path)) {
        return ERR_TOO_LARGE;
    }
    enum status status = make_directory(path);
    if (status == OK) {
        status = clear_path(path);
    }
    if (status != OK) {
        return status;
    }
    struct control *control = calloc(1, sizeof *control);
    if (control == NULL) {
        return ERR_IO;
    }
    *control = (struct control){.dispatch = on_request, .context = context, .handles_open = 1};
    memcpy(control->path, path, strlen(path) + 1);
    (void)uv_pipe_init(loop, &control->listener, 0);
    control->listener.data = control;
    status = listen_there(control);
    if (status != OK) {
        control_stop(control);
        return status;
    }
    *ret = control;
    return OK;
}

static void on_listener_closed(uv_handle_t *handle)
{
    on_any_closed(handle->data);
}

void control_stop(struct control *control)
{
    if (control == NULL || control->stopping) {
        return;
    }
    control->stopping = true;
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        if (control->clients[i] != NULL) {
            close_client(control->clients[i]);
        }
    }
    // libuv removes the socket file that it bound.
    uv_close((uv_handle_t *)&control->listener, on_listener_closed);
}
