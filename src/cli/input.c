#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int read_all(struct cli *cli, const char *shown, int fd, struct buf *ret)
{
    uint8_t chunk[65536];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return cli_usage(cli, "%s: %s", shown, strerror(errno));
        if (n == 0)
            return CLI_OK;
        buf_put(ret, chunk, (size_t)n);
        if (!buf_ok(ret))
            return cli_usage(cli, "%s: more than %d bytes", shown, INPUT_BYTES_MAX);
    }
}

int input_read(struct cli *cli, const char *file, struct buf *ret)
{
    buf_init(ret, INPUT_BYTES_MAX);
    if (strcmp(file, "-") == 0) {
        if (cli->in_shell)
            return cli_usage(cli, "in the shell, standard input is where commands come from");
        return read_all(cli, "standard input", STDIN_FILENO, ret);
    }
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return cli_usage(cli, "%s: %s", file, strerror(errno));
    int code = read_all(cli, file, fd, ret);
    close(fd);
    return code;
}
