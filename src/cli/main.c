/* main.c: caucus, the command line. */
#include <fcntl.h>
#include <unistd.h>

#include "cli/cli.h"

/* What is closed must not become the number of something of ours, which would then be read as
 * input or written to as output. To be read from or written to it stays of no use, and a command
 * that is run finds it closed. */
static void keep_standard_numbers(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        int unfit = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", unfit | O_CLOEXEC) != fd)
            _exit(CLI_CONNECTION);
    }
}

int main(int argc, char **argv)
{
    keep_standard_numbers();
    return cli_main(argc, argv);
}
