/* raw.h: one session on one blocking socket: a request is one send and one recv, and there is
 * nothing between. What it takes is the round trip and the server's time. One thread; failures end
 * the program. */
#ifndef BENCH_RAW_H
#define BENCH_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RAW_BYTES_MAX = 4096
};

struct raw {
    int fd;
    int32_t xid;
    uint32_t length; /* of the frame in `in` */
    uint8_t in[RAW_BYTES_MAX];
};

void raw_open(struct raw *r, int port, int timeout_ms);
void raw_close(struct raw *r);
/* Reads the znode and checks that it has so many bytes. */
void raw_get(struct raw *r, const char *path, int32_t data_bytes);
/* Whatever its version is. */
void raw_set(struct raw *r, const char *path, const uint8_t *data, size_t data_bytes);
/* If it is there already, that is fine. */
void raw_create(struct raw *r, const char *path, const uint8_t *data, size_t data_bytes);
/* Its server then knows what others did before. */
void raw_sync(struct raw *r, const char *path);
/* Sets a watch on its data, and waits for the next event. */
void raw_watch(struct raw *r, const char *path);
void raw_wait_event(struct raw *r);

#endif
