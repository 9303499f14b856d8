/*
 * Makes a disk fail: to be loaded into a server with LD_PRELOAD. Writes to files whose names begin with FAILING_FILES,
 * and syncs of these, fail with EIO while the file named by FAILING_WRITES or FAILING_SYNCS exists.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int fails(int fd, const char *control)
{
	const char *prefix = getenv("FAILING_FILES"), *path = getenv(control);
	char link[64], name[4096];
	if (!prefix || !path || access(path, F_OK) != 0) return 0;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, name, sizeof name - 1);
	if (length < 0) return 0;
	name[length] = 0;
	if (strncmp(name, prefix, strlen(prefix)) != 0) return 0;
	errno = EIO;
	return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
	return fails(fd, "FAILING_WRITES") ? -1 : REAL(pwritev)(fd, parts, count, offset);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset)
{
	return fails(fd, "FAILING_WRITES") ? -1 : REAL(pwritev64)(fd, parts, count, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
	return fails(fd, "FAILING_WRITES") ? -1 : REAL(pwrite)(fd, bytes, count, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset)
{
	return fails(fd, "FAILING_WRITES") ? -1 : REAL(pwrite64)(fd, bytes, count, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	return fails(fd, "FAILING_WRITES") ? -1 : REAL(writev)(fd, parts, count);
}

ssize_t write(int fd, const void *bytes, size_t count)
{
	return fails(fd, "FAILING_WRITES") ? -1 : REAL(write)(fd, bytes, count);
}

int fdatasync(int fd)
{
	return fails(fd, "FAILING_SYNCS") ? -1 : REAL(fdatasync)(fd);
}

int fsync(int fd)
{
	return fails(fd, "FAILING_SYNCS") ? -1 : REAL(fsync)(fd);
}
