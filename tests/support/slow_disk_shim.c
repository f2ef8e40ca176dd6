/* LD_PRELOAD library: a slow disk. Nothing of a mapped file is in memory, and each part that is asked for takes its time:
 * SG_SLOW_WILLNEED_MS when it is asked for ahead (madvise MADV_WILLNEED: a disk whose queue is full), SG_SLOW_POPULATE_MS
 * when it is waited for (MADV_POPULATE_READ: a network share). */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static void rest(const char *variable)
{
    const char *text = getenv(variable);
    const long ms = text ? strtol(text, NULL, 10) : 0;
    const struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

int madvise(void *address, size_t length, int advice)
{
    if (advice == MADV_WILLNEED) rest("SG_SLOW_WILLNEED_MS");
    if (advice == MADV_POPULATE_READ) rest("SG_SLOW_POPULATE_MS");
    return (int)syscall(SYS_madvise, address, length, advice);
}

ssize_t preadv2(int fd, const struct iovec *places, int count, off_t offset, int flags)
{
    if (flags & RWF_NOWAIT) {
        errno = EAGAIN;
        return -1;
    }
    return syscall(SYS_preadv2, fd, places, count, offset, 0, flags);
}

/* With 64-bit offsets programs call it by this name. */
ssize_t preadv64v2(int fd, const struct iovec *places, int count, off_t offset, int flags)
{
    return preadv2(fd, places, count, offset, flags);
}
