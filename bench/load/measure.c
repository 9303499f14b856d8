/* Clocks, latencies, and figures of the server from /proc. */
#define _GNU_SOURCE
#include "load.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

int64_t now_us(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000LL + time.tv_nsec / 1000;
}

/* 32 buckets per power of two. */
static int bucket_of(int64_t value) {
  if (value < 32) return value < 0 ? 0 : (int)value;
  int exponent = 63 - __builtin_clzll((uint64_t)value);
  return (exponent - 4) * 32 + (int)((value >> (exponent - 5)) & 31);
}

static int64_t middle_of(int bucket) {
  if (bucket < 32) return bucket;
  int exponent = bucket / 32 + 4;
  int64_t step = 1LL << (exponent - 5);
  return (1LL << exponent) + (bucket % 32) * step + step / 2;
}

void histogram_add(Histogram *histogram, int64_t value) {
  histogram->counts[bucket_of(value)]++;
  histogram->total++;
  if (value > histogram->max) histogram->max = value;
}

int64_t histogram_at(const Histogram *histogram, double share) {
  int64_t wanted = (int64_t)(share * (double)histogram->total), seen = 0;
  for (int bucket = 0; bucket < 64 * 32; bucket++) {
    seen += histogram->counts[bucket];
    if (seen > wanted) return middle_of(bucket) < histogram->max ? middle_of(bucket) : histogram->max;
  }
  return histogram->max;
}

/* Calls `read` with the content of /proc/<pid>/<file> for each pid, and returns the sum. */
static int64_t sum_over(const char *pids, const char *file, int64_t (*read)(char *)) {
  char list[512], path[64], text[4096], *rest = list;
  int64_t sum = 0;
  snprintf(list, sizeof list, "%s", pids);
  for (char *pid; (pid = strsep(&rest, ","));) {
    if (atoi(pid) <= 0) continue;
    snprintf(path, sizeof path, "/proc/%s/%s", pid, file);
    FILE *opened = fopen(path, "r");
    if (!opened) continue;
    text[fread(text, 1, sizeof text - 1, opened)] = 0;
    fclose(opened);
    sum += read(text);
  }
  return sum;
}

static int64_t read_cpu(char *stat) {
  unsigned long user = 0, system = 0;
  char *after_name = strrchr(stat, ')');
  if (!after_name) return 0;
  sscanf(after_name + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
  return (int64_t)((double)(user + system) * 1e6 / (double)sysconf(_SC_CLK_TCK));
}

static int64_t read_rss(char *status) {
  char *line = strstr(status, "VmRSS:");
  return line ? atoll(line + 6) : 0;
}

int64_t cpu_us_of(const char *pids) { return sum_over(pids, "stat", read_cpu); }
int64_t rss_kib_of(const char *pids) { return sum_over(pids, "status", read_rss); }

int64_t own_cpu_us(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000LL + usage.ru_utime.tv_usec +
         usage.ru_stime.tv_usec;
}

long raise_file_limit(void) {
  struct rlimit limit = {1000000, 1000000};
  if (setrlimit(RLIMIT_NOFILE, &limit) < 0) {
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  getrlimit(RLIMIT_NOFILE, &limit);
  return (long)limit.rlim_cur;
}

void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "load: ");
  vfprintf(stderr, format, arguments);
  fprintf(stderr, "\n");
  exit(1);
}
