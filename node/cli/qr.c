// SPDX-License-Identifier: GPL-3.0-or-later
//
// A QR code is shown on standard error: standard output has the text itself, for programs.
#include "node/cli/qr.h"

#include <errno.h>
#include <png.h>
#include <qrencode.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    QUIET_TERMINAL = 2, // modules around it; the standard's 4 would cost 4 more columns
    QUIET_FILE = 4,
    PIXELS = 4, // a module's side in a PNG
};

static QRcode *encode(struct cli *cli, const char *text)
{
    // The lowest level of error correction: a screen is not dirty, and fewer modules scan better.
    QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
    if (code == NULL) {
        (void)complain(cli, FAILED, "too_long", "%zu bytes: cannot make a QR code of them: %s",
            strlen(text), strerror(errno));
    }
    return code;
}

// Outside of the code all is light.
static bool is_dark(const QRcode *code, int x, int y)
{
    return x >= 0 && y >= 0 && x < code->width && y < code->width &&
           (code->data[y * code->width + x] & 1) != 0;
}

// Two rows a line. On a terminal its colours are set: a light frame, whatever the user's are.
static void print_modules(const QRcode *code, bool is_terminal)
{
    // By upper and lower module; ink is light, as on a dark terminal.
    static const char *const blocks[2][2] = {
        {"\xe2\x96\x88", "\xe2\x96\x80"}, // light, light: full; light, dark: upper half
        {"\xe2\x96\x84", " "},
    };
    int last = code->width + QUIET_TERMINAL;
    for (int y = -QUIET_TERMINAL; y < last; y += 2) {
        (void)fputs(is_terminal ? "\x1b[0;97;40m" : "", stderr);
        for (int x = -QUIET_TERMINAL; x < last; x++) {
            (void)fputs(blocks[is_dark(code, x, y)][is_dark(code, x, y + 1)], stderr);
        }
        (void)fputs(is_terminal ? "\x1b[0m\n" : "\n", stderr);
    }
}

int qr_print(struct cli *cli, const char *text)
{
    struct winsize size = {0};
    QRcode *code = encode(cli, text);
    int result = DONE;
    if (code == NULL) {
        return FAILED;
    }
    int columns = code->width + 2 * QUIET_TERMINAL;
    bool is_terminal = isatty(STDERR_FILENO) == 1;
    if (is_terminal && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 &&
        size.ws_col < columns) {
        result = complain(cli, FAILED, "too_narrow",
            "the QR code needs %d columns and the terminal has %u: make it wider or its letters "
            "smaller, take the shorter --text, or write a picture: --qr-file FILE.png",
            columns, (unsigned)size.ws_col);
    } else {
        (void)fflush(stdout);
        print_modules(code, is_terminal);
    }
    QRcode_free(code);
    return result;
}

static bool write_svg(const QRcode *code, const char *path)
{
    int side = code->width + 2 * QUIET_FILE;
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        return false;
    }
    (void)fprintf(file,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d "
        "%d\" shape-rendering=\"crispEdges\"><rect width=\"100%%\" height=\"100%%\" "
        "fill=\"#fff\"/><path d=\"",
        side * PIXELS, side * PIXELS, side, side);
    for (int y = 0; y < code->width; y++) {
        for (int x = 0; x < code->width; x++) {
            if (is_dark(code, x, y)) {
                (void)fprintf(file, "M%d %dh1v1h-1z", x + QUIET_FILE, y + QUIET_FILE);
            }
        }
    }
    (void)fputs("\"/></svg>\n", file);
    bool failed = ferror(file) != 0;
    return fclose(file) == 0 && !failed;
}

static bool write_png(const QRcode *code, const char *path)
{
    size_t side = (size_t)(code->width + 2 * QUIET_FILE) * PIXELS;
    uint8_t *pixels = malloc(side * side);
    png_image image = {
        .version = PNG_IMAGE_VERSION,
        .width = (png_uint_32)side,
        .height = (png_uint_32)side,
        .format = PNG_FORMAT_GRAY,
    };
    ASSERT(pixels != NULL);
    for (size_t i = 0; i < side * side; i++) {
        int x = (int)(i % side) / PIXELS - QUIET_FILE;
        int y = (int)(i / side) / PIXELS - QUIET_FILE;
        pixels[i] = is_dark(code, x, y) ? 0 : UINT8_MAX;
    }
    errno = 0;
    bool done = png_image_write_to_file(&image, path, 0, pixels, 0, NULL) != 0;
    free(pixels);
    return done;
}

int qr_write(struct cli *cli, const char *text, const char *path)
{
    const char *end = strrchr(path, '.');
    bool svg = end != NULL && strcmp(end, ".svg") == 0;
    if (!svg && (end == NULL || strcmp(end, ".png") != 0)) {
        return complain(cli, USAGE_ERROR, "usage",
            "--qr-file %s: expected a name that ends with .png or .svg", path);
    }
    QRcode *code = encode(cli, text);
    if (code == NULL) {
        return FAILED;
    }
    bool done = svg ? write_svg(code, path) : write_png(code, path);
    QRcode_free(code);
    return done ? DONE
                : complain(cli, FAILED, "io", "%s: %s", path,
                      errno != 0 ? strerror(errno) : "cannot be written");
}
