/* LD_PRELOAD library: records what a process does to make files durable, and lets the n-th such call fail.
 * A test reads and steers it through sg_shim_*, found with dlsym; for another process SG_SHIM_FAIL="fsync:3:28:objects" means: the third fsync
 * whose path holds "objects" fails with errno 28. kill -9 cannot show a missing fsync, because the kernel keeps the pages; this can. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { kEntries = 16384, kLength = 400 };

static pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;
static char g_entries[kEntries][kLength];
static int g_count;
static char g_failOperation[16];
static char g_failPath[128];
static int g_failAfter; /* fails when it reaches 1; 0: off */
static int g_failErrno;
static int g_failTimes;

/* Forgets what was recorded. */
void sg_shim_reset(void)
{
    pthread_mutex_lock(&g_mutex);
    g_count = 0;
    pthread_mutex_unlock(&g_mutex);
}

/* The n-th entry, "fsync /path", or NULL. Valid until the next reset. */
const char *sg_shim_entry(int n)
{
    return n < g_count ? g_entries[n] : NULL;
}

static void record(const char *operation, const char *path)
{
    pthread_mutex_lock(&g_mutex);
    if (g_count < kEntries) snprintf(g_entries[g_count++], kLength, "%s %s", operation, path);
    pthread_mutex_unlock(&g_mutex);
}

/* A line of the test's own between the others. */
void sg_shim_mark(const char *text)
{
    record("mark", text);
}

/* From now on the `after`-th call (1: the next) of this kind fails, and `times` - 1 more behind it. "sync" means fsync and fdatasync. */
void sg_shim_fail(const char *operation, const char *pathPart, int after, int times, int error)
{
    pthread_mutex_lock(&g_mutex);
    snprintf(g_failOperation, sizeof g_failOperation, "%s", operation);
    snprintf(g_failPath, sizeof g_failPath, "%s", pathPart);
    g_failAfter = after;
    g_failTimes = times;
    g_failErrno = error;
    pthread_mutex_unlock(&g_mutex);
}

/* How many failures are still to come. */
int sg_shim_pending(void)
{
    return g_failAfter > 0 ? g_failTimes : 0;
}

__attribute__((constructor)) static void readEnvironment(void)
{
    const char *wish = getenv("SG_SHIM_FAIL");
    char operation[16], path[128];
    int after, error;
    if (wish && sscanf(wish, "%15[^:]:%d:%d:%127s", operation, &after, &error, path) == 4) sg_shim_fail(operation, path, after, 1, error);
}

static int isSync(const char *operation)
{
    return strcmp(operation, "fsync") == 0 || strcmp(operation, "fdatasync") == 0;
}

/* Whether this call is the one that fails; errno is set then. */
static int fails(const char *operation, const char *path)
{
    int failed = 0;
    pthread_mutex_lock(&g_mutex);
    const int same = strcmp(g_failOperation, operation) == 0 || (strcmp(g_failOperation, "sync") == 0 && isSync(operation));
    if (g_failAfter > 0 && same && strstr(path, g_failPath)) {
        if (g_failAfter > 1) --g_failAfter;
        else {
            failed = 1;
            if (--g_failTimes == 0) g_failAfter = 0;
        }
    }
    pthread_mutex_unlock(&g_mutex);
    if (!failed) return 0;
    char line[32];
    snprintf(line, sizeof line, "failed-%s", operation);
    record(line, path);
    errno = g_failErrno;
    return 1;
}

static void pathOf(int fd, char *path)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = '\0';
}

static int synced(const char *name, int fd)
{
    char path[PATH_MAX];
    pathOf(fd, path);
    if (fails(name, path)) return -1;
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    const int result = real(fd);
    if (result == 0) record(name, path);
    return result;
}

int fsync(int fd)
{
    return synced("fsync", fd);
}

int fdatasync(int fd)
{
    return synced("fdatasync", fd);
}

static void recordRename(int oldFolder, const char *from, int newFolder, const char *to)
{
    char text[kLength], folder[PATH_MAX] = "";
    (void)oldFolder;
    if (newFolder != AT_FDCWD && to[0] != '/') pathOf(newFolder, folder);
    snprintf(text, sizeof text, "%s -> %.120s/%s", from, folder, to);
    record("rename", text);
}

int rename(const char *from, const char *to)
{
    if (fails("rename", to)) return -1;
    int (*real)(const char *, const char *) = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
    const int result = real(from, to);
    if (result == 0) recordRename(AT_FDCWD, from, AT_FDCWD, to);
    return result;
}

int renameat(int oldFolder, const char *from, int newFolder, const char *to)
{
    if (fails("rename", to)) return -1;
    int (*real)(int, const char *, int, const char *) = (int (*)(int, const char *, int, const char *))dlsym(RTLD_NEXT, "renameat");
    const int result = real(oldFolder, from, newFolder, to);
    if (result == 0) recordRename(oldFolder, from, newFolder, to);
    return result;
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    ssize_t (*real)(int, const void *, size_t) = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    char path[PATH_MAX];
    pathOf(fd, path);
    const int temporary = strstr(path, ".tmp") != NULL;
    if (temporary && fails("write", path)) return -1;
    const ssize_t written = real(fd, bytes, count);
    if (temporary && written > 0) record("write", path);
    return written;
}

static int opened(const char *name, int folder, const char *path, int flags, mode_t mode)
{
    int (*real)(int, const char *, int, ...) = (int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, name);
    const int temporary = (flags & O_CREAT) && strstr(path, ".tmp");
    if (temporary && fails("open", path)) return -1;
    const int fd = real(folder, path, flags, mode);
    if (temporary && fd >= 0) record("open", path);
    return fd;
}

int openat(int folder, const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = (flags & O_CREAT) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return opened("openat", folder, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = (flags & O_CREAT) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return opened("openat64", folder, path, flags, mode);
}
