/* Loaded in front of libc into a server under test (LD_PRELOAD): makes its disk and its clock do what a test says.
 *
 * The orders are five 64-bit numbers in the file that FAULTS_ORDERS names, which the test writes and this maps:
 *   0  errno that fsync and fdatasync fail with, 0 for none
 *   1  errno that write, pwrite and ftruncate fail with
 *   2  seconds that the wall clock is ahead
 *   3  milliseconds that each fsync and fdatasync takes
 *   4  counts the calls of fsync and fdatasync
 * Only files of the database are concerned, whose paths hold the text of FAULTS_FILES: never sockets and pipes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { SYNC_ERROR, WRITE_ERROR, AHEAD, SYNC_MILLIS, SYNCS, ORDERS };

static _Atomic int64_t nothing[ORDERS];
static _Atomic int64_t *orders = nothing;
static const char *files;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FAULTS_ORDERS");
    files = getenv("FAULTS_FILES");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0 || !files) {
        fprintf(stderr, "faults: FAULTS_ORDERS and FAULTS_FILES are needed\n");
        _exit(99);
    }
    void *map = mmap(NULL, sizeof nothing, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED) _exit(99);
    orders = map;
}

static int concerns(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strstr(path, files) != NULL;
}

static int fails(int fd, int order) {
    int error = (int)atomic_load(&orders[order]);
    if (!error || !concerns(fd)) return 0;
    errno = error;
    return 1;
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static int before_sync(int fd) {
    if (concerns(fd)) {
        atomic_fetch_add(&orders[SYNCS], 1);
        int64_t millis = atomic_load(&orders[SYNC_MILLIS]);
        if (millis > 0) usleep((useconds_t)millis * 1000);
    }
    return fails(fd, SYNC_ERROR);
}

int fsync(int fd) {
    REAL(int, "fsync", int);
    return before_sync(fd) ? -1 : real(fd);
}

int fdatasync(int fd) {
    REAL(int, "fdatasync", int);
    return before_sync(fd) ? -1 : real(fd);
}

ssize_t write(int fd, const void *bytes, size_t count) {
    REAL(ssize_t, "write", int, const void *, size_t);
    return fails(fd, WRITE_ERROR) ? -1 : real(fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    return fails(fd, WRITE_ERROR) ? -1 : real(fd, bytes, count, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    return fails(fd, WRITE_ERROR) ? -1 : real(fd, bytes, count, at);
}

int ftruncate(int fd, off_t length) {
    REAL(int, "ftruncate", int, off_t);
    return fails(fd, WRITE_ERROR) ? -1 : real(fd, length);
}

int ftruncate64(int fd, off64_t length) {
    REAL(int, "ftruncate64", int, off64_t);
    return fails(fd, WRITE_ERROR) ? -1 : real(fd, length);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    REAL(int, "clock_gettime", clockid_t, struct timespec *);
    int result = real(clock, now);
    if (result == 0 && clock == CLOCK_REALTIME) now->tv_sec += (time_t)atomic_load(&orders[AHEAD]);
    return result;
}
