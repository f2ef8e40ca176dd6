/* Preloaded into serigraphd by tests/bench/api.py: notes when each fsync and each SQLite commit began and ended.
 * A record of 32 bytes: begin and end (CLOCK_MONOTONIC, ns), process id, kind (1 fsync, 2 commit); the first 32 bytes of
 * the file hold the number of records. Calls inside a commit belong to it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { RECORDS = 1 << 20, FSYNC = 1, COMMIT = 2 };
typedef struct {
    int64_t begin, end, process, kind;
} Record;
typedef int (*WithFd)(int);
typedef int (*WithStatement)(void *);
typedef int (*WithDatabase)(void *);
typedef void *(*HandleOf)(void *);
typedef const char *(*TextOf)(void *);

static Record *s_records;
static __thread int s_depth;

__attribute__((constructor)) static void openFile(void)
{
    const char *path = getenv("SG_STORAGE_TIMES");
    if (!path) return;
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    void *place = mmap(NULL, sizeof(Record) * RECORDS, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (place != MAP_FAILED) s_records = place;
    close(fd);
}

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void note(int64_t begin, int64_t kind)
{
    if (!s_records || s_depth > 0) return;
    const int64_t n = __atomic_add_fetch(&s_records[0].begin, 1, __ATOMIC_RELAXED);
    if (n >= RECORDS) return;
    s_records[n].process = getpid();
    s_records[n].kind = kind;
    s_records[n].begin = begin;
    __atomic_store_n(&s_records[n].end, now(), __ATOMIC_RELEASE);
}

static int timedFd(const char *name, WithFd *real, int fd)
{
    if (!*real) *(void **)real = dlsym(RTLD_NEXT, name);
    const int64_t begin = now();
    const int result = (*real)(fd);
    note(begin, FSYNC);
    return result;
}

int fsync(int fd)
{
    static WithFd real;
    return timedFd("fsync", &real, fd);
}

int fdatasync(int fd)
{
    static WithFd real;
    return timedFd("fdatasync", &real, fd);
}

/* SQLite comes with a Qt plugin, out of RTLD_NEXT's sight. */
static void *sqlite(const char *name)
{
    static void *library;
    if (!library) library = dlopen("libsqlite3.so.0", RTLD_LAZY | RTLD_NOLOAD);
    return library ? dlsym(library, name) : NULL;
}

static int commits(void *statement)
{
    static HandleOf handle;
    static WithDatabase autocommit;
    static WithStatement readOnly;
    static TextOf text;
    if (!handle) {
        *(void **)&autocommit = sqlite("sqlite3_get_autocommit");
        *(void **)&readOnly = sqlite("sqlite3_stmt_readonly");
        *(void **)&text = sqlite("sqlite3_sql");
        *(void **)&handle = sqlite("sqlite3_db_handle");
    }
    const char *sql = text(statement);
    if (sql && strncasecmp(sql, "COMMIT", 6) == 0) return 1;
    return autocommit(handle(statement)) && !readOnly(statement);
}

int sqlite3_step(void *statement)
{
    static WithStatement real;
    if (!real) *(void **)&real = sqlite("sqlite3_step");
    if (!commits(statement)) return real(statement);
    const int64_t begin = now();
    ++s_depth;
    const int result = real(statement);
    --s_depth;
    note(begin, COMMIT);
    return result;
}
