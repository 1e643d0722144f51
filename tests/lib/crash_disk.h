/* crash_disk.h: a disk in memory that forgets what was not synced.
 *
 * Implements io/file.h. What is written lives in memory; a sync makes the bytes of one file
 * durable, a directory's sync the names in it. At a power cycle every 512-byte sector written since
 * the last sync is, at random, the new or the old one, the size too, and of the names made, moved
 * and removed any subset has happened. The same seed gives the same disk.
 *
 * Faults: the power fails at the n-th changing call (that call may have happened in part, it and
 * all later ones return -EIO); syncs fail; space runs out. All calls may come from any thread. */
#ifndef TESTS_CRASH_DISK_H
#define TESTS_CRASH_DISK_H

#include "io/file.h"

struct crash_disk;

struct crash_disk *crash_disk_create(void); /* holds "/" and the directory "/d" */
void crash_disk_free(struct crash_disk *d);
struct files *crash_disk_files(struct crash_disk *d);

/* The changing calls so far: create, write, sync, sync_dir, resize, rename, unlink, mkdir. */
uint64_t crash_disk_calls(const struct crash_disk *d);
void crash_disk_fail_at(struct crash_disk *d, uint64_t call); /* 0 = never */
bool crash_disk_failed(const struct crash_disk *d);           /* the power is off */

/* Power off (if it was not) and on: loses what was not durable. Open files are closed. */
void crash_disk_power_cycle(struct crash_disk *d, uint64_t seed);

/* The program was killed: everything written stays, whether synced or not. Open files are closed.
 */
void crash_disk_restart(struct crash_disk *d);

void crash_disk_fail_syncs(struct crash_disk *d, int rc); /* -EIO..., 0 = they work again */
void crash_disk_space(struct crash_disk *d,
                      int64_t bytes); /* what may still be allocated; -1 = enough */
void crash_disk_delay_syncs(struct crash_disk *d, int64_t ns);

/* FILE_DIRECT is -EINVAL from now on, as where there is no such thing. */
void crash_disk_refuse_direct(struct crash_disk *d);
uint64_t crash_disk_direct_writes(const struct crash_disk *d); /* so far */

/* Direct access, for golden bytes and damage. The pointer is valid until the next write; NULL = no
 * such file. */
uint8_t *crash_disk_bytes(struct crash_disk *d, const char *path, size_t *ret_len);
void crash_disk_put(struct crash_disk *d, const char *path, const void *bytes,
                    size_t len); /* durable */
size_t crash_disk_file_count(const struct crash_disk *d, const char *dir);

#endif
